-- How often runs of a collection have changed, and which of those changes the rules about whole collections have seen: what an interrupted
-- import or a stopped server left unseen is known.
ALTER TABLE collection ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN looked INTEGER NOT NULL DEFAULT 0;
