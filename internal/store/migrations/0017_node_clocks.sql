-- How far a node's clock is from the database's, in microseconds.
ALTER TABLE nodes ADD COLUMN clock_offset BIGINT NOT NULL DEFAULT 0;
