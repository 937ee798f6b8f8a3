package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// InstanceOrder is a column that instances can be listed by.
type InstanceOrder string

const (
	ByServiceName     InstanceOrder = "service_name"
	ByName            InstanceOrder = "name"
	ByStatus          InstanceOrder = "status"
	ByTemplateName    InstanceOrder = "template_name"
	ByEnvironmentName InstanceOrder = "environment_name"
	ByLastAttempted   InstanceOrder = "last_attempted_at"
	ByCreated         InstanceOrder = "created_at"
)

// InstanceFilter selects instances. Of each non-empty list, one value must
// match; different fields must all match. Zero times do not restrict.
type InstanceFilter struct {
	Services, Names, Environments, Templates []string
	Statuses                                 []proton.DeploymentStatus
	Staleness                                []Staleness
	CreatedBefore, CreatedAfter              time.Time
	AttemptedBefore, AttemptedAfter          time.Time
}

// Staleness is how a deployed version stands to its template's recommended one.
type Staleness string

const (
	UpToDate    Staleness = "UP_TO_DATE"
	BehindMinor Staleness = "BEHIND_MINOR"
	BehindMajor Staleness = "BEHIND_MAJOR"
)

// InstancePosition is where a page of instances ended: the value of the column
// that orders them, unless that is a name, and the names that break ties.
type InstancePosition struct {
	Text    string
	Instant int64 // microseconds, of the columns that hold instants
	Service string
	Name    string
}

// bounds are the columns that an order compares, each once so that an index
// can serve it, and a position's values of them.
func (o InstanceOrder) bounds(p InstancePosition) (columns []string, values []any) {
	switch o {
	case ByServiceName:
		return []string{"service_name", "name"}, []any{p.Service, p.Name}
	case ByName:
		return []string{"name", "service_name"}, []any{p.Name, p.Service}
	case ByLastAttempted, ByCreated:
		return []string{string(o), "service_name", "name"}, []any{p.Instant, p.Service, p.Name}
	}
	return []string{string(o), "service_name", "name"}, []any{p.Text, p.Service, p.Name}
}

// ServiceInstances lists instances in an order, from behind a position (nil:
// from the start), without their specs.
func (tx *Tx) ServiceInstances(ctx context.Context, s proton.Scope, f InstanceFilter, by InstanceOrder, descending bool, after *InstancePosition, limit int) ([]proton.ServiceInstance, error) {
	alternatives, err := tx.alternatives(ctx, s, f)
	if err != nil {
		return nil, err
	}
	w := &union{}
	for _, f := range alternatives {
		w.instances(s, f, by, descending, after)
	}
	if len(w.selects) == 0 {
		return []proton.ServiceInstance{}, nil
	}
	direction := " ASC"
	if descending {
		direction = " DESC"
	}
	columns, _ := by.bounds(InstancePosition{})
	order := " ORDER BY " + strings.Join(columns, direction+", ") + direction + " LIMIT ?"
	return serviceInstances.rows(ctx, tx, strings.Join(w.selects, " UNION ALL ")+order, append(w.args, limit))
}

// union gathers the selects of one list. Engines merge them row by row, each
// read from its index in the list's order, so that a page costs the same
// whatever the filter leaves out.
type union struct {
	selects []string
	args    []any
}

// maxAlternatives bounds the selects of one list.
const maxAlternatives = 100

// alternatives are filters that together select what f does, and nothing
// twice, each by one value that an index leads to: one select with several
// would read all that matches, or all there is, and sort it.
func (tx *Tx) alternatives(ctx context.Context, s proton.Scope, f InstanceFilter) ([]instanceFilter, error) {
	one := instanceFilter{InstanceFilter: f}
	if len(f.Staleness) > 0 {
		versions, err := tx.staleVersions(ctx, s, f)
		if err != nil || len(versions) > maxAlternatives {
			one.versions = versions
			return []instanceFilter{one}, err
		}
		var list []instanceFilter
		for _, v := range versions {
			one.versions = []templateVersion{v}
			list = append(list, one)
		}
		return list, nil
	}
	for _, values := range []*[]string{&one.Services, &one.Environments, &one.Names, &one.Templates} {
		if n := len(*values); n < 2 || n > maxAlternatives {
			continue
		}
		var list []instanceFilter
		for _, value := range distinct(*values) {
			*values = []string{value}
			list = append(list, one)
		}
		return list, nil
	}
	if len(f.Statuses) < 2 {
		return []instanceFilter{one}, nil
	}
	var list []instanceFilter
	for _, status := range distinct(f.Statuses) {
		one.Statuses = []proton.DeploymentStatus{status}
		list = append(list, one)
	}
	return list, nil
}

