package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// flusher makes commits to a SQLite file durable, many with one flush of its
// write-ahead log: SQLite itself would flush for each of them, while the next
// has to wait. Nobody learns of a commit before it is durable: neither who
// made it nor who reads what it wrote.
type flusher struct {
	flush func() error

	mu        sync.Mutex
	changed   *sync.Cond
	begun     uint64 // commits that were begun; only one is at a time
	committed uint64 // of those, the last that has ended, well or not
	durable   uint64 // of those, the last that a flush has covered
	flushing  bool
	failed    error // of the first flush that did; none is believed after it
}

func newFlusher(flush func() error) *flusher {
	f := &flusher{flush: flush}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// flushLog flushes the write-ahead log of a database file. Without a log, all
// of it is in the database, and was flushed when it was put there.
func flushLog(database string) func() error {
	return func() error {
		f, err := os.OpenFile(database+"-wal", os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}
}

// commit runs a commit and returns when it is durable. A nil flusher commits
// to a database that sees to that itself.
func (f *flusher) commit(commit func() error) error {
	if f == nil {
		return commit()
	}
	f.mu.Lock()
	if f.failed != nil {
		f.mu.Unlock()
		return f.failed
	}
	f.begun++
	mine := f.begun
	f.mu.Unlock()
	err := commit()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.committed = max(f.committed, mine) // another may have begun and ended meanwhile
	f.changed.Broadcast()
	if err != nil {
		return err
	}
	return f.await(mine)
}

// settled returns when all that can be read now is durable.
func (f *flusher) settled() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.await(f.begun)
}

// broken is why nothing can be made durable any more; nil if it can.
func (f *flusher) broken() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// await waits for a commit to be durable, and flushes where nobody else does.
func (f *flusher) await(commit uint64) error {
	for f.durable < commit {
		switch {
		case f.failed != nil:
			return f.failed
		case f.flushing || f.committed == f.durable:
			f.changed.Wait()
		default:
			f.flushNow()
		}
	}
	return nil
}

// flushNow covers all commits that have ended. A flush that failed may have
// lost what it was to write, and the next would not tell.
func (f *flusher) flushNow() {
	covers := f.committed
	f.flushing = true
	f.mu.Unlock()
	err := f.flush()
	f.mu.Lock()
	f.flushing = false
	if err == nil {
		f.durable = covers
	} else if f.failed == nil {
		f.failed = fmt.Errorf("the database's log could not be flushed to disk, and nothing is written any more until a restart: %w", err)
	}
	f.changed.Broadcast()
}
