package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// member is what one of those does who wait while another is at work.
type member struct {
	name  string
	after func(*Tx) error // its template is inserted
	ctx   context.Context
}

// together has members wait behind a first one, in their order, and answers the
// errors of all, by name, panics too, and how many commits there were.
func together(t *testing.T, s *Store, first func(*Tx) error, members ...member) (map[string]error, uint64) {
	t.Helper()
	s.line.age = time.Hour // on a busy machine too
	before := s.flusher.begun
	held, go1 := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var all sync.WaitGroup
	errs := map[string]error{}
	update := func(m member) {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			mu.Lock()
			defer mu.Unlock()
			errs[m.name] = err
		}()
		err = s.Update(m.ctx, func(tx *Tx) error {
			if err := tx.InsertTemplate(m.ctx, templateNamed(m.name)); err != nil {
				return err
			}
			return m.after(tx)
		})
	}
	var once sync.Once
	all.Go(func() {
		update(member{"first", func(tx *Tx) error {
			once.Do(func() { close(held) })
			<-go1
			return first(tx)
		}, t.Context()})
	})
	<-held
	for n, m := range members {
		if m.after == nil {
			m.after = fine
		}
		if m.ctx == nil {
			m.ctx = t.Context()
		}
		all.Go(func() { update(m) })
		for deadline := time.Now().Add(20 * time.Second); s.line.length() != n+1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not wait", m.name)
			}
		}
	}
	close(go1)
	all.Wait()
	return errs, s.flusher.begun - before
}

func (l *line) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

func fine(*Tx) error { return nil }

// kept are the templates that are there of those that may be.
func kept(t *testing.T, s *Store) []string {
	t.Helper()
	var names []string
	err := s.View(t.Context(), func(tx *Tx) error {
		names = nil
		list, err := tx.Templates(t.Context(), templateNamed("").Scope, proton.ServiceTemplate, "", 1000)
		for _, x := range list {
			names = append(names, x.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestWhoWaitsSharesACommitAndNothingElse(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	refused := errors.New("refused")
	cancelled, cancel := context.WithCancel(t.Context())
	var order []string
	then := func(name string) func(*Tx) error {
		return func(tx *Tx) error {
			tx.After(func() {})
			order = append(order, name) // one at a time
			return nil
		}
	}
	errs, commits := together(t, s, then("first"),
		member{name: "a", after: then("a")},
		member{name: "fails", after: func(*Tx) error { return refused }},
		member{name: "panics", after: func(*Tx) error { panic("oh") }},
		member{name: "b", after: then("b")},
		member{name: "leaves", ctx: cancelled, after: func(tx *Tx) error {
			cancel() // while it has the turn
			return tx.InsertTemplate(cancelled, templateNamed("leaves-2"))
		}},
		member{name: "c", after: then("c")},
	)
	for name, want := range map[string]error{"first": nil, "a": nil, "b": nil, "c": nil, "fails": refused, "leaves": context.Canceled} {
		if !errors.Is(errs[name], want) {
			t.Errorf("%s: %v, want %v", name, errs[name], want)
		}
	}
	if err := errs["panics"]; err == nil || err.Error() != "panic: oh" {
		t.Errorf("panics: %v", err)
	}
	if got := kept(t, s); !slices.Equal(got, []string{"a", "b", "c", "first"}) {
		t.Errorf("kept %q", got)
	}
	if !slices.Equal(order, []string{"first", "a", "b", "c"}) {
		t.Errorf("served in the order %q", order)
	}
	if c := s.Connections()["write"]; c.WaitCount != 6 || c.WaitDuration == 0 {
		t.Errorf("told of %d waits, %s, for the 6 there were", c.WaitCount, c.WaitDuration)
	}
	if commits != 1 {
		t.Errorf("%d commits for those who waited at once, want 1", commits)
	}
}

func TestTheFirstMayFailAlone(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	refused := errors.New("refused")
	errs, _ := together(t, s, func(*Tx) error { return refused }, member{name: "a"}, member{name: "b"})
	if !errors.Is(errs["first"], refused) || errs["a"] != nil || errs["b"] != nil {
		t.Errorf("got %v", errs)
	}
	if got := kept(t, s); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("kept %q", got)
	}
}

func TestWhoGivesUpWaitingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	ctx, cancel := context.WithCancel(t.Context())
	errs, _ := together(t, s, func(*Tx) error {
		cancel()
		for s.line.length() > 1 {
			time.Sleep(time.Millisecond)
		}
		return nil
	}, member{name: "gives-up", ctx: ctx}, member{name: "a"})
	if !errors.Is(errs["gives-up"], context.Canceled) || errs["first"] != nil || errs["a"] != nil {
		t.Errorf("got %v", errs)
	}
	if got := kept(t, s); !slices.Equal(got, []string{"a", "first"}) {
		t.Errorf("kept %q", got)
	}
}

// A database undoes a whole transaction where the disk is full, and not only
// what met it.
func TestWhatTheDatabaseUndidIsDoneAgain(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	full := errors.New("the disk is full")
	errs, _ := together(t, s, fine, member{name: "a"}, member{name: "meets-it", after: func(tx *Tx) error {
		if _, err := tx.exec(t.Context(), "ROLLBACK"); err != nil {
			return err
		}
		return full
	}}, member{name: "b"})
	if !errors.Is(errs["meets-it"], full) || errs["first"] != nil || errs["a"] != nil || errs["b"] != nil {
		t.Errorf("got %v", errs)
	}
	if got := kept(t, s); !slices.Equal(got, []string{"a", "b", "first"}) {
		t.Errorf("kept %q", got)
	}
}

func TestAFailedCommitFailsAllThatShareIt(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	broken := errors.New("the disk is gone")
	s.flusher.flush = func() error { return broken }
	after := 0
	hook := func(tx *Tx) error {
		tx.After(func() { after++ })
		return nil
	}
	// Who was refused may have been for what is not durable.
	refused := func(*Tx) error { return errors.New("refused") }
	errs, _ := together(t, s, hook, member{name: "a", after: hook}, member{name: "is-refused", after: refused}, member{name: "b", after: hook})
	for _, name := range []string{"first", "a", "is-refused", "b"} {
		if !errors.Is(errs[name], broken) {
			t.Errorf("%s: %v", name, errs[name])
		}
	}
	if after != 0 {
		t.Errorf("%d were told of success", after)
	}
	done := make(chan error, 1)
	go func() { done <- s.Update(t.Context(), fine) }()
	select {
	case err := <-done:
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the turn was not given up")
	}
}

// A commit may be told of only after another one that came later.
func TestACommitThatIsLateToTellKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	f := newFlusher(func() error { return nil })
	flushing, flush := make(chan struct{}), make(chan struct{})
	f.flush = func() error {
		flushing <- struct{}{}
		<-flush
		return nil
	}
	results := make(chan error, 3)
	go func() { results <- f.commit(func() error { return nil }) }()
	<-flushing // so that the next does not flush at once
	committed, late := make(chan struct{}), make(chan struct{})
	go func() {
		results <- f.commit(func() error {
			close(committed)
			<-late
			return nil
		})
	}()
	<-committed
	go func() { results <- f.commit(func() error { return nil }) }()
	for f.upTo() != 3 {
		time.Sleep(time.Millisecond)
	}
	close(late)
	go func() {
		for range flushing {
		}
	}()
	close(flush)
	for range 3 {
		select {
		case err := <-results:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a commit is waited for that has ended")
		}
	}
}

func (f *flusher) upTo() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.committed
}
