-- Webhooks: whom to tell when jobs end. The secret that signs is made from the id with the key beside the database, and stands nowhere.
CREATE TABLE webhook (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    url        TEXT NOT NULL,
    events     INTEGER NOT NULL,                                -- a bit for each, see webhook_event_names
    collection INTEGER REFERENCES collection ON DELETE CASCADE, -- NULL: all of them
    page       TEXT NOT NULL,                                   -- what links begin with
    paused     INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_collection ON webhook (collection) WHERE collection IS NOT NULL;

-- What is to be told, written in the transaction that ends the job. state: 0 waits, 1 was told, 2 was given up.
CREATE TABLE delivery (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    webhook    INTEGER NOT NULL REFERENCES webhook ON DELETE CASCADE,
    event      TEXT NOT NULL,
    payload    TEXT NOT NULL,
    state      INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,                                -- microseconds since 1970
    status     INTEGER,                                         -- of the last answer
    error      TEXT,
    created_at TEXT NOT NULL,
    ended_at   TEXT
) STRICT;
CREATE INDEX delivery_waits ON delivery (next_at) WHERE state = 0;
CREATE INDEX delivery_of_webhook ON delivery (webhook, n);
