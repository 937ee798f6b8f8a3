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
// from the start), without their specs. It looks at a bounded number of rows:
// where what was asked for lies too thinly in the list it answers fewer than
// limit, and the position to go on from; nil at the end of the list.
func (tx *Tx) ServiceInstances(ctx context.Context, s proton.Scope, f InstanceFilter, by InstanceOrder, descending bool, after *InstancePosition, limit int) (list []proton.ServiceInstance, rest *InstancePosition, err error) {
	one := instanceFilter{InstanceFilter: f}
	if len(f.Staleness) > 0 {
		if one.versions, err = tx.staleVersions(ctx, s, f); err != nil || len(one.versions) == 0 {
			return []proton.ServiceInstance{}, nil, err
		}
		one.Templates = nil // the versions are theirs
	}
	l := instanceList{tx, s, by, descending, after, limit}
	conditions := one.conditions()
	if len(conditions) == 0 || len(conditions) == 1 && conditions[0].leads(by) {
		list, err = l.merged(ctx, one)
		return list, nil, err
	}
	return l.searched(ctx, conditions)
}

// instanceList is what a list of instances is asked for, without its filter.
type instanceList struct {
	tx         *Tx
	scope      proton.Scope
	by         InstanceOrder
	descending bool
	after      *InstancePosition
	limit      int
}

// order is how the rows are sorted.
func (l instanceList) order() string {
	direction := " ASC"
	if l.descending {
		direction = " DESC"
	}
	columns, _ := l.by.bounds(InstancePosition{})
	return " ORDER BY " + strings.Join(columns, direction+", ") + direction + " LIMIT ?"
}

// scoped begins the conditions of a select.
func (l instanceList) scoped() *where {
	w := &where{}
	w.and("account = ?", l.scope.Account)
	w.and("region = ?", l.scope.Region)
	return w
}

// behind leaves out what stands before the position.
func (l instanceList) behind(w *where) {
	if l.after == nil {
		return
	}
	columns, values := l.by.bounds(*l.after)
	compare := map[bool]string{false: " > ", true: " < "}[l.descending]
	w.and("("+strings.Join(columns, ", ")+")"+compare+"(?"+strings.Repeat(", ?", len(values)-1)+")", values...)
}

// merged reads a list whose filter an index gives in the list's order.
func (l instanceList) merged(ctx context.Context, f instanceFilter) ([]proton.ServiceInstance, error) {
	u := &union{}
	alternatives := f.alternatives()
	for _, f := range alternatives {
		w := l.scoped()
		for _, c := range f.conditions() {
			w.meets(c)
		}
		l.behind(w)
		query, args := serviceInstances.brief+" "+w.clause(), w.args
		if n := len(alternatives); !l.tx.store.dialect.merges && n > 1 {
			query, args = "SELECT * FROM ("+query+l.order()+") AS one_of", append(args, l.limit)
		}
		u.selects, u.args = append(u.selects, query), append(u.args, args...)
	}
	return serviceInstances.rows(ctx, l.tx, strings.Join(u.selects, " UNION ALL ")+l.order(), append(u.args, l.limit))
}

// union gathers the selects of one list. Engines merge them row by row, each
// read from its index in the list's order, so that a page costs the same
// whatever the filter leaves out.
type union struct {
	selects []string
	args    []any
}

// maxAlternatives bounds the selects of one list. Where the engine may read each
// of them to its end, they are told to stop when there is enough of each.
const maxAlternatives = 100

// alternatives are filters that together select what f does, and nothing
// twice, each by one value that an index leads to: one select with several
// would read all that matches, or all there is, and sort it.
func (f instanceFilter) alternatives() []instanceFilter {
	var list []instanceFilter
	if len(f.versions) > 0 && len(f.versions) <= maxAlternatives {
		for _, v := range f.versions {
			one := f
			one.versions = []templateVersion{v}
			list = append(list, one)
		}
		return list
	}
	one := f
	for _, values := range []*[]string{&one.Services, &one.Environments, &one.Names, &one.Templates} {
		if n := len(*values); n < 2 || n > maxAlternatives {
			continue
		}
		for _, value := range distinct(*values) {
			*values = []string{value}
			list = append(list, one)
		}
		return list
	}
	if len(f.Statuses) < 2 {
		return []instanceFilter{f}
	}
	for _, status := range distinct(f.Statuses) {
		one.Statuses = []proton.DeploymentStatus{status}
		list = append(list, one)
	}
	return list
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
	w.meets(oneOf("x.template_name", f.Templates))
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

// where gathers the conditions of a query.
type where struct {
	terms []string
	args  []any
}

func (w *where) and(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

// equal adds a condition for each column that has a value. The first that has one
// is what an index leads to; of the others engines are not told that there are
// indexes, which could lead to more rows.
func (w *where) equal(columns ...[2]string) {
	led := false
	for _, c := range columns {
		switch {
		case c[1] == "":
		case led:
			w.and("("+c[0]+" || '') = ?", c[1])
		default:
			led = true
			w.and(c[0]+" = ?", c[1])
		}
	}
}

// meets adds a condition, if it asks for anything.
func (w *where) meets(c condition) {
	if c.term != "" {
		w.and(c.term, c.args...)
	}
}

func (w *where) clause() string { return "WHERE " + strings.Join(w.terms, " AND ") }

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
