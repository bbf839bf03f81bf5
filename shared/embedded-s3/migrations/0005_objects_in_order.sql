-- Rows in the order in which they came, and an index of their keys. Keys in preservation storage are random:
-- among rows that are in the order of keys, each new one changes a page of whole rows, which its neighbours'
-- metadata fills, and splits every third. In the index it changes a page with some fifty keys.

CREATE TABLE objects_in_order (
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
    version TEXT NOT NULL DEFAULT 'null',
    ready_micros INTEGER,
    expires_micros INTEGER,
    UNIQUE (bucket, key)
) STRICT;

INSERT INTO objects_in_order
SELECT bucket, key, etag, size, modified_micros, storage_class, blob, crc64nvme, checksum_algorithm,
    checksum_value, about, version, ready_micros, expires_micros
FROM objects ORDER BY blob;

DROP TABLE objects;
ALTER TABLE objects_in_order RENAME TO objects;