func distinct[T cmp.Ordered](values []T) []T {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}

// instanceFilter is an InstanceFilter whose staleness is worked out.
type instanceFilter struct {
	InstanceFilter
	versions []templateVersion
}

type templateVersion struct {
	template     string
	major, minor int64
}

// stale is how each staleness reads over a group x of table tallies and its
// template t.
var stale = map[Staleness]string{
	BehindMajor: "t.recommended_major > x.major",
	BehindMinor: "(t.recommended_major = x.major AND t.recommended_minor > x.minor)",
	UpToDate:    "(t.recommended_major < x.major OR (t.recommended_major = x.major AND t.recommended_minor <= x.minor))",
}

// staleVersions are the versions of templates that instances run and that stand
// to their template's recommended version as a filter wants it.
func (tx *Tx) staleVersions(ctx context.Context, s proton.Scope, f InstanceFilter) ([]templateVersion, error) {
	terms := make([]string, len(f.Staleness))
	for n, value := range f.Staleness {
		terms[n] = stale[value]
	}
	w := &where{}
	w.and("x.account = ?", s.Account)
	w.and("x.region = ?", s.Region)
	w.and("x.kind = ?", serviceInstances.name)
	w.and("x.major > 0")
	in(w, "x.template_name", f.Templates)
	w.and("(" + strings.Join(terms, " OR ") + ")")
	rows, err := tx.query(ctx, `SELECT DISTINCT x.template_name, x.major, x.minor FROM tallies x
		JOIN templates t ON t.account = x.account AND t.region = x.region AND t.kind = 'SERVICE' AND t.name = x.template_name `+w.clause(), w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []templateVersion
	for rows.Next() {
		var v templateVersion
		if err := rows.Scan(&v.template, &v.major, &v.minor); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// instances adds one select to a list.
func (u *union) instances(s proton.Scope, f instanceFilter, by InstanceOrder, descending bool, after *InstancePosition) {
	w := &where{}
	w.and("account = ?", s.Account)
	w.and("region = ?", s.Region)
	in(w, "service_name", f.Services)
	in(w, "name", f.Names)
	in(w, "environment_name", f.Environments)
	in(w, "template_name", f.Templates)
	in(w, "status", f.Statuses)
	if len(f.versions) > 0 {
		var terms []string
		var args []any
		for _, v := range f.versions {
			terms = append(terms, "(template_name = ? AND major = ? AND minor = ?)")
			args = append(args, v.template, v.major, v.minor)
		}
		w.and("("+strings.Join(terms, " OR ")+")", args...)
	}
	between(w, "created_at", f.CreatedAfter, f.CreatedBefore)
	between(w, "last_attempted_at", f.AttemptedAfter, f.AttemptedBefore)
	if after != nil {
		columns, values := by.bounds(*after)
		compare := map[bool]string{false: " > ", true: " < "}[descending]
		w.and("("+strings.Join(columns, ", ")+")"+compare+"(?"+strings.Repeat(", ?", len(values)-1)+")", values...)
	}
	u.selects, u.args = append(u.selects, serviceInstances.brief+" "+w.clause()), append(u.args, w.args...)
}

// where gathers the conditions of a query.
type where struct {
	terms []string
	args  []any
}

func (w *where) and(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) clause() string { return "WHERE " + strings.Join(w.terms, " AND ") }

func in[T any](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for n, v := range values {
		args[n] = v
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

func between(w *where, column string, after, before time.Time) {
	if !after.IsZero() {
		w.and(column+" > ?", micros(after))
	}
	if !before.IsZero() {
		w.and(column+" < ?", micros(before))
	}
}

// PositionOf is where a page that is ordered by a column ends with instance i.
func PositionOf(i proton.ServiceInstance, by InstanceOrder) InstancePosition {
	position := InstancePosition{Service: i.ServiceName, Name: i.Name}
	switch by {
	case ByStatus:
		position.Text = string(i.Status)
	case ByTemplateName:
		position.Text = i.TemplateName
	case ByEnvironmentName:
		position.Text = i.EnvironmentName
	case ByLastAttempted:
		position.Instant = micros(i.LastAttemptedAt)
	case ByCreated:
		position.Instant = micros(i.CreatedAt)
	}
	return position
}
