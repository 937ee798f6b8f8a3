-- How many resources of a kind there are, by what the resources summary tells
-- apart, so that neither it nor quotas count rows. A count is the sum of n over
-- the slots: writers that meet each add their own.
CREATE TABLE tallies (
    account       TEXT   NOT NULL,
    region        TEXT   NOT NULL,
    kind          TEXT   NOT NULL, -- the table; templates are told apart by template_name
    template_name TEXT   NOT NULL,
    major         BIGINT NOT NULL, -- deployed version, of services the lowest of their parts; 0 for none
    minor         BIGINT NOT NULL,
    failed        BIGINT NOT NULL,
    slot          BIGINT NOT NULL,
    n             BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, template_name, major, minor, failed, slot)
);

-- The lowest version that an instance or the pipeline of the service runs.
ALTER TABLE services ADD COLUMN lowest_major BIGINT NOT NULL DEFAULT 0;
ALTER TABLE services ADD COLUMN lowest_minor BIGINT NOT NULL DEFAULT 0;
UPDATE services SET lowest_major = COALESCE((SELECT MIN(p.major) FROM (
        SELECT account, region, service_name, major FROM service_instances WHERE major > 0
        UNION ALL SELECT account, region, service_name, major FROM pipelines WHERE major > 0) AS p
    WHERE p.account = services.account AND p.region = services.region AND p.service_name = services.name), 0);
UPDATE services SET lowest_minor = COALESCE((SELECT MIN(p.minor) FROM (
        SELECT account, region, service_name, major, minor FROM service_instances
        UNION ALL SELECT account, region, service_name, major, minor FROM pipelines) AS p
    WHERE p.account = services.account AND p.region = services.region AND p.service_name = services.name
        AND p.major = services.lowest_major), 0) WHERE lowest_major > 0;

INSERT INTO tallies SELECT account, region, 'templates', kind, 0, 0, 0, 0, COUNT(*) FROM templates GROUP BY account, region, kind;
INSERT INTO tallies SELECT account, region, 'components', '', 0, 0,
    CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END, 0, COUNT(*) FROM components GROUP BY 1, 2, 7;
INSERT INTO tallies SELECT account, region, 'environments', template_name, major, minor,
    CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END, 0, COUNT(*) FROM environments GROUP BY 1, 2, 4, 5, 6, 7;
INSERT INTO tallies SELECT account, region, 'service_instances', template_name, major, minor,
    CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END, 0, COUNT(*) FROM service_instances GROUP BY 1, 2, 4, 5, 6, 7;
INSERT INTO tallies SELECT account, region, 'pipelines', template_name, major, minor,
    CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END, 0, COUNT(*) FROM pipelines GROUP BY 1, 2, 4, 5, 6, 7;
INSERT INTO tallies SELECT account, region, 'services', template_name, lowest_major, lowest_minor,
    CASE WHEN status LIKE '%FAILED%' AND status NOT LIKE '%IN_PROGRESS' THEN 1 ELSE 0 END, 0, COUNT(*) FROM services GROUP BY 1, 2, 4, 5, 6, 7;

CREATE INDEX service_instances_version ON service_instances (account, region, template_name, major, minor, service_name, name);
CREATE INDEX deployments_instance ON deployments (account, region, service_name, instance_name, created_at, id);
