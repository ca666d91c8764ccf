-- The index of 4-grams. A segment covers the blocks of a few commits, at most 4,096; a part of it is a range of hashes, small enough to lie
-- on one page: grams.c says what is in it. Derived from the blocks, so nothing refers to it.
CREATE TABLE gram_segment (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- a later one covers later blocks
    first     INTEGER NOT NULL,        -- block.id
    last      INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    part_bits INTEGER NOT NULL,        -- it has 1 << part_bits parts
    blocks    BLOB NOT NULL
) STRICT;
CREATE TABLE gram_part (
    id   INTEGER PRIMARY KEY,          -- segment << 16 | part
    data BLOB NOT NULL
) STRICT;
-- A search without a collection goes through the runs of all.
CREATE INDEX run_newest ON run (imported DESC, place);
