-- A batch has a size of its own, so that its message can say it.

ALTER TABLE message ADD COLUMN files INTEGER NOT NULL DEFAULT 0;

ALTER TABLE file_run ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE file_run SET size_bytes = (
    SELECT coalesce(sum(json_extract(file.value, '$.size')), 0) FROM json_each(records) AS file
);

-- Sizes are read from here: in the table they come behind hundreds of kilobytes of records.
CREATE INDEX file_run_size ON file_run (item, batch, count, size_bytes);
