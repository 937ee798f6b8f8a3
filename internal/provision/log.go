package provision

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

const (
	flushEvery = 200 * time.Millisecond
	flushLines = 200
	// maxLogLine cuts lines that no reader could use.
	maxLogLine = 16 << 10
)

// logWriter keeps a run's output with its deployment, a line an event. It
// gathers lines and writes them in batches, so that a chatty tool costs few
// commits; what a worker writes after it lost its lease is dropped.
type logWriter struct {
	write func([]store.LogEvent)
	now   func() time.Time

	mu      sync.Mutex
	partial []byte
	lines   []store.LogEvent
	closed  bool

	flush chan struct{}
	done  chan struct{}
}

func (p *Provisioner) newLog(d proton.Deployment) *logWriter {
	w := &logWriter{now: p.now, flush: make(chan struct{}, 1), done: make(chan struct{})}
	w.write = func(events []store.LogEvent) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Store.AppendLog(ctx, d.ID, d.Attempt, events); err != nil {
			p.Logger.Warn("a deployment's log lines were dropped", "deployment", d.ID, "attempt", d.Attempt, "lines", len(events), "err", err)
		}
	}
	go w.run()
	return w
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return len(p), nil
	}
	w.partial = append(w.partial, p...)
	for {
		end := bytes.IndexByte(w.partial, '\n')
		if end < 0 && len(w.partial) < maxLogLine {
			break
		}
		if end < 0 || end > maxLogLine {
			end = maxLogLine
		}
		w.add(w.partial[:end])
		w.partial = w.partial[min(end+1, len(w.partial)):]
	}
	if len(w.lines) >= flushLines {
		select {
		case w.flush <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

func (w *logWriter) add(line []byte) {
	w.lines = append(w.lines, store.LogEvent{At: w.now(), Message: strings.ToValidUTF8(strings.TrimSuffix(string(line), "\r"), "\uFFFD")})
}

// run writes what has gathered until the log is closed.
func (w *logWriter) run() {
	defer close(w.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-w.flush:
		}
		w.mu.Lock()
		lines, closed := w.lines, w.closed
		w.lines = nil
		w.mu.Unlock()
		if len(lines) > 0 {
			w.write(lines)
		}
		if closed {
			return
		}
	}
}

// Close writes what is left. It may be called more than once.
func (w *logWriter) Close() error {
	w.mu.Lock()
	if !w.closed && len(w.partial) > 0 {
		w.add(w.partial)
		w.partial = nil
	}
	w.closed = true
	w.mu.Unlock()
	select {
	case w.flush <- struct{}{}:
	default:
	}
	<-w.done
	return nil
}
