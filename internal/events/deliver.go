package events

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Target takes events. Deliver returns nil once the event is taken for good;
// it may be given the same event again. It is called by one goroutine.
type Target interface {
	// Name tells the target from the others of a server, and stays the same
	// when the server starts again. It holds no secret.
	Name() string
	Deliver(ctx context.Context, e Envelope) error
}

const (
	batch     = 200
	lease     = 30 * time.Second
	pollEvery = time.Second
	// deliverTime is how long a target may take for one event.
	deliverTime = 10 * time.Second
	// keep is for how long a target that can't be told is tried, as EventBridge
	// does by default.
	keep = 24 * time.Hour
	// retryMin doubles with each failure up to retryMax.
	retryMin = time.Second
	retryMax = 5 * time.Minute
	// giveTargetUp is after how many failures of different resources a round
	// ends: it is the target that does not work.
	giveTargetUp = 3
)

// Teller tells targets of what waits for them.
type Teller struct {
	Store   *store.Store
	Targets []Target
	Owner   string // names this process among those that share the database
	Logger  *slog.Logger

	// Told is called after each attempt, for metrics; nil: nobody is.
	Told func(target string, err error)

	bells []chan struct{}
}

// Prepare has status changes from now on kept for the targets. Call it before
// the store is used by others.
func (t *Teller) Prepare() {
	var names []string
	for _, target := range t.Targets {
		names = append(names, target.Name())
		t.bells = append(t.bells, make(chan struct{}, 1))
	}
	t.Store.TellEvents(names, t.ring)
}

func (t *Teller) ring() {
	for _, bell := range t.bells {
		select {
		case bell <- struct{}{}:
		default: // it has rung already
		}
	}
}

// Watch tells the targets until ctx ends, each at its own pace.
func (t *Teller) Watch(ctx context.Context) {
	var group sync.WaitGroup
	for n, target := range t.Targets {
		group.Go(func() { t.watch(ctx, target, t.bells[n]) })
	}
	group.Wait()
}

func (t *Teller) watch(ctx context.Context, target Target, bell <-chan struct{}) {
	for tick := time.NewTicker(pollEvery); ; {
		if err := t.round(ctx, target); err != nil && ctx.Err() == nil {
			t.Logger.WarnContext(ctx, "events could not be delivered; they are kept", "target", target.Name(), "err", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			t.release(target)
			return
		case <-tick.C:
		case <-bell:
		}
	}
}

// release leaves a target to another server at once.
func (t *Teller) release(target Target) {
	ctx, cancel := context.WithTimeout(context.Background(), pollEvery)
	defer cancel()
	if _, err := t.Store.HoldEventTarget(ctx, target.Name(), t.Owner, -time.Second); err != nil {
		t.Logger.Warn("an event target is not released; others find out in a lease's time", "target", target.Name(), "err", err)
	}
}

// round tells a target of all that waits, if no other server does.
func (t *Teller) round(ctx context.Context, target Target) error {
	for {
		var waiting []store.Event
		err := t.Store.View(ctx, func(tx *store.Tx) (err error) {
			waiting, err = tx.Events(ctx, target.Name(), batch)
			return err
		})
		if err != nil || len(waiting) == 0 {
			return err
		}
		held, err := t.Store.HoldEventTarget(ctx, target.Name(), t.Owner, lease)
		if err != nil || !held {
			return err
		}
		if n, err := t.Store.DropEvents(ctx, time.Now().Add(-keep)); err != nil {
			return err
		} else if n > 0 {
			t.Logger.WarnContext(ctx, "events were dropped that could not be delivered in time", "events", n, "after", keep)
		}
		if more, err := t.tell(ctx, target, waiting); err != nil || !more {
			return err
		}
	}
}

// tell delivers events in order. What follows an event of the same resource
// that could not be delivered waits for it. False if there is nothing to go on
// with before the next round.
func (t *Teller) tell(ctx context.Context, target Target, waiting []store.Event) (more bool, last error) {
	until := time.Now().Add(lease / 2)
	blocked := map[proton.ARN]bool{}
	failures, told := 0, 0
	for _, e := range waiting {
		if blocked[e.Resource] || time.Now().Before(e.NotBefore) {
			blocked[e.Resource] = true
			continue
		}
		if time.Now().After(until) {
			return true, last // the lease is to be renewed
		}
		err := t.deliver(ctx, target, e)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			blocked[e.Resource] = true
			last = err
			if err := t.postpone(ctx, e); err != nil {
				return false, err
			}
			if failures++; failures == giveTargetUp {
				return false, last
			}
			continue
		}
		told++
		if err := t.Store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteEvent(ctx, e) }); err != nil {
			return false, err
		}
	}
	return told > 0 && len(waiting) == batch, last
}

func (t *Teller) deliver(ctx context.Context, target Target, e store.Event) error {
	envelope, err := NewEnvelope(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	err = target.Deliver(ctx, envelope)
	if t.Told != nil {
		t.Told(target.Name(), err)
	}
	return err
}

// postpone puts the next attempt off, longer each time.
func (t *Teller) postpone(ctx context.Context, e store.Event) error {
	pause := min(retryMin<<min(e.Attempts, 20), retryMax)
	e.Attempts++
	e.NotBefore = time.Now().Add(pause/2 + rand.N(pause))
	return t.Store.Update(ctx, func(tx *store.Tx) error { return tx.SaveEvent(ctx, e) })
}
