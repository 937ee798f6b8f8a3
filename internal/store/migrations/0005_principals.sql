-- Users and roles of accounts, and the access keys of users. Policies are JSON
-- documents; managed_json lists names of built-in ones.
CREATE TABLE users (
    account      TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    policy       TEXT   NOT NULL,
    managed_json TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    revision     BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
INSERT INTO users (account, name, policy, managed_json, created_at, revision)
    SELECT account, user_name, policy_json, '', created_at, 1 FROM access_keys;

CREATE TABLE user_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL,
    user_name  TEXT   NOT NULL,
    secret     TEXT   NOT NULL, -- sealed with the server's master key
    inactive   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- 0: never
    revision   BIGINT NOT NULL
);
CREATE INDEX user_keys_user ON user_keys (account, user_name, created_at, id);
INSERT INTO user_keys (id, account, user_name, secret, inactive, created_at, expires_at, revision)
    SELECT id, account, user_name, secret, 0, created_at, 0, 1 FROM access_keys;
DROP TABLE access_keys;

CREATE TABLE roles (
    account      TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    trust_policy TEXT   NOT NULL,
    policy       TEXT   NOT NULL,
    managed_json TEXT   NOT NULL,
    max_seconds  BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    revision     BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
