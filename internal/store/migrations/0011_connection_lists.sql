-- A page of connections costs the same whatever it is filtered by.
CREATE INDEX account_connections_managed_name ON account_connections (region, management_account, environment_name, requested_at, id);
CREATE INDEX account_connections_managed_status ON account_connections (region, management_account, status, requested_at, id);
CREATE INDEX account_connections_own_name ON account_connections (region, environment_account, environment_name, requested_at, id);
CREATE INDEX account_connections_own_status ON account_connections (region, environment_account, status, requested_at, id);
