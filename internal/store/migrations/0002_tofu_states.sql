-- States of OpenTofu and Terraform. A name is in use by one state at a time;
-- archived ones keep it for the record.
CREATE TABLE tofu_states (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    archived_at BIGINT NOT NULL, -- 0: in use
    latest      BIGINT NOT NULL, -- number of the newest version, 0: never written
    lock_id     TEXT   NOT NULL, -- empty: not locked
    lock_run    TEXT   NOT NULL,
    lock_user   TEXT   NOT NULL,
    lock_info   TEXT   NOT NULL, -- JSON, as the holder sent it
    locked_at   BIGINT NOT NULL,
    revision    BIGINT NOT NULL
);
CREATE UNIQUE INDEX tofu_states_name ON tofu_states (name) WHERE archived_at = 0;
CREATE INDEX tofu_states_list ON tofu_states (name, created_at, id);

CREATE TABLE tofu_state_versions (
    state_id   TEXT   NOT NULL,
    number     BIGINT NOT NULL, -- 1, 2, 3 …
    serial     BIGINT NOT NULL, -- the tool's own count
    lineage    TEXT   NOT NULL,
    md5        TEXT   NOT NULL, -- of the state as the tool wrote it, in hexadecimal
    size       BIGINT NOT NULL,
    run_id     TEXT   NOT NULL,
    written_at BIGINT NOT NULL,
    content    TEXT   NOT NULL, -- sealed with the server's master key
    PRIMARY KEY (state_id, number)
);
