-- The last link that was pruned from the beginning of a chain, sealed as its head is:
-- who can write to the database alone can't prune unseen.
ALTER TABLE audit_heads ADD COLUMN pruned_sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_heads ADD COLUMN pruned_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_heads ADD COLUMN pruned_seal TEXT NOT NULL DEFAULT '';
