-- What the folder holds. Bytes over the inline limit are in files named by blob id; all else is here.

CREATE TABLE buckets (
    name TEXT NOT NULL PRIMARY KEY,
    created_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- place: 0 = the body column, 1 = a file, 2 = joined from the extents whose list is this id.
-- refs counts the objects, parts and extents that point here; a row at 0 goes with the same commit.
CREATE TABLE blobs (
    id INTEGER NOT NULL PRIMARY KEY,
    refs INTEGER NOT NULL CHECK (refs >= 0),
    place INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB
) STRICT;

CREATE INDEX blobs_unreferenced ON blobs (id) WHERE refs = 0;

-- One run of bytes of a joined blob. An extent points at a file blob only, so joins never nest.
CREATE TABLE extents (
    list INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL CHECK (length > 0),
    blob INTEGER NOT NULL,
    skip INTEGER NOT NULL,
    PRIMARY KEY (list, start)
) STRICT, WITHOUT ROWID;

-- What a listing needs stands first: the rest of a long row lies on overflow pages it never reads.
CREATE TABLE objects (
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_micros INTEGER NOT NULL,
    storage_class TEXT,
    blob INTEGER NOT NULL,
    crc64nvme INTEGER NOT NULL,
    checksum_algorithm TEXT,
    checksum_value TEXT,
    about TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    started_micros INTEGER NOT NULL,
    storage_class TEXT,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    about TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_by_key ON uploads (bucket, key, id);

CREATE TABLE parts (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_micros INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    crc64nvme INTEGER NOT NULL,
    checksum_algorithm TEXT,
    checksum_value TEXT,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
