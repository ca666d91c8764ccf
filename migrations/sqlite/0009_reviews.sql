-- Reviews of findings that a scan no longer makes; a finding of the same id and words takes its own up again.
CREATE TABLE kept_review (
    id         TEXT PRIMARY KEY, -- the finding's
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    run        INTEGER REFERENCES run ON DELETE CASCADE,
    task       INTEGER REFERENCES task ON DELETE CASCADE,
    words      BLOB NOT NULL,
    status     INTEGER NOT NULL,
    reviewer   TEXT,
    note       TEXT
) STRICT;
CREATE INDEX kept_review_collection ON kept_review (collection);
CREATE INDEX kept_review_run ON kept_review (run) WHERE run IS NOT NULL;
CREATE INDEX kept_review_task ON kept_review (task) WHERE task IS NOT NULL;
