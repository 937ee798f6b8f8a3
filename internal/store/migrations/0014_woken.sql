-- Whether something happened that a deployment may wait for, while a worker held it.
ALTER TABLE deployments ADD COLUMN woken INTEGER NOT NULL DEFAULT 0;
