-- Ways to git servers, linked repositories, and what is synced from them.
CREATE TABLE connections (
    account        TEXT   NOT NULL,
    region         TEXT   NOT NULL,
    arn            TEXT   NOT NULL,
    id             TEXT   NOT NULL UNIQUE,
    name           TEXT   NOT NULL,
    provider       TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    url            TEXT   NOT NULL,
    token          TEXT   NOT NULL, -- sealed with the server's master key
    webhook_secret TEXT   NOT NULL, -- likewise
    created_at     BIGINT NOT NULL,
    revision       BIGINT NOT NULL,
    PRIMARY KEY (account, region, arn),
    UNIQUE (account, region, name)
);

CREATE TABLE repositories (
    account        TEXT   NOT NULL,
    region         TEXT   NOT NULL,
    provider       TEXT   NOT NULL,
    name           TEXT   NOT NULL,
    id             TEXT   NOT NULL UNIQUE,
    connection_arn TEXT   NOT NULL,
    encryption_key TEXT   NOT NULL,
    request_hash   TEXT   NOT NULL,
    revision       BIGINT NOT NULL,
    PRIMARY KEY (account, region, provider, name)
);
CREATE INDEX repositories_connection ON repositories (account, region, connection_arn, name);

-- The work of syncing one repository: at most one node does it at a time.
CREATE TABLE repository_syncs (
    id          TEXT   NOT NULL PRIMARY KEY, -- of the repository
    account     TEXT   NOT NULL,
    region      TEXT   NOT NULL,
    provider    TEXT   NOT NULL,
    repository  TEXT   NOT NULL,
    wanted      BIGINT NOT NULL, -- rounds asked for
    done        BIGINT NOT NULL, -- rounds answered
    poll_at     BIGINT NOT NULL, -- 0: nothing is synced from it
    heads_json  TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);
CREATE INDEX repository_syncs_poll ON repository_syncs (poll_at) WHERE poll_at > 0;
CREATE INDEX repository_syncs_open ON repository_syncs (lease_until) WHERE wanted > done;

CREATE TABLE template_syncs (
    account       TEXT   NOT NULL,
    region        TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    template_name TEXT   NOT NULL,
    provider      TEXT   NOT NULL,
    repository    TEXT   NOT NULL,
    branch        TEXT   NOT NULL,
    subdirectory  TEXT   NOT NULL,
    as_given      TEXT   NOT NULL,
    revision      BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, template_name)
);
CREATE INDEX template_syncs_repository ON template_syncs (account, region, provider, repository, branch);

CREATE TABLE service_syncs (
    account      TEXT   NOT NULL,
    region       TEXT   NOT NULL,
    service_name TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    repository   TEXT   NOT NULL,
    branch       TEXT   NOT NULL,
    file_path    TEXT   NOT NULL,
    revision     BIGINT NOT NULL,
    PRIMARY KEY (account, region, service_name)
);
CREATE INDEX service_syncs_repository ON service_syncs (account, region, provider, repository, branch);

CREATE TABLE sync_states (
    account        TEXT   NOT NULL,
    region         TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    key            TEXT   NOT NULL,
    owner          TEXT   NOT NULL,
    repository_id  TEXT   NOT NULL,
    latest_json    TEXT   NOT NULL,
    succeeded_json TEXT   NOT NULL,
    desired_json   TEXT   NOT NULL,
    digest         TEXT   NOT NULL,
    digest_good    TEXT   NOT NULL,
    waiting        BIGINT NOT NULL,
    revision       BIGINT NOT NULL,
    PRIMARY KEY (account, region, subject, key)
);
CREATE INDEX sync_states_owner ON sync_states (account, region, owner, subject, key);
CREATE INDEX sync_states_waiting ON sync_states (repository_id) WHERE waiting = 1;

CREATE TABLE sync_blockers (
    id              TEXT   NOT NULL PRIMARY KEY,
    account         TEXT   NOT NULL,
    region          TEXT   NOT NULL,
    service_name    TEXT   NOT NULL,
    instance_name   TEXT   NOT NULL, -- empty: the whole service
    resolved        BIGINT NOT NULL,
    created_reason  TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    resolved_reason TEXT   NOT NULL,
    resolved_at     BIGINT NOT NULL,
    deployment_id   TEXT   NOT NULL,
    revision        BIGINT NOT NULL
);
CREATE INDEX sync_blockers_service ON sync_blockers (account, region, service_name, instance_name, created_at, id);
