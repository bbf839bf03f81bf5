-- Versions of a key. Where a bucket never had any, each object is the version "null", as on S3.

-- NULL: never had versions. Else Enabled or Suspended.
ALTER TABLE buckets ADD COLUMN versioning TEXT;

-- The current version of a key, unless that is a delete marker.
ALTER TABLE objects ADD COLUMN version TEXT NOT NULL DEFAULT 'null';

-- All other versions, the newest of a key first. A row without a blob is a delete marker. The newest
-- of a key without a row in objects is one always: an object that comes to be the newest moves there.
CREATE TABLE versions (
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    modified_micros INTEGER NOT NULL,
    version TEXT NOT NULL,
    etag TEXT,
    size INTEGER,
    storage_class TEXT,
    blob INTEGER,
    crc64nvme INTEGER,
    checksum_algorithm TEXT,
    checksum_value TEXT,
    about TEXT,
    PRIMARY KEY (bucket, key, modified_micros DESC)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX versions_by_id ON versions (bucket, key, version);
