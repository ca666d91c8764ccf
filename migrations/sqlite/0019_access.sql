-- Who may do what. Of a token and of a session only a hash is kept, under a key that lies beside the database and not in it. Times are
-- microseconds since 1970.
CREATE TABLE token (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,   -- the part of the token that is shown
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    scopes     INTEGER NOT NULL,       -- 1 ingest, 2 read, 4 review, 8 admin
    bound      INTEGER NOT NULL,       -- only for the collections in token_collection, be they deleted since
    rate       INTEGER,                -- requests a second
    upload_max INTEGER,                -- bytes of a body
    made_by    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at    INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE token_collection (
    token      INTEGER NOT NULL REFERENCES token ON DELETE CASCADE,
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    PRIMARY KEY (token, collection)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_collection_of ON token_collection (collection);

-- A browser that was signed in with a token.
CREATE TABLE session (
    hash       BLOB PRIMARY KEY,
    token      INTEGER NOT NULL REFERENCES token ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_token ON session (token);

-- Who changed what: a row a request or command, written with the change.
CREATE TABLE audit (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,             -- name of the token, "local" or "cli:USER"
    token   TEXT,                      -- its id
    address TEXT,
    action  TEXT NOT NULL,
    target  TEXT,
    detail  TEXT                       -- JSON
) STRICT;
CREATE INDEX audit_action ON audit (action, target, at);

-- The token that put it in the queue.
ALTER TABLE job ADD COLUMN token TEXT;
