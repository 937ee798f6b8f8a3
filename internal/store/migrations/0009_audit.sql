-- The audit log: a chain of hashes for each account. record is the text that
-- the hash is over; the other columns are copies of what is in it, to search by.
CREATE TABLE audit_records (
    account       TEXT   NOT NULL,
    sequence      BIGINT NOT NULL, -- 1, 2, 3 … without a gap
    at            BIGINT NOT NULL,
    event_name    TEXT   NOT NULL,
    principal_arn TEXT   NOT NULL,
    resource_arn  TEXT   NOT NULL,
    error_code    TEXT   NOT NULL, -- empty: success
    record        TEXT   NOT NULL,
    hash          TEXT   NOT NULL, -- of the previous hash and the record
    PRIMARY KEY (account, sequence)
);
CREATE INDEX audit_records_time ON audit_records (account, at, sequence);
CREATE INDEX audit_records_principal ON audit_records (account, principal_arn, sequence);
CREATE INDEX audit_records_name ON audit_records (account, event_name, sequence);

-- Records that have been written, with what they tell of, and are not linked
-- yet: calls must not wait for each other because of the chain.
CREATE TABLE audit_pending (
    id            TEXT   NOT NULL PRIMARY KEY,
    account       TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    event_name    TEXT   NOT NULL,
    principal_arn TEXT   NOT NULL,
    resource_arn  TEXT   NOT NULL,
    error_code    TEXT   NOT NULL,
    record        TEXT   NOT NULL
);
CREATE INDEX audit_pending_time ON audit_pending (at, id);

-- The newest link of each chain, sealed with the server's master key: who can
-- write to the database alone can neither shorten nor rewrite a chain unseen.
CREATE TABLE audit_heads (
    account  TEXT   NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash     TEXT   NOT NULL,
    seal     TEXT   NOT NULL
);
