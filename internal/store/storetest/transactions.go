package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func failedUpdatesLeaveNothing(t *testing.T, d db) {
	write := func(c context.Context, x *store.Tx, id string) error {
		return errors.Join(x.InsertEnvironment(c, proton.Environment{Scope: scope, Name: id}), x.InsertDeployments(c, running(id)))
	}
	refusal := errors.New("refused")
	err := d.tryUpdate(func(c context.Context, x *store.Tx) error { return errors.Join(write(c, x, "failed"), refusal) })
	if !errors.Is(err, refusal) {
		t.Errorf("got %v, want the function's error", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = d.tryUpdate(func(c context.Context, x *store.Tx) error {
			if err := write(c, x, "panicked"); err != nil {
				t.Error(err)
			}
			panic("a bug")
		})
	}()
	cancelled, cancel := context.WithCancel(t.Context())
	if err := d.Update(cancelled, func(x *store.Tx) error {
		defer cancel()
		return write(cancelled, x, "cancelled")
	}); err == nil {
		t.Error("an update whose context ended before the commit succeeded")
	}
	d.update(func(c context.Context, x *store.Tx) error { return write(c, x, "good") })
	d.same("jobs", []jobs.Job{deploy("good", 0)}, d.work())
	left := view(d, func(c context.Context, x *store.Tx) ([]proton.Environment, error) {
		return x.Environments(c, scope, nil, "", 10)
	})
	d.same("environments", []string{"good"}, names(left, func(e proton.Environment) string { return e.Name }))
}

func concurrentUpdatesLoseNothing(t *testing.T, d db) {
	d.update(func(c context.Context, x *store.Tx) error {
		return x.InsertService(c, proton.ServicePlan{Service: proton.Service{Scope: scope, Name: "s"}})
	})
	const writers, rounds = 8, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range rounds {
				err := d.tryUpdate(func(c context.Context, x *store.Tx) error {
					service, err := x.Service(c, scope, "s")
					if err != nil {
						return err
					}
					service.TemplateMajor++
					return x.SaveService(c, service)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := view(d, func(c context.Context, x *store.Tx) (proton.Service, error) { return x.Service(c, scope, "s") })
	d.same("increments and revisions", []int64{writers * rounds, writers * rounds}, []int64{got.TemplateMajor, got.Revision})
}

func viewsAreConsistent(t *testing.T, d db) {
	count := func(c context.Context, x *store.Tx) int {
		n, err := x.CountEnvironments(c, scope)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	err := d.View(t.Context(), func(x *store.Tx) error {
		before := count(t.Context(), x)
		d.update(func(c context.Context, x *store.Tx) error {
			return x.InsertEnvironment(c, proton.Environment{Scope: scope, Name: "new"})
		})
		d.same("inside the view", before, count(t.Context(), x))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.same("in a later view", 1, view(d, func(c context.Context, x *store.Tx) (int, error) { return count(c, x), nil }))
}
