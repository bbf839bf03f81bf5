-- The queue and the work records of one machine. Times are microseconds since 1970, UTC.

-- What each queue keeps besides its messages.
CREATE TABLE queue (
    queue    TEXT    NOT NULL PRIMARY KEY,
    pulse    INTEGER,
    turn     INTEGER NOT NULL,
    next_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When an institution's turn comes. One row per institution that ever published: some hundreds.
CREATE TABLE turn (
    queue       TEXT    NOT NULL,
    institution INTEGER NOT NULL,
    turn        INTEGER NOT NULL,
    PRIMARY KEY (queue, institution)
) STRICT, WITHOUT ROWID;

-- A leased message's token is the fence of its work: every write compares it.
CREATE TABLE message (
    item        INTEGER NOT NULL,
    queue       TEXT    NOT NULL,
    -- -1 is the planner: NULL would not be unique in a key.
    batch       INTEGER NOT NULL,
    institution INTEGER NOT NULL,
    size_bytes  INTEGER NOT NULL,
    big         INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    phase       TEXT    NOT NULL CHECK (phase IN ('ready', 'leased', 'due')),
    -- The deadline of a lease, or when a message is due.
    at          INTEGER,
    token       BLOB,
    again       INTEGER NOT NULL,
    PRIMARY KEY (item, queue, batch)
) STRICT, WITHOUT ROWID;

-- Each message is in exactly one of these.
CREATE INDEX message_ready ON message (queue, big, institution, seq) WHERE phase = 'ready';
CREATE INDEX message_leased ON message (queue, at, big) WHERE phase = 'leased';
CREATE INDEX message_due ON message (queue, at) WHERE phase = 'due';

-- Rows of hundreds of kilobytes, so these tables keep their rowid: without one, such rows would
-- stand in the inner pages of the tree.

CREATE TABLE object_record (
    item   INTEGER NOT NULL PRIMARY KEY,
    record TEXT    NOT NULL
) STRICT;

-- A run of a batch's file records as one JSON array: the records numbered first_index and on.
-- Pass one appends a run per checkpoint; later stages write the batch as a single run.
CREATE TABLE file_run (
    item        INTEGER NOT NULL,
    batch       INTEGER NOT NULL,
    first_index INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    records     TEXT    NOT NULL,
    PRIMARY KEY (item, batch, first_index)
) STRICT;

CREATE TABLE checkpoint (
    item   INTEGER NOT NULL PRIMARY KEY,
    record TEXT    NOT NULL
) STRICT;

CREATE TABLE done_batch (
    item  INTEGER NOT NULL,
    queue TEXT    NOT NULL,
    batch INTEGER NOT NULL,
    PRIMARY KEY (item, queue, batch)
) STRICT, WITHOUT ROWID;
