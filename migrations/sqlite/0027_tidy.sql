-- An exception that is being taken back holds of nothing any more; it goes when its last finding is open again.
ALTER TABLE exception ADD COLUMN going INTEGER NOT NULL DEFAULT 0;
-- Jobs that ended long ago are found without reading all of them, and what somebody changed without reading the whole log.
CREATE INDEX job_ended ON job (ended_at) WHERE state IN (2, 3, 4);
CREATE INDEX audit_actor ON audit (actor, n);
