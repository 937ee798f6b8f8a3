-- The processes that share the database. One whose lease has run out is gone.
CREATE TABLE nodes (
    id          TEXT   NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL
);
