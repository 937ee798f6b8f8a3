-- What people see of a deployment; nothing is decided by it.
CREATE TABLE deployment_timeline (
    deployment_id TEXT   NOT NULL,
    number        BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    until         BIGINT NOT NULL,
    times         BIGINT NOT NULL,
    kind          TEXT   NOT NULL,
    attempt       BIGINT NOT NULL,
    message       TEXT   NOT NULL,
    PRIMARY KEY (deployment_id, number)
);

CREATE TABLE deployment_records (
    deployment_id TEXT NOT NULL PRIMARY KEY,
    method        TEXT NOT NULL,
    preview_json  TEXT NOT NULL,
    files         BLOB NOT NULL -- compressed JSON, secrets cut out
);

-- Why a deployment failed, in a word, and whether its target is to be
-- forgotten even if removing it fails.
ALTER TABLE deployments ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN forced BIGINT NOT NULL DEFAULT 0;
