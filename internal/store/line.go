package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"
)

// line is where those wait who write to a SQLite file, which takes one writer at
// a time. Who wait are served in one transaction of the database, a batch, which
// one commit ends for all of them: it costs as much as many statements, and their
// rows share pages. What each does is undone alone if it fails, and nobody is told
// of success before the commit, so that it is as if each had a transaction. Who
// meets nobody has one.
type line struct {
	mu      sync.Mutex
	busy    bool            // someone has the turn
	waiting []chan struct{} // for the turn, which is theirs once it is closed
	open    *batch          // of whoever has the turn; nil: none was begun
	age     time.Duration   // at which a batch ends also if others wait
	waits   int64           // how often somebody waited
	waited  time.Duration   // and how long, in all
}

func newLine() *line { return &line{age: 10 * time.Millisecond} }

// maxBatch is how many members a batch has at most.
const maxBatch = 16

// batch is what one commit ends.
type batch struct {
	sql     *sql.Tx
	begun   time.Time
	members int           // that have done their part
	undone  bool          // all of it
	ended   chan struct{} // closed at the end
	err     error         // of the end
}

// enter waits for the turn.
func (l *line) enter(ctx context.Context) error {
	l.mu.Lock()
	if !l.busy {
		l.busy = true
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	begun := time.Now()
	select {
	case <-turn:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits++
	l.waited += time.Since(begun)
	if n := slices.Index(l.waiting, turn); n >= 0 {
		l.waiting = slices.Delete(l.waiting, n, n+1)
		return ctx.Err()
	}
	return nil // also if ctx has ended: others may count on the batch
}

// waitsIn adds what was waited here to what was for the connection itself.
func (l *line) waitsIn(s *sql.DBStats) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.WaitCount += l.waits
	s.WaitDuration += l.waited
}

// leave gives up the turn.
func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next()
}

func (l *line) next() {
	if l.busy = len(l.waiting) > 0; l.busy {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// pass gives the turn with the open batch to the next, if the batch goes on.
func (l *line) pass() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 || l.open.members >= maxBatch || time.Since(l.open.begun) > l.age {
		return false
	}
	l.next()
	return true
}

// join returns the batch that whoever has the turn is now in.
func (l *line) join(ctx context.Context, db *sql.DB) (*batch, error) {
	if l.open == nil {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		l.open = &batch{sql: tx, begun: time.Now(), ended: make(chan struct{})}
	}
	if l.open.members == 0 { // without a savepoint: to undo it is to undo all
		return l.open, nil
	}
	_, err := l.open.sql.ExecContext(ctx, "SAVEPOINT member")
	l.open.undone = err != nil
	return l.open, err
}

// do runs what a member does, f, and undoes it if it fails or panics.
func (b *batch) do(ctx context.Context, f func() error) error {
	b.undone = true
	defer func() {
		if b.undone {
			b.undo(ctx)
		}
	}()
	if err := f(); err != nil {
		return err
	}
	if b.members > 0 {
		if _, err := b.sql.ExecContext(ctx, "RELEASE member"); err != nil {
			return err
		}
	}
	b.undone = false
	b.members++
	return nil
}

// undo undoes what the last member did. That of the others stays, unless the
// database has undone it all, as at a full disk.
func (b *batch) undo(ctx context.Context) {
	if b.members == 0 {
		return
	}
	_, err := b.sql.ExecContext(ctx, "ROLLBACK TO member")
	if err == nil {
		_, err = b.sql.ExecContext(ctx, "RELEASE member")
	}
	b.undone = err != nil
}

// settle hands the batch on, or ends it.
func (l *line) settle(b *batch, commit func(func() error) error) {
	if b.undone {
		l.abandon(b)
		return
	}
	if l.pass() {
		return
	}
	l.open = nil
	left := false
	b.err = commit(func() error {
		err := b.sql.Commit()
		left = true
		l.leave() // the next is served while this is made durable
		return err
	})
	if !left {
		b.sql.Rollback()
		l.leave()
	}
	close(b.ended)
}

// errUndone is for those whose work was undone with that of somebody else.
var errUndone = errors.New("the database has undone the transaction")

// abandon ends a batch of which nothing is left.
func (l *line) abandon(b *batch) {
	l.open = nil
	b.sql.Rollback()
	l.leave()
	b.err = errUndone
	close(b.ended)
}
