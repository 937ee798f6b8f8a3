package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// hub carries wake-ups from a Queue to the workers of the same process.
type hub struct {
	mu        sync.Mutex
	listeners map[*listener]bool
}

func newHub() *hub { return &hub{listeners: make(map[*listener]bool)} }

func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		select {
		case l.woken <- struct{}{}:
		default: // a wake-up not yet taken covers this one
		}
	}
}

// wakeAt wakes at t, at once if t is past, not at all if t is so far away that
// a poll is soon enough.
func (h *hub) wakeAt(t time.Time) {
	// River keeps milliseconds: a job rounded up must not be missed.
	switch d := time.Until(t) + time.Millisecond; {
	case d <= 0:
		h.wake()
	case d < 2*schedulerInterval:
		time.AfterFunc(d, h.wake)
	}
}

func (h *hub) set(l *listener, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on {
		h.listeners[l] = true
	} else {
		delete(h.listeners, l)
	}
}

// wakingDriver is one of River's drivers with notifications that stay inside
// the process. For SQLite River writes a row for every notification and polls
// for it; one file has one process, so a channel does the same for nothing. On
// PostgreSQL whoever owns the Queue hears of other processes' jobs and calls
// Wake.
type wakingDriver struct {
	riverdriver.Driver[*sql.Tx]
	hub    *hub
	queues []string // woken by every wake-up
}

// SupportsListener is true: GetListener answers one for every engine.
func (d *wakingDriver) SupportsListener() bool { return true }

// SupportsListenNotify is false so that River writes no notification rows.
func (d *wakingDriver) SupportsListenNotify() bool { return false }

func (d *wakingDriver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return &listener{driver: d, schema: params.Schema, woken: make(chan struct{}, 1)}
}

// insertTopic is the topic on which River's producers learn of new jobs.
const insertTopic = "river_insert"

// listener implements riverdriver.Listener on a hub.
type listener struct {
	driver  *wakingDriver
	schema  string
	woken   chan struct{}
	pending []string // queues still to be told of the last wake-up; River has one waiter at a time
}

func (l *listener) Connect(context.Context) error          { l.driver.hub.set(l, true); return nil }
func (l *listener) Close(context.Context) error            { l.driver.hub.set(l, false); return nil }
func (l *listener) Listen(context.Context, string) error   { return nil }
func (l *listener) Unlisten(context.Context, string) error { return nil }
func (l *listener) Ping(context.Context) error             { return nil }
func (l *listener) Schema() string                         { return l.schema }
func (l *listener) SetAfterConnectExec(string)             {}

func (l *listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	if len(l.pending) == 0 {
		select {
		case <-l.woken:
			l.pending = l.driver.queues
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	queue := l.pending[0]
	l.pending = l.pending[1:]
	return &riverdriver.Notification{Topic: insertTopic, Payload: fmt.Sprintf(`{"queue":%q}`, queue)}, nil
}
