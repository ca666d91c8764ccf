-- What runs say and show, unpacked, each by itself though texts are shared: what a quota of bytes counts. Of runs that are there already it is what
-- their messages say and their images; a source may say any size of an image that is not here, so that none counts for more than 4 GB.
ALTER TABLE run ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE run SET bytes = coalesce((SELECT sum(bytes) FROM message WHERE id BETWEEN run.n << 26 AND run.n << 26 | 67108863), 0)
                     + coalesce((SELECT sum(min(size, 4294967295)) FROM message_blob WHERE id BETWEEN run.n << 26 AND run.n << 26 | 67108863), 0);
UPDATE collection SET bytes = (SELECT coalesce(sum(bytes), 0) FROM run WHERE collection = collection.n);
