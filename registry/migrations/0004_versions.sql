-- Digests and copies belong to a version of a file, which its uuid names. Which version is current is a
-- fact of the file: the same bytes may come back after others, so no date can tell. `version` is NULL
-- in rows of former versions that were written before this migration.

CREATE TABLE checksums_of_versions (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    datetime BIGINT NOT NULL,
    digest TEXT NOT NULL,
    generic_file_id BIGINT NOT NULL REFERENCES generic_files (id),
    version TEXT,
    -- NULL for the digests of the bytes that the file has now.
    superseded_at BIGINT,
    UNIQUE (generic_file_id, version, algorithm, digest)
);

-- The ingestion event that names the present uuid has the md5 of its bytes. The other digests were
-- calculated with that one, so they are those nearest to it in time. Without such an event the last
-- digests are taken for the present ones.
WITH present AS (
    SELECT f.id, f.uuid, f.updated_at, COALESCE(
        (SELECT m.datetime FROM premis_events e
         JOIN checksums m ON m.generic_file_id = e.generic_file_id AND m.algorithm = 'md5'
             AND e.outcome_detail = 'md5:' || m.digest
         WHERE e.generic_file_id = f.id AND e.event_type = 'ingestion'
             AND e.detail = 'Completed copy to preservation storage (' || f.uuid || ')'
         ORDER BY e.date_time DESC, e.id DESC LIMIT 1),
        (SELECT MAX(d.datetime) FROM checksums d WHERE d.generic_file_id = f.id)
    ) AS digested_at
    FROM generic_files f
), judged AS (
    SELECT c.*, p.uuid, p.updated_at AS file_updated_at, ROW_NUMBER() OVER (
        PARTITION BY c.generic_file_id, c.algorithm
        ORDER BY ABS(c.datetime - p.digested_at), c.id DESC
    ) = 1 AS is_current
    FROM checksums c JOIN present p ON p.id = c.generic_file_id
)
INSERT INTO checksums_of_versions
    (id, created_at, updated_at, algorithm, datetime, digest, generic_file_id, version, superseded_at)
SELECT id, created_at, updated_at, algorithm, datetime, digest, generic_file_id,
    CASE WHEN is_current THEN uuid END,
    CASE WHEN is_current THEN NULL ELSE file_updated_at END
FROM judged;

DROP TABLE checksums;
ALTER TABLE checksums_of_versions RENAME TO checksums;
CREATE INDEX checksums_digest ON checksums (digest);
CREATE INDEX checksums_datetime ON checksums (datetime, id);
CREATE INDEX checksums_algorithm ON checksums (algorithm);
-- A file has one present digest of each algorithm, whatever the code above thinks.
CREATE UNIQUE INDEX checksums_current ON checksums (generic_file_id, algorithm)
    WHERE superseded_at IS NULL;

-- The key of a copy is the uuid of its version; a copy whose address ends in no uuid is of the
-- present version unless it was superseded.
ALTER TABLE storage_records ADD COLUMN version TEXT;
UPDATE storage_records SET version = CASE
    WHEN substr(url, length(url) - 36) LIKE '/________-____-____-____-____________'
        THEN lower(substr(url, length(url) - 35))
    WHEN superseded_at IS NULL
        THEN (SELECT f.uuid FROM generic_files f WHERE f.id = storage_records.generic_file_id)
END;
