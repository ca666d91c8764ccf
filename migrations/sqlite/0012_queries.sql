-- Queries that people keep.
CREATE TABLE saved_query (
    n          INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL UNIQUE,
    text       TEXT NOT NULL,
    chart      TEXT,                   -- how the page draws the result, as JSON
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
