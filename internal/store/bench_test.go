package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
)

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "hadron.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

var benchScope = proton.Scope{Account: "123456789012", Region: "eu-west-1"}

// benchPlan is a service with one instance and perhaps a pipeline.
func benchPlan(b *testing.B, n int, pipeline bool) proton.ServicePlan {
	b.Helper()
	spec := "proton: ServiceSpec\n\ninstances:\n  - name: prod\n    environment: prod\n    spec:\n      desired_count: 2\n"
	version := proton.TemplateVersion{
		Scope: benchScope, Kind: proton.ServiceTemplate, TemplateName: "web", Version: proton.Version{Major: 1},
		Compatible: []proton.CompatibleTemplate{{Name: "vpc", Major: 1}},
	}
	environment := proton.Environment{Scope: benchScope, Name: "prod", TemplateName: "vpc"}
	environment.LastSucceededDeploymentID, environment.Version = "e", proton.Version{Major: 1}
	ids := 0
	plan, err := proton.PlanService(proton.ServiceRequest{
		Service:   proton.Service{Scope: benchScope, Name: fmt.Sprintf("shop-%d", n), TemplateName: "web", Spec: spec, HasPipeline: pipeline},
		Version:   version,
		Instances: []proton.WantedInstance{{Name: "prod", EnvironmentName: "prod"}},
	}, map[string]proton.Environment{"prod": environment}, func() string { ids++; return fmt.Sprintf("%d-%d", n, ids) }, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return plan
}

func insertPlan(b *testing.B, s *Store, plan proton.ServicePlan) {
	b.Helper()
	if err := s.Update(b.Context(), func(tx *Tx) error { return tx.InsertService(b.Context(), plan) }); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPointRead reads a service and its pipeline in one View.
func BenchmarkPointRead(b *testing.B) {
	s := openBench(b)
	for n := range 100 {
		insertPlan(b, s, benchPlan(b, n, true))
	}
	n := 0
	for b.Loop() {
		n = (n + 1) % 100
		err := s.View(b.Context(), func(tx *Tx) error {
			name := fmt.Sprintf("shop-%d", n)
			if _, err := tx.Service(b.Context(), benchScope, name); err != nil {
				return err
			}
			_, err := tx.Pipeline(b.Context(), benchScope, name)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInsertService durably writes a service with one instance, its
// deployment and its job.
func BenchmarkInsertService(b *testing.B) {
	s := openBench(b)
	n := 0
	for b.Loop() {
		n++
		insertPlan(b, s, benchPlan(b, n, false))
	}
}

// BenchmarkClaimAndFinish claims a deployment, and records its end, the
// instance's and the service's, as two transactions.
func BenchmarkClaimAndFinish(b *testing.B) {
	s := openBench(b)
	ids := make([]string, b.N)
	for n := range b.N {
		plan := benchPlan(b, n, false)
		ids[n] = plan.Deployments[0].ID
		insertPlan(b, s, plan)
	}
	b.ResetTimer()
	for _, id := range ids {
		if err := claimAndFinish(b.Context(), s, id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeployments works off queued deployments with a driver that does
// nothing: claimed, ended and their jobs completed by a worker.
func BenchmarkDeployments(b *testing.B) {
	s := openBench(b)
	for n := range b.N {
		insertPlan(b, s, benchPlan(b, n, false))
	}
	var done atomic.Int64
	worker, err := s.NewWorker(jobs.Config{Logger: slog.New(slog.DiscardHandler)}, map[jobs.Kind]jobs.Handler{
		jobs.Deploy: func(ctx context.Context, j jobs.Job) (jobs.Next, error) {
			err := claimAndFinish(ctx, s, j.Key)
			done.Add(1)
			return jobs.Done(), err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := worker.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for done.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deployments/s")
	if err := worker.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func claimAndFinish(ctx context.Context, s *Store, id string) error {
	now := time.Now()
	var d proton.Deployment
	err := s.Update(ctx, func(tx *Tx) (err error) {
		d, _, err = tx.ClaimDeployment(ctx, id, 0, "bench", time.Minute)
		return err
	})
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		held, err := tx.HeldDeployment(ctx, id, d.Attempt)
		if err != nil {
			return err
		}
		if held, err = held.End(proton.Outcome{}, now); err != nil {
			return err
		}
		if err := tx.SaveHeldDeployment(ctx, held); err != nil {
			return err
		}
		i, err := tx.ServiceInstance(ctx, held.Scope, held.ServiceName, held.InstanceName)
		if err != nil {
			return err
		}
		i.Deployable = i.Finish(held)
		if err := tx.SaveServiceInstance(ctx, i); err != nil {
			return err
		}
		service, err := tx.Service(ctx, held.Scope, held.ServiceName)
		if err != nil {
			return err
		}
		service.Status = proton.ServiceActive
		return tx.SaveService(ctx, service)
	})
}
