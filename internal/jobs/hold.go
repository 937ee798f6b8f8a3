package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLost says that the lease on the work is no longer ours: another node has
// it, or the row has moved on. ErrStopping says that the process is going down.
// Both are causes (context.Cause) of a handler's cancelled context, and a
// handler that returns either has not failed.
var (
	ErrLost     = errors.New("lease lost")
	ErrStopping = errors.New("worker stopping")
)

// beatsToLose is how many intervals may pass without a successful beat before
// the lease must be taken as lost.
const beatsToLose = 3

// Hold runs f and, while it runs, calls beat at every interval. When beat
// returns ErrLost, or has not succeeded for three intervals, f's context is
// cancelled with cause ErrLost; other errors of beat are tried again. A beat
// may take at most one interval. Hold returns when both have ended: f's error,
// wrapped with ErrLost if the lease was lost. An f that returns nil has
// finished, whatever became of the lease: its own fenced write decided that.
func Hold(ctx context.Context, every time.Duration, beat, f func(ctx context.Context) error) error {
	if every <= 0 {
		return fmt.Errorf("hold: interval %v: must be positive", every)
	}
	held, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := keepBeating(held, every, beat); err != nil {
			cancel(err)
		}
	}()
	defer func() { // also when f panics
		cancel(nil)
		<-ended
	}()
	err := f(held)
	if cause := context.Cause(held); err != nil && errors.Is(cause, ErrLost) && !errors.Is(err, ErrLost) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// keepBeating returns an ErrLost when the lease is lost, nil when ctx ends.
func keepBeating(ctx context.Context, every time.Duration, beat func(context.Context) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := time.Now() // when the last successful beat began
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		began := time.Now()
		bounded, cancel := context.WithTimeout(ctx, every)
		err := beat(bounded)
		cancel()
		switch {
		case err == nil:
			last = began
		case errors.Is(err, ErrLost):
			return err
		case ctx.Err() != nil:
			return nil
		case time.Since(last) >= beatsToLose*every:
			return fmt.Errorf("%w: no heartbeat for %v: %w", ErrLost, time.Since(last).Round(time.Millisecond), err)
		}
	}
}
