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

// A service has no version of its own: it is as stale as the worst of its
// instances and its pipeline, which is the lowest version, as all are of one
// template.
const summary = `SELECT COALESCE(SUM(n), 0), COALESCE(SUM(failed * n), 0),
	COALESCE(SUM(CASE WHEN level = 1 THEN n ELSE 0 END), 0),
	COALESCE(SUM(CASE WHEN level = 2 THEN n ELSE 0 END), 0),
	COALESCE(SUM(CASE WHEN level = 3 THEN n ELSE 0 END), 0)
	FROM (SELECT x.n, x.failed, CASE WHEN x.major = 0 THEN 0
			WHEN t.recommended_major > x.major THEN 3
			WHEN t.recommended_major = x.major AND t.recommended_minor > x.minor THEN 2
			ELSE 1 END AS level
		FROM tallies x LEFT JOIN templates t ON t.account = x.account AND t.region = x.region AND t.kind = '%s' AND t.name = x.template_name
		WHERE x.account = ? AND x.region = ? AND x.kind = ?) AS groups_`

func (tx *Tx) summary(ctx context.Context, s proton.Scope, kind string, of proton.TemplateKind) (Counts, error) {
	var c Counts
	err := tx.queryRow(ctx, fmt.Sprintf(summary, of), []any{s.Account, s.Region, kind},
		[]any{&c.Total, &c.Failed, &c.UpToDate, &c.BehindMinor, &c.BehindMajor})
	return c, err
}

// CountTemplatesOf counts the templates of a kind.
func (tx *Tx) CountTemplatesOf(ctx context.Context, s proton.Scope, kind proton.TemplateKind) (Counts, error) {
	var c Counts
	err := tx.queryRow(ctx, "SELECT COALESCE(SUM(n), 0) FROM tallies WHERE account = ? AND region = ? AND kind = ? AND template_name = ?",
		[]any{s.Account, s.Region, templates.name, kind}, []any{&c.Total})
	return c, err
}

// EnvironmentCounts tallies environments.
func (tx *Tx) EnvironmentCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.summary(ctx, s, environments.name, proton.EnvironmentTemplate)
}

// InstanceCounts tallies service instances.
func (tx *Tx) InstanceCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.summary(ctx, s, serviceInstances.name, proton.ServiceTemplate)
}

// PipelineCounts tallies pipelines.
func (tx *Tx) PipelineCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.summary(ctx, s, pipelines.name, proton.ServiceTemplate)
}

// ComponentCounts tallies components, which have no versions.
func (tx *Tx) ComponentCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.summary(ctx, s, components.name, proton.ServiceTemplate)
}

// ServiceCounts tallies services.
func (tx *Tx) ServiceCounts(ctx context.Context, s proton.Scope) (Counts, error) {
	return tx.summary(ctx, s, services.name, proton.ServiceTemplate)
}
