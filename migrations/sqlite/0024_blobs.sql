-- Which collections the bytes of an image were put into. A run may name an image by its hash alone, which does not show that whoever sent the
-- run ever had the image.
CREATE TABLE blob_collection (
    blob       INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE,
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    PRIMARY KEY (blob, collection)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_collection_of ON blob_collection (collection);
INSERT INTO blob_collection (blob, collection)
    SELECT DISTINCT b.n, r.collection FROM blob b JOIN message_blob m ON m.sha256 = b.sha256 JOIN run r ON r.n = m.id >> 26;
