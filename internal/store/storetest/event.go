package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// waiting lists what a target waits for, as "ARN's end: previous > status".
func (d db) waiting(target string) []string {
	d.t.Helper()
	events := view(d, func(ctx context.Context, tx *store.Tx) ([]store.Event, error) { return tx.Events(ctx, target, 100) })
	list := []string{}
	for _, e := range events {
		r, err := proton.ParseARN(string(e.Resource))
		if err != nil {
			d.t.Error(err)
		}
		list = append(list, r.Name+": "+e.Previous+" > "+e.Status)
	}
	return list
}

func statusChangesAreKeptForEachTarget(t *testing.T, d db) {
	happened := 0
	d.TellEvents([]string{"a", "b"}, func() { happened++ })
	one := proton.Environment{Scope: scope, Name: "one", TemplateName: "net", Deployable: proton.Deployable{Status: proton.InProgress}}
	two := one
	two.Name = "two"
	d.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.InsertEnvironment(ctx, two); err != nil {
			return err
		}
		if err := tx.InsertEnvironment(ctx, one); err != nil {
			return err
		}
		two.Status = proton.Failed // several changes of one transaction are one
		return tx.SaveEnvironment(ctx, two)
	})
	d.update(func(ctx context.Context, tx *store.Tx) error {
		one.Description = "which is no status"
		return tx.SaveEnvironment(ctx, one)
	})
	one.Revision++
	d.update(func(ctx context.Context, tx *store.Tx) error {
		one.Status = proton.Succeeded
		return tx.SaveEnvironment(ctx, one)
	})
	d.update(func(ctx context.Context, tx *store.Tx) error { return tx.DeleteEnvironment(ctx, two) })
	d.update(func(ctx context.Context, tx *store.Tx) error { // made and gone in one transaction: nothing was there
		three := proton.Environment{Scope: scope, Name: "three", Deployable: proton.Deployable{Status: proton.InProgress}}
		if err := tx.InsertEnvironment(ctx, three); err != nil {
			return err
		}
		return tx.DeleteEnvironment(ctx, three)
	})
	if err := d.tryUpdate(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.DeleteEnvironment(ctx, one); err != nil {
			return err
		}
		return context.Canceled
	}); err == nil {
		t.Fatal("the update did not fail")
	}
	want := []string{"two:  > FAILED", "one:  > IN_PROGRESS", "one: IN_PROGRESS > SUCCEEDED", "two: FAILED > DELETED"}
	for _, target := range []string{"a", "b"} {
		if diff := cmp.Diff(want, d.waiting(target)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", target, diff)
		}
	}
	if happened != 3 {
		t.Errorf("happened was called %d times, want 3", happened)
	}

	first := view(d, func(ctx context.Context, tx *store.Tx) ([]store.Event, error) { return tx.Events(ctx, "a", 1) })[0]
	d.update(func(ctx context.Context, tx *store.Tx) error { return tx.DeleteEvent(ctx, first) })
	if diff := cmp.Diff(want[1:], d.waiting("a")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n, err := d.DropEvents(t.Context(), time.Now().Add(time.Hour)); err != nil || n != int64(2*len(want)-1) {
		t.Errorf("dropped %d, %v", n, err)
	}
	if got := d.waiting("b"); len(got) != 0 {
		t.Errorf("after all were dropped: %v", got)
	}
}

func oneServerTellsATarget(t *testing.T, d db) {
	if !d.Shared() {
		t.Skip("a database of one process has one owner")
	}
	hold := func(owner string, lease time.Duration) bool {
		t.Helper()
		held, err := d.HoldEventTarget(t.Context(), "a", owner, lease)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	if !hold("x", time.Minute) || hold("y", time.Minute) {
		t.Error("a second owner got a target that was held")
	}
	if !hold("x", -time.Second) {
		t.Error("the owner could not prolong its lease")
	}
	if !hold("y", time.Minute) || hold("x", time.Minute) {
		t.Error("a lease that had run out did not go over")
	}
}
