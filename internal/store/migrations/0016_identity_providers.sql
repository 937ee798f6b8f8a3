-- OpenID Connect providers whose tokens an account admits, for some of their
-- clients.
CREATE TABLE identity_providers (
    account      TEXT   NOT NULL,
    url          TEXT   NOT NULL,
    clients_json TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    revision     BIGINT NOT NULL,
    PRIMARY KEY (account, url)
);
