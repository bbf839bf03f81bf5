-- Records of a run as they were written before, in JSON, or as zstd of that JSON: text and blob tell them apart.

CREATE TABLE file_run_of_either (
    item        INTEGER NOT NULL,
    batch       INTEGER NOT NULL,
    first_index INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    records     ANY     NOT NULL,
    size_bytes  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (item, batch, first_index)
) STRICT;

INSERT INTO file_run_of_either (item, batch, first_index, count, records, size_bytes)
SELECT item, batch, first_index, count, records, size_bytes FROM file_run;

DROP TABLE file_run;
ALTER TABLE file_run_of_either RENAME TO file_run;

-- Sizes are read from here: in the table they come behind thousands of bytes of records.
CREATE INDEX file_run_size ON file_run (item, batch, count, size_bytes);
