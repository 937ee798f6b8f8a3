package store

import (
	"context"
	"fmt"

	"github.com/hadronhq/hadron/internal/proton"
)

// Counts says how many resources of a type there are, how many of them have
// failed, and how their versions stand to their templates' recommended ones.
type Counts struct {
	Total, Failed, UpToDate, BehindMinor, BehindMajor int64
}

// staleness levels of a deployed thing x against its template t: 0 for nothing
// deployed, 1 up to date, 2 behind in the minor, 3 behind in the major version.
const stalenessLevel = `CASE WHEN x.major = 0 THEN 0
	WHEN t.recommended_major > x.major THEN 3
	WHEN t.recommended_major = x.major AND t.recommended_minor > x.minor THEN 2
	ELSE 1 END`

const ofTemplate = ` x LEFT JOIN templates t ON t.account = x.account AND t.region = x.region AND t.kind = '%s' AND t.name = x.template_name
	WHERE x.account = ? AND x.region = ?`

// tally turns rows of (failed, level) into Counts.
const tally = `SELECT COUNT(*), COALESCE(SUM(failed), 0), COALESCE(SUM(CASE WHEN level = 1 THEN 1 ELSE 0 END), 0),
	COALESCE(SUM(CASE WHEN level = 2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN level = 3 THEN 1 ELSE 0 END), 0) FROM (%s) AS rows_`

const deployedRows = `SELECT CASE WHEN x.status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END AS failed, ` + stalenessLevel + ` AS level FROM %s` + ofTemplate

// A service has no version of its own: it is as stale as the worst of its
// instances and its pipeline.
const serviceRows = `SELECT CASE WHEN s.status LIKE '%%FAILED%%' THEN 1 ELSE 0 END AS failed, COALESCE(MAX(parts.level), 0) AS level
	FROM services s LEFT JOIN (
		SELECT x.service_name, ` + stalenessLevel + ` AS level FROM service_instances` + ofTemplate + `
		UNION ALL SELECT x.service_name, ` + stalenessLevel + ` AS level FROM pipelines` + ofTemplate + `
	) AS parts ON parts.service_name = s.name
	WHERE s.account = ? AND s.region = ? GROUP BY s.name, s.status`

// CountTemplatesOf counts the templates of a kind.
func (tx *Tx) CountTemplatesOf(ctx context.Context, s proton.Scope, kind proton.TemplateKind) (Counts, error) {
	n, err := tx.count(ctx, "templates WHERE account = ? AND region = ? AND kind = ?", s.Account, s.Region, kind)
	return Counts{Total: int64(n)}, err
}

// EnvironmentCounts tallies environments.
func (tx *Tx) EnvironmentCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.tally(ctx, fmt.Sprintf(deployedRows, "environments", proton.EnvironmentTemplate), s.Account, s.Region)
}

// InstanceCounts tallies service instances.
func (tx *Tx) InstanceCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.tally(ctx, fmt.Sprintf(deployedRows, "service_instances", proton.ServiceTemplate), s.Account, s.Region)
}

// PipelineCounts tallies pipelines.
func (tx *Tx) PipelineCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.tally(ctx, fmt.Sprintf(deployedRows, "pipelines", proton.ServiceTemplate), s.Account, s.Region)
}

// ComponentCounts tallies components, which have no versions.
func (tx *Tx) ComponentCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	const rows = "SELECT CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END AS failed, 0 AS level FROM components WHERE account = ? AND region = ?"
	return tx.tally(ctx, rows, s.Account, s.Region)
}

// ServiceCounts tallies services.
func (tx *Tx) ServiceCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	rows := fmt.Sprintf(serviceRows, proton.ServiceTemplate, proton.ServiceTemplate)
	return tx.tally(ctx, rows, s.Account, s.Region, s.Account, s.Region, s.Account, s.Region)
}

func (tx *Tx) tally(ctx context.Context, rows string, args ...any) (Counts, error) {
	var c Counts
	err := tx.queryRow(ctx, fmt.Sprintf(tally, rows), args, []any{&c.Total, &c.Failed, &c.UpToDate, &c.BehindMinor, &c.BehindMajor})
	return c, err
}
