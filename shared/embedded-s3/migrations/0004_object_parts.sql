-- The parts that a joined blob was completed from, where their checksums were asked for. They go with it.

CREATE TABLE object_parts (
    blob INTEGER NOT NULL,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_micros INTEGER NOT NULL,
    crc64nvme INTEGER NOT NULL,
    checksum_algorithm TEXT,
    checksum_value TEXT,
    PRIMARY KEY (blob, number)
) STRICT, WITHOUT ROWID;
