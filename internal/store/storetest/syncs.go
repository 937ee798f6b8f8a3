package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// syncsAreClaimedAndPolled holds that one worker syncs a repository at a time,
// and that turns and leases go by the one clock that the database has.
func syncsAreClaimedAndPolled(t *testing.T, d db) {
	ctx := t.Context()
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	request := func() {
		d.update(func(c context.Context, x *store.Tx) error { _, err := x.RequestSync(c, "r"); return err })
	}
	claim := func(owner string, lease time.Duration) (r proton.RepositorySync, ok bool) {
		d.update(func(c context.Context, x *store.Tx) (err error) {
			r, ok, err = x.ClaimSync(c, "r", owner, lease)
			return err
		})
		return r, ok
	}
	poll := func(want int, when string) {
		t.Helper()
		if n, err := d.PollSyncs(ctx, time.Hour); err != nil || n != want {
			t.Errorf("%s: %d rounds are due, want %d (%v)", when, n, want, err)
		}
	}
	d.update(func(c context.Context, x *store.Tx) error {
		return x.InsertRepository(c, proton.Repository{ID: "r", Scope: scope, Provider: "GITHUB", Name: "acme/app"})
	})
	poll(0, "before anything was asked for")
	if _, ok := claim("a", time.Minute); ok {
		t.Error("claimed what nobody asked for")
	}
	request()
	poll(1, "once asked for")
	poll(0, "within the interval")
	first, ok := claim("a", time.Minute)
	if !ok || first.Attempt != 1 || first.Wanted != 2 {
		t.Fatalf("the first claim: %t %+v", ok, first)
	}
	if _, ok := claim("b", time.Minute); ok {
		t.Error("claimed while it is leased")
	}
	poll(0, "while it is leased")
	if err := d.SyncHeartbeat(ctx, "r", 1, -time.Millisecond); err != nil {
		t.Fatal(err)
	}
	poll(1, "once the lease ran out")
	second, ok := claim("b", time.Minute)
	if !ok || second.Attempt != 2 || second.LeaseOwner != "b" {
		t.Fatalf("the second claim: %t %+v", ok, second)
	}
	if err := d.SyncHeartbeat(ctx, "r", 1, time.Minute); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("heartbeat of a superseded attempt: %v", err)
	}
	if err := d.tryUpdate(func(c context.Context, x *store.Tx) error { _, err := x.HeldSync(c, "r", 1); return err }); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("a superseded attempt holds: %v", err)
	}
	if err := d.SyncHeartbeat(ctx, "r", 2, time.Minute); err != nil {
		t.Error(err)
	}
	poll(0, "while it is held")
}
