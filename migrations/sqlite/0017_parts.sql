-- version counts every change of what a collection's summary says; the others those of what is kept of it in memory: its runs, their tags,
-- their findings.
ALTER TABLE collection ADD COLUMN runs_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN tags_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN findings_version INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER version_run_insert;
DROP TRIGGER version_run_update;
DROP TRIGGER version_run_delete;
DROP TRIGGER version_tag_insert;
DROP TRIGGER version_tag_delete;
DROP TRIGGER version_finding_insert;
DROP TRIGGER version_finding_update;
DROP TRIGGER version_finding_delete;

CREATE TRIGGER version_run_insert AFTER INSERT ON run
BEGIN UPDATE collection SET version = version + 1, runs_version = runs_version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_run_delete AFTER DELETE ON run
BEGIN UPDATE collection SET version = version + 1, runs_version = runs_version + 1 WHERE n = old.collection; END;
-- All columns but the numbers of findings, which change with the findings themselves.
CREATE TRIGGER version_run_update
AFTER UPDATE OF collection, task, success, imported, place, messages, calls, attempt, tokens_in, tokens_out, cost_usd, model, agent, exit_status,
    stopped_by, format, id, external_id, name, started_at, ended_at, content_hash ON run
BEGIN UPDATE collection SET version = version + 1, runs_version = runs_version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_run_counts AFTER UPDATE OF broken, odd, near, harness, data ON run
BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;

CREATE TRIGGER version_tag_insert AFTER INSERT ON run_tag
BEGIN UPDATE collection SET version = version + 1, tags_version = tags_version + 1 WHERE n = (SELECT collection FROM run WHERE n = new.run); END;
CREATE TRIGGER version_tag_delete AFTER DELETE ON run_tag
BEGIN UPDATE collection SET version = version + 1, tags_version = tags_version + 1 WHERE n = (SELECT collection FROM run WHERE n = old.run); END;

CREATE TRIGGER version_finding_insert AFTER INSERT ON finding
BEGIN UPDATE collection SET version = version + 1, findings_version = findings_version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_finding_update AFTER UPDATE ON finding
BEGIN UPDATE collection SET version = version + 1, findings_version = findings_version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_finding_delete AFTER DELETE ON finding
BEGIN UPDATE collection SET version = version + 1, findings_version = findings_version + 1 WHERE n = old.collection; END;

CREATE TRIGGER version_task_insert AFTER INSERT ON task BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_task_update AFTER UPDATE ON task BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_task_delete AFTER DELETE ON task BEGIN UPDATE collection SET version = version + 1 WHERE n = old.collection; END;
CREATE TRIGGER version_file_insert AFTER INSERT ON file BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_file_update AFTER UPDATE ON file BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_file_delete AFTER DELETE ON file BEGIN UPDATE collection SET version = version + 1 WHERE n = old.collection; END;
CREATE TRIGGER version_incomplete_insert AFTER INSERT ON incomplete
BEGIN UPDATE collection SET version = version + 1 WHERE n = (SELECT collection FROM run WHERE n = new.run); END;
CREATE TRIGGER version_incomplete_delete AFTER DELETE ON incomplete
BEGIN UPDATE collection SET version = version + 1 WHERE n = (SELECT collection FROM run WHERE n = old.run); END;
CREATE TRIGGER version_said AFTER UPDATE OF id, name, description, metadata, created_at, imported ON collection
BEGIN UPDATE collection SET version = version + 1 WHERE n = new.n; END;
