-- How long a collection keeps its runs: "90d", "5000runs", "forever"; NULL: as the server says.
ALTER TABLE collection ADD COLUMN keep TEXT;
