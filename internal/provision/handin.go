package provision

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Departed is a server that did not record, or might not have, how runs ended.
type Departed struct {
	Owner string // its name in leases; empty: not known any more
	Gone  bool   // else it stands still
	// Wait is for how long to wait for the end of a run that is going on.
	Wait time.Duration
}

// HandIn leaves with the deployments how their runs ended on this machine, for
// whoever takes them over, and gives up those that a server holds which is gone.
func HandIn(ctx context.Context, st *store.Store, runs engine.Leaver, of Departed, log *slog.Logger) error {
	left, err := runs.Left()
	if err != nil || len(left) == 0 {
		return err
	}
	unfinished, err := st.UnfinishedRuns(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, of.Wait)
	defer cancel()
	var errs []error
	for _, run := range left {
		d, ok := unfinished[run]
		if !ok {
			continue
		}
		over, ended, err := of.handIn(ctx, waiting, st, runs, run, d.ID)
		given := false
		if over && err == nil && of.Owner != "" && d.Owner == of.Owner {
			given, err = st.GiveUp(ctx, d.ID, of.Owner)
		}
		if ended || given {
			log.InfoContext(ctx, "handed in for a server that is gone or stands still", "deployment", d.ID, "ended", ended, "given up", given)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// handIn reports whether a run is over, nothing of it going on any more, and
// whether it came to its end.
func (of Departed) handIn(ctx, waiting context.Context, st *store.Store, runs engine.Leaver, run, deployment string) (over, ended bool, err error) {
	lines := &leftLines{write: func(l []store.LogEvent) error { return st.HandIn(ctx, deployment, "", l) }}
	var checkpoint string
	if of.Gone {
		checkpoint, err = runs.Ended(waiting, run, lines)
	} else {
		checkpoint, err = runs.EndedAside(run, lines)
	}
	if err != nil && waiting.Err() != nil {
		return false, false, nil // it goes on, under somebody's eyes
	}
	if err != nil || checkpoint == "" && len(lines.all) == 0 {
		return of.Gone, false, err
	}
	return of.Gone, checkpoint != "", st.HandIn(ctx, deployment, checkpoint, lines.all)
}

// leftLines gathers lines of a log, as many as fit a transaction.
type leftLines struct {
	write   func([]store.LogEvent) error
	all     []store.LogEvent
	partial []byte
}

func (l *leftLines) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	for {
		line, rest, whole := bytes.Cut(l.partial, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		text := strings.ToValidUTF8(string(line[:min(len(line), maxLogLine)]), "\uFFFD")
		l.all = append(l.all, store.LogEvent{At: time.Now().UTC(), Message: text})
		l.partial = rest
		if len(l.all) == waitLines {
			if err := l.write(l.all); err != nil {
				return 0, err
			}
			l.all = nil
		}
	}
}

// ends are the ends of runs that this process could not record: it had lost the
// lease, or the database. The zero value has none.
type ends struct {
	mu  sync.Mutex
	all map[string]string // checkpoints by deployment
}

// keepEnd sees to it that the end of a run that could not be recorded, if it has
// come to that, is handed in as soon as that can be done.
func (p *Provisioner) keepEnd(ctx context.Context, d proton.Deployment) {
	if !p.Store.Shared() {
		return // it is found where it is
	}
	for _, driver := range p.Engines {
		runs, leaves := driver.(engine.Leaver)
		if !leaves {
			continue
		}
		checkpoint, err := runs.EndedAside(d.RunID, io.Discard) // of its log the rest is lost
		if err != nil {
			p.Logger.WarnContext(ctx, "whether a run has ended is not known", "deployment", d.ID, "err", err)
		}
		if checkpoint != "" {
			p.ends.keep(d.ID, checkpoint)
		}
	}
}

func (e *ends) keep(deployment, checkpoint string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[string]string{}
	}
	e.all[deployment] = checkpoint
}

// handInEnds hands in what keepEnd has kept.
func (p *Provisioner) handInEnds(ctx context.Context) error {
	p.ends.mu.Lock()
	defer p.ends.mu.Unlock()
	for id, checkpoint := range p.ends.all {
		if err := p.Store.HandIn(ctx, id, checkpoint, nil); err != nil {
			return err
		}
		delete(p.ends.all, id)
	}
	return nil
}
