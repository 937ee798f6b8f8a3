package store_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
	"github.com/hadronhq/hadron/internal/store/storetest"
)

// scaleSizes are how many instances there are.
var scaleSizes = []int{2_000, 20_000, 200_000}

// filled is a store with so many instances, and a tenth as many of all else; on
// PostgreSQL if HADRON_TEST_DATABASE says so.
func filled(b *testing.B, scope proton.Scope, rows int) *store.Store {
	b.Helper()
	database := "sqlite:" + filepath.Join(b.TempDir(), "hadron.db")
	if os.Getenv("HADRON_TEST_DATABASE") == "postgres" {
		database = postgrestest.URL(b)
	}
	s, err := store.Open(b.Context(), database, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	stock := storetest.Stock{Templates: 10, Environments: rows / 20, Services: rows / 20, Instances: 20, Components: rows / 20, Deployments: 1}
	if err := storetest.Fill(b.Context(), s, scope, stock); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkScale runs what must cost the same however much there is, over three
// stocks: pages of every list, single records, the summary, and counts.
func BenchmarkScale(b *testing.B) {
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	for _, rows := range scaleSizes {
		s := filled(b, scope, rows)
		for _, call := range scaleCalls(scope, rows) {
			b.Run(fmt.Sprintf("%s/rows=%d", call.name, rows), func(b *testing.B) {
				for b.Loop() {
					if err := s.View(b.Context(), func(tx *store.Tx) error { return call.run(b.Context(), tx) }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFilters reads the first page of instances with every filter in every
// order, over the largest stock, and names the slowest: the best of three reads.
func BenchmarkFilters(b *testing.B) {
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	s := filled(b, scope, scaleSizes[len(scaleSizes)-1])
	type seen struct {
		name string
		took time.Duration
	}
	var all []seen
	for b.Loop() {
		all = nil
		for _, f := range scaleFilters() {
			for _, by := range []store.InstanceOrder{store.ByServiceName, store.ByName, store.ByStatus, store.ByTemplateName, store.ByEnvironmentName, store.ByLastAttempted, store.ByCreated} {
				for _, descending := range []bool{false, true} {
					best := time.Hour
					for range 3 {
						began := time.Now()
						if err := s.View(b.Context(), func(tx *store.Tx) error {
							_, _, err := tx.ServiceInstances(b.Context(), scope, f.filter, by, descending, nil, 101)
							return err
						}); err != nil {
							b.Fatal(err)
						}
						best = min(best, time.Since(began))
					}
					all = append(all, seen{fmt.Sprintf("%s by %s, descending %t", f.name, by, descending), best})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y seen) int { return cmp.Compare(y.took, x.took) })
	for _, slow := range all[:12] {
		b.Logf("%8.1f ms  %s", float64(slow.took.Microseconds())/1000, slow.name)
	}
	b.ReportMetric(float64(all[0].took.Microseconds())/1000, "slowest-ms")
	b.ReportMetric(float64(all[len(all)/2].took.Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(len(all)), "lists")
}

type scaleFilter struct {
	name   string
	filter store.InstanceFilter
}

// scaleFilters are each thing that can be asked for, rare and frequent, and
// pairs of them.
func scaleFilters() []scaleFilter {
	failed, good := []proton.DeploymentStatus{proton.Failed}, []proton.DeploymentStatus{proton.Succeeded}
	early, lately := time.Unix(1, 0), time.Unix(1_790_000_000+9_000, 0)
	behind := []store.Staleness{store.BehindMajor}
	one := []scaleFilter{
		{"all", store.InstanceFilter{}},
		{"a service", store.InstanceFilter{Services: []string{"service-000042"}}},
		{"two services", store.InstanceFilter{Services: []string{"service-000042", "service-000043"}}},
		{"a name", store.InstanceFilter{Names: []string{"i003"}}},
		{"two names", store.InstanceFilter{Names: []string{"i003", "i004"}}},
		{"an environment", store.InstanceFilter{Environments: []string{"environment-00042"}}},
		{"two environments", store.InstanceFilter{Environments: []string{"environment-00042", "environment-00043"}}},
		{"a template", store.InstanceFilter{Templates: []string{"template-0001"}}},
		{"two templates", store.InstanceFilter{Templates: []string{"template-0001", "template-0002"}}},
		{"failed", store.InstanceFilter{Statuses: failed}},
		{"succeeded", store.InstanceFilter{Statuses: good}},
		{"both statuses", store.InstanceFilter{Statuses: append(good, failed...)}},
		{"behind", store.InstanceFilter{Staleness: behind}},
		{"behind or up to date", store.InstanceFilter{Staleness: []store.Staleness{store.BehindMajor, store.BehindMinor, store.UpToDate}}},
		{"since ever", store.InstanceFilter{CreatedAfter: early}},
		{"lately", store.InstanceFilter{CreatedAfter: lately}},
		{"never", store.InstanceFilter{CreatedBefore: early}},
		{"attempted lately", store.InstanceFilter{AttemptedAfter: lately}},
	}
	join := func(a, b scaleFilter, set func(*store.InstanceFilter)) scaleFilter {
		f := a.filter
		set(&f)
		return scaleFilter{a.name + " and " + b.name, f}
	}
	pairs := []scaleFilter{}
	for _, a := range []int{3, 5, 7, 9, 10, 12, 14, 15} {
		pairs = append(pairs,
			join(one[a], one[9], func(f *store.InstanceFilter) { f.Statuses = failed }),
			join(one[a], one[7], func(f *store.InstanceFilter) { f.Templates = []string{"template-0001"} }),
			join(one[a], one[12], func(f *store.InstanceFilter) { f.Staleness = behind }))
	}
	return append(one, pairs...)
}

type scaleCall struct {
	name string
	run  func(context.Context, *store.Tx) error
}

func scaleCalls(s proton.Scope, rows int) []scaleCall {
	last := fmt.Sprintf("%06d", max(0, rows/20-101))
	lists := func(name string, by store.InstanceOrder, f store.InstanceFilter, after *store.InstancePosition) scaleCall {
		return scaleCall{"instances " + name, func(c context.Context, tx *store.Tx) error {
			_, _, err := tx.ServiceInstances(c, s, f, by, false, after, 101)
			return err
		}}
	}
	end := &store.InstancePosition{Service: "service-" + fmt.Sprintf("%06d", rows/20-7)}
	return []scaleCall{
		{"environments first", func(c context.Context, tx *store.Tx) error { _, err := tx.Environments(c, s, nil, "", 101); return err }},
		{"environments last", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Environments(c, s, nil, "environment-"+last[1:], 101)
			return err
		}},
		{"environments of two templates", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Environments(c, s, []store.TemplateMajor{{Name: "template-0001", Major: 2}, {Name: "template-0002", Major: 1}}, "", 101)
			return err
		}},
		{"services last", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Services(c, s, "service-"+last, 101)
			return err
		}},
		{"components last", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Components(c, s, store.ComponentFilter{}, "component-"+last, 101)
			return err
		}},
		lists("first", store.ByServiceName, store.InstanceFilter{}, nil),
		lists("last", store.ByServiceName, store.InstanceFilter{}, end),
		lists("by creation", store.ByCreated, store.InstanceFilter{}, nil),
		lists("failed", store.ByServiceName, store.InstanceFilter{Statuses: []proton.DeploymentStatus{proton.Failed}}, nil),
		lists("behind", store.ByServiceName, store.InstanceFilter{Staleness: []store.Staleness{store.BehindMajor}}, nil),
		lists("behind and more", store.ByServiceName, store.InstanceFilter{Staleness: []store.Staleness{store.BehindMajor, store.BehindMinor}}, end),
		lists("failed, by creation", store.ByCreated, store.InstanceFilter{Statuses: []proton.DeploymentStatus{proton.Failed}}, nil),
		lists("failed of a template, by name", store.ByName, store.InstanceFilter{Templates: []string{"template-0001"}, Statuses: []proton.DeploymentStatus{proton.Failed}}, nil),
		lists("behind, by status", store.ByStatus, store.InstanceFilter{Staleness: []store.Staleness{store.BehindMajor}}, nil),
		lists("since a time, by name", store.ByName, store.InstanceFilter{CreatedAfter: time.Unix(1, 0)}, nil),
		lists("between times that exclude each other", store.ByName, store.InstanceFilter{CreatedAfter: time.Unix(1, 0), AttemptedBefore: time.Unix(2, 0)}, nil),
		lists("of one environment, by creation", store.ByCreated, store.InstanceFilter{Environments: []string{"environment-00042"}}, nil),
		lists("of one environment", store.ByServiceName, store.InstanceFilter{Environments: []string{"environment-00042"}}, nil),
		{"deployments first", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Deployments(c, s, store.DeploymentFilter{}, nil, 101)
			return err
		}},
		{"deployments of a service", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Deployments(c, s, store.DeploymentFilter{Service: "service-000042"}, nil, 101)
			return err
		}},
		{"summary", func(c context.Context, tx *store.Tx) error {
			for _, count := range []func(context.Context, proton.Scope) (store.Counts, error){tx.EnvironmentCounts, tx.ServiceCounts, tx.InstanceCounts, tx.PipelineCounts, tx.ComponentCounts} {
				if _, err := count(c, s); err != nil {
					return err
				}
			}
			return nil
		}},
		{"one instance", func(c context.Context, tx *store.Tx) error {
			_, err := tx.ServiceInstance(c, s, "service-000042", "i003")
			return err
		}},
		{"one service", func(c context.Context, tx *store.Tx) error { _, err := tx.Service(c, s, "service-000042"); return err }},
		{"one environment", func(c context.Context, tx *store.Tx) error {
			_, err := tx.Environment(c, s, "environment-00042")
			return err
		}},
		{"counts for quotas", func(c context.Context, tx *store.Tx) error { _, err := tx.CountServices(c, s); return err }},
	}
}
