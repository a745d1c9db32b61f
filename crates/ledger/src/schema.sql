-- The tables of a ledger, version 1. Times are milliseconds since 1970, `sum` is a checksum over the row's other columns.

-- Where each source has got to.
CREATE TABLE positions (
    source      TEXT PRIMARY KEY,      -- the source's name
    position    BLOB,                  -- whatever the source wrote; NULL for one that has none
    seq         INTEGER NOT NULL,      -- the sequence number of its last recorded change: without gaps
    updated_at  INTEGER NOT NULL,
    sum         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each recorded change once, as it came.
CREATE TABLE changes (
    change          INTEGER PRIMARY KEY,   -- in the order of recording
    source          TEXT    NOT NULL,
    seq             INTEGER NOT NULL,      -- counts the recorded changes of the source from 1, without gaps
    id              TEXT    NOT NULL,      -- unique in the source: resume token, Hasura's event id
    "database"      TEXT    NOT NULL,
    collection      TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    "key"           TEXT    NOT NULL,      -- the document key as JSON; empty where there is none
    correlation_id  TEXT    NOT NULL,
    committed_at    INTEGER,               -- when the source says that it was committed
    recorded_at     INTEGER NOT NULL,
    form            TEXT    NOT NULL,      -- how `body` is to be read: bson, json
    body            BLOB    NOT NULL,      -- the bytes as they came
    beside          TEXT    NOT NULL,      -- JSON: context, correlation id and what else was added
    deaths          INTEGER NOT NULL,      -- how often the program died in the middle of its jobs
    sum             INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX changes_by_id ON changes (id, source);
CREATE UNIQUE INDEX changes_by_seq ON changes (source, seq);
CREATE INDEX changes_by_document ON changes (collection, "key");
CREATE INDEX changes_by_time ON changes (recorded_at);
CREATE INDEX changes_by_correlation ON changes (correlation_id);

-- Each run of recorded changes through later code; the run 0 is what happened when the change came.
CREATE TABLE runs (
    run         INTEGER PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    selection   TEXT    NOT NULL,      -- JSON: which changes and events were asked for
    reached     INTEGER NOT NULL,      -- the last change it has come to
    sum         INTEGER NOT NULL
) STRICT;

-- What the detectors said that did not say no, once for each change, event and run.
CREATE TABLE verdicts (
    change  INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    event   TEXT    NOT NULL,
    said    TEXT    NOT NULL,          -- detected, undecided, failed
    fires   INTEGER NOT NULL,          -- 1 when its jobs run
    detail  TEXT,                      -- why it failed, or as JSON what would have to be known
    sum     INTEGER NOT NULL,
    PRIMARY KEY (change, run, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_event ON verdicts (event, change);

-- Each job of each event that fires.
CREATE TABLE jobs (
    job         INTEGER PRIMARY KEY,
    change      INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    nth         INTEGER NOT NULL,      -- how many of this name come before it in the event
    options     TEXT    NOT NULL,      -- JSON: its arguments that are reported
    effect      TEXT    NOT NULL,      -- pure, idempotent, once
    ordered     INTEGER NOT NULL,      -- 1 when later changes of the document wait for it
    stage       TEXT    NOT NULL,      -- queued, running, waiting, succeeded, dead, dropped
    attempts    INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    due_at      INTEGER,               -- of one that waits
    updated_at  INTEGER NOT NULL,
    result      TEXT,                  -- JSON: what it returned
    error       TEXT,                  -- why it failed last
    sum         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_by_name ON jobs (change, run, event, name, nth);
CREATE INDEX jobs_open ON jobs (stage, due_at) WHERE stage IN ('queued', 'running', 'waiting');

-- Each attempt of each job.
CREATE TABLE attempts (
    job         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,      -- counted from 1
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT,                  -- succeeded, failed, panicked, timed_out, expired, interrupted; NULL while it runs
    error       TEXT,
    sum         INTEGER NOT NULL,
    PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;

-- Jobs that a person has to decide on, and those that one has decided on.
CREATE TABLE dead_letters (
    letter      INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    died_at     INTEGER NOT NULL,
    resolved_at INTEGER,
    resolution  TEXT,                  -- retried, dropped, replayed (the job is in a later run)
    sum         INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_open ON dead_letters (died_at) WHERE resolved_at IS NULL;
CREATE INDEX dead_letters_by_job ON dead_letters (job);

-- Parts of a source's history that were lost.
CREATE TABLE gaps (
    gap         INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,
    "from"      TEXT    NOT NULL,
    "to"        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    noticed_at  INTEGER NOT NULL,
    sum         INTEGER NOT NULL
) STRICT;

-- Changes that are no longer kept because they were old.
CREATE TABLE tombstones (
    source      TEXT    NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    deleted_at  INTEGER NOT NULL,
    sum         INTEGER NOT NULL,
    PRIMARY KEY (source, first_seq)
) STRICT, WITHOUT ROWID;

-- One row: what the ledger knows of itself.
CREATE TABLE ledger (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    generation  INTEGER NOT NULL,      -- counts the processes that have owned it
    commits     INTEGER NOT NULL,      -- counts the transactions; the file `mark` beside it holds the last that was promised
    created_at  INTEGER NOT NULL,
    sum         INTEGER NOT NULL
) STRICT;
