-- How often anything has changed that lists of runs filter, sort or count: what is kept of a collection in memory is good while this stays.
ALTER TABLE collection ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER version_run_insert AFTER INSERT ON run BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_run_update AFTER UPDATE ON run BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_run_delete AFTER DELETE ON run BEGIN UPDATE collection SET version = version + 1 WHERE n = old.collection; END;
CREATE TRIGGER version_tag_insert AFTER INSERT ON run_tag
BEGIN UPDATE collection SET version = version + 1 WHERE n = (SELECT collection FROM run WHERE n = new.run); END;
CREATE TRIGGER version_tag_delete AFTER DELETE ON run_tag
BEGIN UPDATE collection SET version = version + 1 WHERE n = (SELECT collection FROM run WHERE n = old.run); END;
CREATE TRIGGER version_finding_insert AFTER INSERT ON finding BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_finding_update AFTER UPDATE ON finding BEGIN UPDATE collection SET version = version + 1 WHERE n = new.collection; END;
CREATE TRIGGER version_finding_delete AFTER DELETE ON finding BEGIN UPDATE collection SET version = version + 1 WHERE n = old.collection; END;
