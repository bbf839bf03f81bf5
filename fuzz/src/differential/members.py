"""Prints what tarfile finds in the tars whose paths come in, a line for each member and one at the end."""

import sys
import tarfile

BYTES_MAX = 64 * 1024 * 1024


def kind_of(member):
    if member.isreg():
        return "file"
    return "folder" if member.isdir() else "other"


def show(path):
    left = BYTES_MAX
    with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            kind = kind_of(member)
            data = b""
            if kind == "file":
                data = tar.extractfile(member).read(left)
                left -= len(data)
            name = member.name.encode("utf-8", "surrogateescape")
            print("member", kind, "=" + name.hex(), "=" + data.hex())


for line in sys.stdin:
    try:
        show(line.rstrip("\n"))
        print("end")
    except Exception as error:
        print("error", repr(error).encode("ascii", "backslashreplace").decode("ascii"))
    sys.stdout.flush()
