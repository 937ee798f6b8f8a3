-- Instants are UTC microseconds since the epoch, 0 for none. Flags are 0 or 1.
-- Columns ending in _json hold JSON text. Empty text stands for "not given".

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE templates (
    account          TEXT   NOT NULL,
    region           TEXT   NOT NULL,
    kind             TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    display_name     TEXT   NOT NULL,
    description      TEXT   NOT NULL,
    encryption_key   TEXT   NOT NULL,
    customer_managed BIGINT NOT NULL,
    recommended_major BIGINT NOT NULL,
    recommended_minor BIGINT NOT NULL,
    last_major       BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    request_hash     TEXT   NOT NULL,
    modified         BIGINT NOT NULL,
    revision         BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
);

-- The highest minor ever given out in each major: numbers are not reused.
CREATE TABLE template_majors (
    account       TEXT   NOT NULL,
    region        TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    template_name TEXT   NOT NULL,
    major         BIGINT NOT NULL,
    last_minor    BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, template_name, major)
);

CREATE TABLE template_versions (
    account          TEXT   NOT NULL,
    region           TEXT   NOT NULL,
    kind             TEXT   NOT NULL,
    template_name    TEXT   NOT NULL,
    major            BIGINT NOT NULL,
    minor            BIGINT NOT NULL,
    id               TEXT   NOT NULL UNIQUE,
    description      TEXT   NOT NULL,
    status           TEXT   NOT NULL,
    status_message   TEXT   NOT NULL,
    schema_text      TEXT   NOT NULL,
    compatible_json  TEXT   NOT NULL,
    component_sources_json TEXT NOT NULL,
    source_bucket    TEXT   NOT NULL,
    source_key       TEXT   NOT NULL,
    bundle_digest    TEXT   NOT NULL,
    warnings_json    TEXT   NOT NULL,
    methods_json     TEXT   NOT NULL,
    attempt          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    revision         BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, template_name, major, minor)
);
CREATE INDEX template_versions_status ON template_versions (status);

