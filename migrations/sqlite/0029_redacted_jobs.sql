-- Redaction in place has changed a run while the job was running: what comes of the words that it had read is not stored.
ALTER TABLE job ADD COLUMN redacted INTEGER NOT NULL DEFAULT 0;
