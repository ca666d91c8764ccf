-- Exceptions of rules: findings of a detector of which `condition` holds (transcript/except.h) are set aside as dismissed, and open again
-- when the exception goes.
CREATE TABLE exception (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    collection INTEGER REFERENCES collection ON DELETE CASCADE, -- NULL: all of them
    detector   TEXT NOT NULL,
    condition  TEXT NOT NULL,
    reviewer   TEXT,
    note       TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX exception_collection ON exception (collection) WHERE collection IS NOT NULL;

-- What set a finding aside; its status then is "dismissed", and nobody's review.
ALTER TABLE finding ADD COLUMN exception INTEGER REFERENCES exception;
CREATE INDEX finding_exception ON finding (exception) WHERE exception IS NOT NULL;

DROP VIEW findings;
CREATE VIEW findings AS
SELECT f.id, c.id AS collection, f.detector, f.version AS detector_version, f.behavior,
       CASE f.kind WHEN 0 THEN 'broken_task' WHEN 1 THEN 'odd_behavior' WHEN 2 THEN 'near_miss' WHEN 3 THEN 'harness'
            ELSE 'data' END AS kind,
       CASE f.severity WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END AS severity, f.confidence, f.title, f.message,
       CASE f.scope WHEN 0 THEN 'run' WHEN 1 THEN 'task' ELSE 'collection' END AS scope, r.id AS run, t.task_id,
       CASE f.status WHEN 0 THEN 'open' WHEN 1 THEN 'confirmed' ELSE 'dismissed' END AS status, f.reviewer, f.note, f.created_at,
       x.id AS exception
FROM finding f JOIN collection c ON c.n = f.collection LEFT JOIN run r ON r.n = f.run LEFT JOIN task t ON t.n = f.task
     LEFT JOIN exception x ON x.n = f.exception;
