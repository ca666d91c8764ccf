-- A map of a collection's runs: where each is drawn, and what the map was made of. Derived, and made anew when the collection has changed since
-- (collection.changes was `changes`). atlas.c says what is in `points`.
CREATE TABLE atlas (
    collection INTEGER PRIMARY KEY REFERENCES collection ON DELETE CASCADE,
    revision   INTEGER NOT NULL,
    changes    INTEGER NOT NULL,
    made_at    TEXT NOT NULL,
    about      TEXT NOT NULL,
    points     BLOB NOT NULL
) STRICT;
