-- What waits is looked for webhook by webhook, every second; payloads are long, and no row is read for it.
DROP INDEX delivery_waits;
CREATE INDEX delivery_waits ON delivery (webhook, next_at) WHERE state = 0;
