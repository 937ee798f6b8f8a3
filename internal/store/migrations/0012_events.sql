-- Status changes that wait to be told to a target: a row for each target.
CREATE TABLE events (
    target          TEXT   NOT NULL,
    at              BIGINT NOT NULL,
    position        BIGINT NOT NULL, -- among those of one transaction
    id              TEXT   NOT NULL,
    resource        TEXT   NOT NULL, -- ARN
    status          TEXT   NOT NULL,
    previous_status TEXT   NOT NULL, -- empty for what is new
    attempts        BIGINT NOT NULL,
    not_before      BIGINT NOT NULL,
    PRIMARY KEY (target, at, position, id)
);

-- Who tells a target, so that only one server does.
CREATE TABLE event_targets (
    target      TEXT   NOT NULL PRIMARY KEY,
    owner       TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);
