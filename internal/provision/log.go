package provision

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

const (
	flushEvery = 200 * time.Millisecond
	flushLines = 200
	// waitLines is how many lines may wait to be written before writers wait too,
	// and so the most that is written at once: a longer transaction would keep
	// heartbeats waiting.
	waitLines = 5000
	// maxLogLine cuts lines that no reader could use.
	maxLogLine = 16 << 10
)

// journal keeps what is to be seen of a deployment: its output, a line an
// event, its milestones and its record. It gathers and writes them in batches,
// so that a chatty tool costs few commits and a quick one none: what is left at
// the end is written with the end. What a worker writes after it lost its lease
// is dropped.
type journal struct {
	write   func(store.Entries)
	now     func() time.Time
	attempt int64

	mu      sync.Mutex
	taken   *sync.Cond // lines were taken, or the journal is closed
	partial []byte
	entries store.Entries
	record  proton.Record
	last    proton.Milestone
	closed  bool

	flush chan struct{}
	done  chan struct{}
}

func (p *Provisioner) newJournal(d proton.Deployment) *journal {
	return startJournal(p.now, d.Attempt, func(e store.Entries) {
		if e.Empty() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Store.Append(ctx, d.ID, d.Attempt, e); err != nil && !errors.Is(err, jobs.ErrLost) {
			p.Logger.Warn("a deployment's log lines were dropped", "deployment", d.ID, "attempt", d.Attempt, "lines", len(e.Lines), "err", err)
		}
	})
}

func startJournal(now func() time.Time, attempt int64, write func(store.Entries)) *journal {
	j := &journal{now: now, attempt: attempt, write: write, flush: make(chan struct{}, 1), done: make(chan struct{})}
	j.taken = sync.NewCond(&j.mu)
	go j.run()
	return j
}

// Write adds output. It waits while too much is waiting to be written, so that
// no tool can fill the memory.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, p...)
	for {
		for len(j.entries.Lines) >= waitLines && !j.closed {
			j.hurry()
			j.taken.Wait()
		}
		if j.closed {
			return len(p), nil
		}
		end := bytes.IndexByte(j.partial, '\n')
		if end < 0 && len(j.partial) < maxLogLine {
			break
		}
		if end < 0 || end > maxLogLine {
			end = maxLogLine
		}
		j.add(j.partial[:end])
		j.partial = j.partial[min(end+1, len(j.partial)):]
	}
	if len(j.entries.Lines) >= flushLines {
		j.hurry()
	}
	return len(p), nil
}

func (j *journal) add(line []byte) {
	text := strings.ToValidUTF8(strings.TrimSuffix(string(line), "\r"), "\uFFFD")
	j.entries.Lines = append(j.entries.Lines, store.LogEvent{At: j.now(), Message: text})
}

// reached adds a milestone; steps in a row are one.
func (j *journal) reached(kind proton.MilestoneKind, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now().UTC() // finer than the wire's: milestones are in order
	if kind == proton.MilestoneStepped && j.last.Kind == kind {
		j.last.Until, j.last.Times = now, j.last.Times+1
		if n := len(j.entries.Milestones); n > 0 && j.entries.Milestones[n-1].Number == j.last.Number {
			j.entries.Milestones = j.entries.Milestones[:n-1]
		}
	} else {
		number := max(now.UnixMicro(), j.last.Number+1)
		j.last = proton.Milestone{Number: number, At: now, Times: 1, Kind: kind, Attempt: j.attempt, Message: message}
	}
	j.entries.Milestones = append(j.entries.Milestones, j.last)
}

// note changes the record.
func (j *journal) note(change func(*proton.Record)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.record)
	now := j.record
	j.entries.Record = &now
}

// hurry has what has gathered written soon.
func (j *journal) hurry() {
	select {
	case j.flush <- struct{}{}:
	default:
	}
}

// run writes what has gathered until the journal is closed.
func (j *journal) run() {
	defer close(j.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-j.flush:
		}
		j.mu.Lock()
		if j.closed {
			j.mu.Unlock()
			return
		}
		entries := j.entries
		j.entries = store.Entries{}
		j.taken.Broadcast()
		j.mu.Unlock()
		j.write(entries)
	}
}

// rest closes the journal and answers what is not written yet.
func (j *journal) rest() store.Entries {
	j.mu.Lock()
	if !j.closed && len(j.partial) > 0 {
		j.add(j.partial)
		j.partial = nil
	}
	j.closed = true
	j.taken.Broadcast()
	j.mu.Unlock()
	j.hurry()
	<-j.done
	entries := j.entries
	j.entries = store.Entries{}
	return entries
}

// Close writes what is left. It may be called more than once.
func (j *journal) Close() error {
	j.write(j.rest())
	return nil
}
