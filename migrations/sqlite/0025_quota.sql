-- How many runs a collection may have: "5000runs"; NULL: any number.
ALTER TABLE collection ADD COLUMN quota TEXT;
