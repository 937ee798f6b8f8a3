package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// A list of instances can be filtered by any of ten things and sorted by any of
// seven. Where no index has both, one of two ways costs the same however much
// there is: to read the few rows that the rarest condition selects and sort
// them, or, as none is rare, to look along the order for what matches.

// lookedAt is how many rows are read for one page at most.
const lookedAt = 4000

func (s *Store) lookedAt() int { return cmp.Or(s.looks, lookedAt) }

// condition is one thing that a filter asks of an instance.
type condition struct {
	column string // that an index begins with; "version" for three of them
	term   string
	args   []any
	values int // it is one of so many; 0 for a range
}

// conditions are all that a filter asks.
func (f instanceFilter) conditions() []condition {
	var list []condition
	add := func(c condition) {
		if c.term != "" {
			list = append(list, c)
		}
	}
	add(oneOf("service_name", f.Services))
	add(oneOf("name", f.Names))
	add(oneOf("environment_name", f.Environments))
	add(oneOf("template_name", f.Templates))
	add(oneOf("status", f.Statuses))
	add(anyVersion(f.versions))
	add(between("created_at", f.CreatedAfter, f.CreatedBefore))
	add(between("last_attempted_at", f.AttemptedAfter, f.AttemptedBefore))
	return list
}

func oneOf[T ~string](column string, values []T) condition {
	if len(values) == 0 {
		return condition{}
	}
	args := make([]any, len(values))
	for n, v := range values {
		args[n] = v
	}
	return condition{column, column + " IN (?" + strings.Repeat(", ?", len(values)-1) + ")", args, len(values)}
}

func anyVersion(versions []templateVersion) condition {
	if len(versions) == 0 {
		return condition{}
	}
	terms := make([]string, len(versions))
	var args []any
	for n, v := range versions {
		terms[n] = "(template_name = ? AND major = ? AND minor = ?)"
		args = append(args, v.template, v.major, v.minor)
	}
	return condition{"version", "(" + strings.Join(terms, " OR ") + ")", args, len(versions)}
}

func between(column string, after, before time.Time) condition {
	c := condition{column: column}
	var terms []string
	if !after.IsZero() {
		terms, c.args = append(terms, column+" > ?"), append(c.args, micros(after))
	}
	if !before.IsZero() {
		terms, c.args = append(terms, column+" < ?"), append(c.args, micros(before))
	}
	c.term = strings.Join(terms, " AND ")
	return c
}

// leads reports whether an index gives what a condition selects in an order, by
// few enough selects.
func (c condition) leads(by InstanceOrder) bool {
	if c.values > maxAlternatives {
		return false
	}
	return c.column == string(by) || by == ByServiceName && c.values > 0 && c.column != "name"
}

// searched reads a list whose filter and order have no index in common.
func (l instanceList) searched(ctx context.Context, conditions []condition) ([]proton.ServiceInstance, *InstancePosition, error) {
	bound := l.tx.store.lookedAt()
	rarest, fewest := 0, bound+1
	along := -1 // the condition that narrows what is looked along, and its rows
	least := bound + 2
	for n, c := range conditions {
		count, err := l.count(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		if count < fewest {
			rarest, fewest = n, count
		}
		if c.leads(l.by) && c.values < 2 && count < least {
			along, least = n, count
		}
	}
	inner := l.scoped()
	if fewest <= bound {
		inner.meets(conditions[rarest])
		list, err := l.among(ctx, inner, " LIMIT ?", conditions)
		return list, nil, err
	}
	if along >= 0 {
		inner.meets(conditions[along])
	}
	l.behind(inner)
	list, err := l.among(ctx, inner, l.order(), conditions)
	if err != nil || len(list) == l.limit {
		return list, nil, err
	}
	rest, err := l.lookedTo(ctx, inner)
	return list, rest, err
}

// count is how many rows a condition selects, and no more than matter.
func (l instanceList) count(ctx context.Context, c condition) (n int, err error) {
	w := l.scoped()
	w.meets(c)
	err = l.tx.queryRow(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM service_instances "+w.clause()+" LIMIT ?) AS counted", append(w.args, l.tx.store.lookedAt()+1), []any{&n})
	if err != nil {
		return 0, fmt.Errorf("count service_instances: %w", err)
	}
	return n, nil
}

// among reads the list from the rows that a select reads in a given order. Its
// limit keeps engines from choosing another index for the whole.
func (l instanceList) among(ctx context.Context, inner *where, order string, conditions []condition) ([]proton.ServiceInstance, error) {
	w := &where{}
	for _, c := range conditions {
		w.meets(c)
	}
	l.behind(w)
	selected, _, _ := strings.Cut(serviceInstances.brief, " FROM ")
	query := selected + " FROM (" + serviceInstances.brief + " " + inner.clause() + order + ") AS looked_at " + w.clause() + l.order()
	return serviceInstances.rows(ctx, l.tx, query, slices.Concat(inner.args, []any{l.tx.store.lookedAt()}, w.args, []any{l.limit}))
}

// lookedTo is the place of the last row that was looked at, nil if that was the
// end of the list.
func (l instanceList) lookedTo(ctx context.Context, inner *where) (*InstancePosition, error) {
	l.limit = 1
	list, err := serviceInstances.rows(ctx, l.tx, serviceInstances.brief+" "+inner.clause()+l.order()+" OFFSET ?", append(slices.Clone(inner.args), 1, l.tx.store.lookedAt()-1))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	position := PositionOf(list[0], l.by)
	return &position, nil
}
