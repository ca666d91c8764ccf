-- What waits is looked for webhook by webhook, every second; what is over, by its age, with each delivery. Payloads are long: no row is read for it.
DROP INDEX delivery_waits;
CREATE INDEX delivery_waits ON delivery (webhook, next_at) WHERE state = 0;
CREATE INDEX delivery_over ON delivery (ended_at) WHERE state <> 0;
