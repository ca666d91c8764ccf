-- Rules of one's own, each in all its versions; the latest of an id counts. Without a text it was taken away.
CREATE TABLE own_rule (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL,
    text       TEXT,
    author     TEXT,
    note       TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX own_rule_id ON own_rule (id, n);
