package provision

import (
	"testing"
	"time"
)

func TestLeasesTellNothingAfterAJumpOrAnOutage(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for _, c := range []struct {
		name                string
		passed, took, clock time.Duration // since the look before
		silent              time.Duration
	}{
		{"as ever", time.Second, 0, time.Second + 20*time.Millisecond, 0},
		{"slow to be asked", time.Second, 2 * time.Second, 3 * time.Second, 0},
		{"slow to answer", time.Second, 2 * time.Second, time.Second, 0},
		{"an hour forwards", time.Second, 0, time.Hour, 10 * time.Second},
		{"an hour back", time.Second, 0, -time.Hour, 10 * time.Second},
		{"the database was away", 20 * time.Second, 0, 20 * time.Second, 3 * time.Second},
	} {
		at, clock := began, began
		j := judge{lease: 10 * time.Second, heartbeat: 3 * time.Second}
		if !j.may(at, at, clock) {
			t.Errorf("%s: the first look tells nothing", c.name)
		}
		at, clock = at.Add(c.passed), clock.Add(c.clock)
		for silent := time.Duration(0); silent < c.silent; silent += time.Second {
			if j.may(at, at, clock) {
				t.Errorf("%s: leases tell something after %v", c.name, silent)
			}
			at, clock = at.Add(time.Second), clock.Add(time.Second)
		}
		if !j.may(at, at.Add(c.took), clock) {
			t.Errorf("%s: leases tell nothing after %v", c.name, c.silent)
		}
	}
}
