-- What a run did, in brief (transcript/actions.h): derived from its messages, made anew by a scan where it is missing or of another revision.
-- Names of actions are numbered in each collection in the order in which they came, so that the common ones take one byte.
CREATE TABLE action (
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (collection, number),
    UNIQUE (collection, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_digest (
    run      INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    results  INTEGER NOT NULL,         -- of tools,
    failed   INTEGER NOT NULL,         -- and those with an error
    answer   INTEGER,                  -- hash of what was answered
    actions  BLOB NOT NULL,            -- digest.c says what is in them
    errors   BLOB NOT NULL
) STRICT;
