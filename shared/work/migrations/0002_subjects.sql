-- A message is about a subject: a work item or a file. Messages are hints that the registry can give
-- again, so those of the earlier layout are dropped; the work records stay.

DROP TABLE message;
DROP TABLE queue;
DROP TABLE turn;

-- What each queue keeps besides its messages.
CREATE TABLE queue (
    queue        TEXT    NOT NULL PRIMARY KEY,
    heartbeat    INTEGER,
    virtual_time INTEGER NOT NULL,
    next_seq     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When an institution is served next, in virtual time. One row per institution that ever published:
-- some hundreds.
CREATE TABLE served_next (
    queue       TEXT    NOT NULL,
    institution INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (queue, institution)
) STRICT, WITHOUT ROWID;

-- A leased message's token is the fence of its work: every write compares it.
CREATE TABLE message (
    -- item/NUMBER or file/NUMBER.
    subject        TEXT    NOT NULL,
    queue          TEXT    NOT NULL,
    -- -1 is the planner: NULL would not be unique in a key.
    batch          INTEGER NOT NULL,
    institution    INTEGER NOT NULL,
    size_bytes     INTEGER NOT NULL,
    big            INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    vanished       INTEGER NOT NULL,
    vanished_alone INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    phase          TEXT    NOT NULL CHECK (phase IN ('ready', 'leased', 'due')),
    -- The deadline of a lease, or when a message is due.
    at             INTEGER,
    token          BLOB,
    again          INTEGER NOT NULL,
    alone          INTEGER NOT NULL,
    PRIMARY KEY (subject, queue, batch)
) STRICT, WITHOUT ROWID;

-- Each message is in exactly one of these.
CREATE INDEX message_ready ON message (queue, big, institution, seq) WHERE phase = 'ready';
CREATE INDEX message_leased ON message (queue, at, big) WHERE phase = 'leased';
CREATE INDEX message_due ON message (queue, at) WHERE phase = 'due';
