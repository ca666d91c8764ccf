-- The finding up to which webhooks were told of the findings of a collection.
ALTER TABLE collection ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE collection SET told = (SELECT coalesce(max(n), 0) FROM finding);

-- Payloads are long: what is counted, and what is over, is found without them.
DROP INDEX delivery_of_webhook;
CREATE INDEX delivery_of_webhook ON delivery (webhook, n, state, attempts);
CREATE INDEX delivery_over ON delivery (ended_at) WHERE state <> 0;
