-- How often a job was ever claimed: whoever claimed it before has nothing to say of it any more. Leases are of the machine's monotonic clock from now on.
ALTER TABLE job ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;
