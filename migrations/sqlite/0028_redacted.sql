-- How often redaction in place has changed pieces of a group: who read them before writes nothing that is made of them.
ALTER TABLE piece_group ADD COLUMN redacted INTEGER NOT NULL DEFAULT 0;
