-- Directly defined components. wanted_* is the attachment that the running
-- deployment makes; without one it is the attachment in force.
CREATE TABLE components (
    account                   TEXT   NOT NULL,
    region                    TEXT   NOT NULL,
    name                      TEXT   NOT NULL,
    environment_name          TEXT   NOT NULL,
    description               TEXT   NOT NULL,
    service_name              TEXT   NOT NULL,
    instance_name             TEXT   NOT NULL,
    wanted_service_name       TEXT   NOT NULL,
    wanted_instance_name      TEXT   NOT NULL,
    service_spec              TEXT   NOT NULL,
    template_file             TEXT   NOT NULL,
    manifest                  TEXT   NOT NULL,
    status                    TEXT   NOT NULL,
    status_message            TEXT   NOT NULL,
    major                     BIGINT NOT NULL,
    minor                     BIGINT NOT NULL,
    attempted_major           BIGINT NOT NULL,
    attempted_minor           BIGINT NOT NULL,
    spec                      TEXT   NOT NULL,
    created_at                BIGINT NOT NULL,
    last_attempted_at         BIGINT NOT NULL,
    last_succeeded_at         BIGINT NOT NULL,
    last_attempted_deployment TEXT   NOT NULL,
    last_succeeded_deployment TEXT   NOT NULL,
    last_client_token         TEXT   NOT NULL,
    last_modified_at          BIGINT NOT NULL,
    revision                  BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX components_environment ON components (account, region, environment_name, name);
CREATE INDEX components_attached ON components (account, region, service_name, name);
CREATE INDEX components_wanted ON components (account, region, wanted_service_name, wanted_instance_name);
