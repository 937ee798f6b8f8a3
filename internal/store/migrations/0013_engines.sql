-- The engine that carries a deployment out, once it was rendered.
ALTER TABLE deployments ADD COLUMN engine TEXT NOT NULL DEFAULT '';
