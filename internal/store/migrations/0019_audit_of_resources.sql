-- The pages of resources show what was last done to them.
CREATE INDEX audit_records_resource ON audit_records (account, resource_arn, sequence);
