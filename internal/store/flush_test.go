package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

func templateNamed(name string) proton.Template {
	return proton.Template{Scope: proton.Scope{Account: "1", Region: "r"}, Kind: proton.ServiceTemplate, Name: name}
}

// A machine that loses its power keeps what was flushed: at each flush the
// database is copied, and what was acknowledged must be in the last copy.
func TestAnAcknowledgedUpdateSurvivesALossOfPower(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hadron.db")
	flushed := filepath.Join(t.TempDir(), "hadron.db")
	s := openAt(t, path)
	var flushes atomic.Int64
	s.flusher.flush = func() error {
		flushes.Add(1)
		return errors.Join(copyFile(path, flushed), copyFile(path+"-wal", flushed+"-wal"))
	}
	const writers, each = 8, 10
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				err := s.Update(t.Context(), func(tx *Tx) error {
					return tx.InsertTemplate(t.Context(), templateNamed(fmt.Sprintf("t-%d-%d", w, n)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := s.View(t.Context(), func(tx *Tx) error {
		_, err := tx.Template(t.Context(), templateNamed("").Scope, proton.ServiceTemplate, "t-0-0")
		return err
	}); err != nil {
		t.Error(err)
	}
	before := flushes.Load()
	if err := s.Settled(); err != nil || flushes.Load() != before {
		t.Errorf("reading what is durable flushed again (%v)", err)
	}
	if before >= writers*each {
		t.Errorf("%d flushes for %d updates at once; they should share them", before, writers*each)
	}

	restored := openAt(t, flushed)
	if err := restored.View(t.Context(), func(tx *Tx) error {
		for w := range writers {
			for n := range each {
				name := fmt.Sprintf("t-%d-%d", w, n)
				if _, err := tx.Template(t.Context(), templateNamed("").Scope, proton.ServiceTemplate, name); err != nil {
					t.Errorf("%s was acknowledged, and lost: %v", name, err)
				}
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// What a View has read of an Update that waits for its flush is not told
// before the flush.
func TestNobodyIsToldOfWhatIsNotDurable(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	flushing, flushed := make(chan struct{}), make(chan struct{})
	s.flusher.flush = func() error {
		close(flushing)
		<-flushed
		return nil
	}
	ctx := t.Context()
	updated := make(chan error, 1)
	go func() {
		updated <- s.Update(ctx, func(tx *Tx) error { return tx.InsertTemplate(ctx, templateNamed("web")) })
	}()
	<-flushing
	if err := s.View(ctx, func(tx *Tx) error {
		_, err := tx.Template(ctx, templateNamed("").Scope, proton.ServiceTemplate, "web")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	settled := make(chan error, 1)
	go func() { settled <- s.Settled() }()
	select {
	case <-updated:
		close(flushed)
		t.Fatal("the update was acknowledged before it was durable")
	case <-settled:
		close(flushed)
		t.Fatal("a reader was told that all it read is durable")
	case <-time.After(50 * time.Millisecond): // in which either would have come
	}
	close(flushed)
	if err := errors.Join(<-updated, <-settled); err != nil {
		t.Error(err)
	}
}

func TestAfterAFailedFlushNothingIsAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hadron.db")
	s := openAt(t, path)
	ctx := t.Context()
	broken := errors.New("the disk is gone")
	flush := s.flusher.flush
	s.flusher.flush = func() error { return broken }
	insert := func(name string) error {
		return s.Update(ctx, func(tx *Tx) error { return tx.InsertTemplate(ctx, templateNamed(name)) })
	}
	if err := insert("first"); !errors.Is(err, broken) || !strings.Contains(err.Error(), "restart") {
		t.Errorf("got %v", err)
	}
	s.flusher.flush = flush // which may succeed though the first one's data are lost
	if err := insert("second"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := s.Settled(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := s.Ping(ctx); !errors.Is(err, broken) {
		t.Errorf("a server that can't write is ready: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(ctx, "sqlite:"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Update(ctx, func(tx *Tx) error { return tx.InsertTemplate(ctx, templateNamed("third")) }); err != nil {
		t.Error(err)
	}
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
