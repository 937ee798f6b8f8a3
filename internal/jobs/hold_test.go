package jobs

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func waitForEnd(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestHoldBeatsWhileTheWorkRuns(t *testing.T) {
	t.Parallel()
	var beats atomic.Int32
	err := Hold(t.Context(), 5*time.Millisecond,
		func(context.Context) error { beats.Add(1); return nil },
		func(ctx context.Context) error { time.Sleep(100 * time.Millisecond); return ctx.Err() })
	if n := beats.Load(); err != nil || n < 3 {
		t.Errorf("%d beats, error %v", n, err)
	}
	n := beats.Load()
	time.Sleep(20 * time.Millisecond)
	if beats.Load() != n {
		t.Error("beats go on after the work has ended")
	}
}

func TestHoldCancelsTheWorkWhenTheLeaseIsLost(t *testing.T) {
	t.Parallel()
	var cause error
	err := Hold(t.Context(), time.Millisecond,
		func(context.Context) error { return ErrLost },
		func(ctx context.Context) error { <-ctx.Done(); cause = context.Cause(ctx); return ctx.Err() })
	if !errors.Is(err, ErrLost) || !errors.Is(cause, ErrLost) {
		t.Errorf("error %v, cause %v; want ErrLost for both", err, cause)
	}
}

func TestHoldOutlivesShortTroubleButNotLong(t *testing.T) {
	t.Parallel()
	trouble := errors.New("database is busy")
	var beats atomic.Int32
	err := Hold(t.Context(), 20*time.Millisecond,
		func(context.Context) error {
			if beats.Add(1)%2 == 1 {
				return trouble
			}
			return nil
		},
		func(ctx context.Context) error { time.Sleep(150 * time.Millisecond); return ctx.Err() })
	if err != nil {
		t.Errorf("every other beat failing: %v", err)
	}
	err = Hold(t.Context(), 5*time.Millisecond, func(context.Context) error { return trouble }, waitForEnd)
	if !errors.Is(err, ErrLost) || !errors.Is(err, trouble) {
		t.Errorf("every beat failing: %v, want ErrLost and why", err)
	}
}

func TestHoldBoundsABeatThatHangs(t *testing.T) {
	t.Parallel()
	began := time.Now()
	err := Hold(t.Context(), 10*time.Millisecond, waitForEnd, waitForEnd)
	if !errors.Is(err, ErrLost) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestHoldPassesOnTheCallersCauseAndTheWorksError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrStopping)
	var cause error
	err := Hold(ctx, time.Millisecond,
		func(context.Context) error { return nil },
		func(ctx context.Context) error { cause = context.Cause(ctx); return errors.ErrUnsupported })
	if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrLost) || !errors.Is(cause, ErrStopping) {
		t.Errorf("error %v, cause %v", err, cause)
	}
	if err := Hold(t.Context(), 0, waitForEnd, waitForEnd); err == nil {
		t.Error("a zero interval is accepted")
	}
}

func TestHoldStopsBeatingWhenTheWorkPanics(t *testing.T) {
	t.Parallel()
	var beats atomic.Int32
	func() {
		defer func() { recover() }()
		Hold(t.Context(), time.Millisecond,
			func(context.Context) error { beats.Add(1); return nil },
			func(context.Context) error { panic("boom") })
	}()
	n := beats.Load()
	time.Sleep(20 * time.Millisecond)
	if beats.Load() != n {
		t.Error("beats go on")
	}
}