CREATE TABLE bundles (
    digest     TEXT   NOT NULL PRIMARY KEY,
    content    BLOB   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE environments (
    account                   TEXT   NOT NULL,
    region                    TEXT   NOT NULL,
    name                      TEXT   NOT NULL,
    template_name             TEXT   NOT NULL,
    description               TEXT   NOT NULL,
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
    customer_managed          BIGINT NOT NULL,
    service_role_arn          TEXT   NOT NULL,
    codebuild_role_arn        TEXT   NOT NULL,
    component_role_arn        TEXT   NOT NULL,
    account_connection_id     TEXT   NOT NULL,
    environment_account       TEXT   NOT NULL,
    provisioning_repository_json TEXT NOT NULL,
    request_hash              TEXT   NOT NULL,
    modified                  BIGINT NOT NULL,
    revision                  BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX environments_template ON environments (account, region, template_name, major, name);

CREATE TABLE account_connections (
    id                  TEXT   NOT NULL PRIMARY KEY,
    region              TEXT   NOT NULL,
    management_account  TEXT   NOT NULL,
    environment_account TEXT   NOT NULL,
    environment_name    TEXT   NOT NULL,
    role_arn            TEXT   NOT NULL,
    component_role_arn  TEXT   NOT NULL,
    codebuild_role_arn  TEXT   NOT NULL,
    status              TEXT   NOT NULL,
    requested_at        BIGINT NOT NULL,
    last_modified_at    BIGINT NOT NULL,
    revision            BIGINT NOT NULL
);
CREATE INDEX account_connections_management ON account_connections (region, management_account, requested_at, id);
CREATE INDEX account_connections_environment ON account_connections (region, environment_account, requested_at, id);

CREATE TABLE services (
    account                   TEXT   NOT NULL,
    region                    TEXT   NOT NULL,
    name                      TEXT   NOT NULL,
    template_name             TEXT   NOT NULL,
    template_major            BIGINT NOT NULL,
    description               TEXT   NOT NULL,
    branch_name               TEXT   NOT NULL,
    repository_connection_arn TEXT   NOT NULL,
    repository_id             TEXT   NOT NULL,
    spec                      TEXT   NOT NULL,
    status                    TEXT   NOT NULL,
    status_message            TEXT   NOT NULL,
    has_pipeline              BIGINT NOT NULL,
    update_json               TEXT   NOT NULL, -- an update of instances that is going on
    created_at                BIGINT NOT NULL,
    last_modified_at          BIGINT NOT NULL,
    request_hash              TEXT   NOT NULL,
    modified                  BIGINT NOT NULL,
    revision                  BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE service_instances (
    account                   TEXT   NOT NULL,
    region                    TEXT   NOT NULL,
    service_name              TEXT   NOT NULL,
    name                      TEXT   NOT NULL,
    environment_name          TEXT   NOT NULL,
    template_name             TEXT   NOT NULL,
    position                  BIGINT NOT NULL,
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
    revision                  BIGINT NOT NULL,
    PRIMARY KEY (account, region, service_name, name)
);
CREATE INDEX service_instances_environment ON service_instances (account, region, environment_name, service_name, name);
-- One for each order that instances can be listed in.
CREATE INDEX service_instances_template ON service_instances (account, region, template_name, service_name, name);
CREATE INDEX service_instances_status ON service_instances (account, region, status, service_name, name);
CREATE INDEX service_instances_attempted ON service_instances (account, region, last_attempted_at, service_name, name);
CREATE INDEX service_instances_name ON service_instances (account, region, name, service_name);
CREATE INDEX service_instances_created ON service_instances (account, region, created_at, service_name, name);

CREATE TABLE pipelines (
    account                   TEXT   NOT NULL,
    region                    TEXT   NOT NULL,
    service_name              TEXT   NOT NULL,
    template_name             TEXT   NOT NULL,
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
    revision                  BIGINT NOT NULL,
    PRIMARY KEY (account, region, service_name)
);
CREATE INDEX pipelines_template ON pipelines (account, region, template_name, major, minor);

CREATE TABLE deployments (
    id                TEXT   NOT NULL PRIMARY KEY,
    account           TEXT   NOT NULL,
    region            TEXT   NOT NULL,
    run_id            TEXT   NOT NULL,
    target_type       TEXT   NOT NULL,
    environment_name  TEXT   NOT NULL,
    service_name      TEXT   NOT NULL,
    instance_name     TEXT   NOT NULL,
    component_name    TEXT   NOT NULL,
    goal              TEXT   NOT NULL,
    status            TEXT   NOT NULL,
    status_message    TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    last_modified_at  BIGINT NOT NULL,
    completed_at      BIGINT NOT NULL,
    target_created_at BIGINT NOT NULL,
    initial_json      TEXT   NOT NULL,
    target_json       TEXT   NOT NULL,
    preceding_attempted TEXT NOT NULL,
    preceding_succeeded TEXT NOT NULL,
    ready             BIGINT NOT NULL,
    begun             BIGINT NOT NULL,
    inputs_json       TEXT   NOT NULL,
    report_json       TEXT   NOT NULL,
    outputs_json      TEXT   NOT NULL,
    resources_json    TEXT   NOT NULL,
    attempt           BIGINT NOT NULL,
    lease_owner       TEXT   NOT NULL,
    lease_until       BIGINT NOT NULL,
    checkpoint        TEXT   NOT NULL,
    failures          BIGINT NOT NULL
);
CREATE INDEX deployments_newest ON deployments (account, region, created_at, id);
CREATE INDEX deployments_service ON deployments (account, region, service_name, created_at, id);
CREATE INDEX deployments_environment ON deployments (account, region, environment_name, created_at, id);
CREATE INDEX deployments_component ON deployments (account, region, component_name, created_at, id);
-- What is going on: small, and read once a second.
CREATE INDEX deployments_leases ON deployments (lease_until) WHERE lease_until > 0;
CREATE INDEX deployments_running ON deployments (id) WHERE completed_at = 0;

CREATE TABLE deployment_logs (
    deployment_id TEXT   NOT NULL,
    sequence      BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    message       TEXT   NOT NULL,
    PRIMARY KEY (deployment_id, sequence)
);

CREATE TABLE tags (
    arn   TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
);

CREATE TABLE account_settings (
    account                     TEXT   NOT NULL,
    region                      TEXT   NOT NULL,
    pipeline_service_role_arn   TEXT   NOT NULL,
    pipeline_codebuild_role_arn TEXT   NOT NULL,
    pipeline_repository_json    TEXT   NOT NULL,
    revision                    BIGINT NOT NULL,
    PRIMARY KEY (account, region)
);

CREATE TABLE client_tokens (
    account      TEXT   NOT NULL,
    region       TEXT   NOT NULL,
    operation    TEXT   NOT NULL,
    token        TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    resource     TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account, region, operation, token)
);
CREATE INDEX client_tokens_age ON client_tokens (created_at);

CREATE TABLE access_keys (
    id          TEXT   NOT NULL PRIMARY KEY,
    account     TEXT   NOT NULL,
    user_name   TEXT   NOT NULL,
    secret      TEXT   NOT NULL, -- sealed with the server's master key
    policy_json TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    UNIQUE (account, user_name)
);
