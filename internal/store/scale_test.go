package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/storetest"
)

// BenchmarkScale runs what must cost the same however much there is, over a
// small and a large stock: pages of every list, the summary, and counts.
func BenchmarkScale(b *testing.B) {
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	for _, rows := range []int{1_000, 100_000} {
		s, err := store.Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "hadron.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		stock := storetest.Stock{Templates: 10, Environments: rows / 10, Services: rows / 10, Instances: 10, Components: rows / 10, Deployments: 1}
		if err := storetest.Fill(b.Context(), s, scope, stock); err != nil {
			b.Fatal(err)
		}
		for _, call := range scaleCalls(scope, rows) {
			b.Run(fmt.Sprintf("%s/rows=%d", call.name, rows), func(b *testing.B) {
				for b.Loop() {
					if err := s.View(b.Context(), func(tx *store.Tx) error { return call.run(b.Context(), tx) }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type scaleCall struct {
	name string
	run  func(context.Context, *store.Tx) error
}

func scaleCalls(s proton.Scope, rows int) []scaleCall {
	last := fmt.Sprintf("%06d", rows/10-101)
	lists := func(name string, by store.InstanceOrder, f store.InstanceFilter, after *store.InstancePosition) scaleCall {
		return scaleCall{"instances " + name, func(c context.Context, tx *store.Tx) error {
			_, _, err := tx.ServiceInstances(c, s, f, by, false, after, 101)
			return err
		}}
	}
	end := &store.InstancePosition{Service: "service-" + fmt.Sprintf("%06d", rows/10-12)}
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
		{"counts for quotas", func(c context.Context, tx *store.Tx) error { _, err := tx.CountServices(c, s); return err }},
	}
}
