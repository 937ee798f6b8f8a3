-- The call that asked for a deployment, for logs and traces.
ALTER TABLE deployments ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN trace_parent TEXT NOT NULL DEFAULT '';
