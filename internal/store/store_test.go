package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
	"github.com/hadronhq/hadron/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store {
		return open(t, "sqlite:"+filepath.Join(t.TempDir(), "hadron.db"))
	})
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	postgrestest.Server(t)
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, postgrestest.URL(t)) })
}

// However few rows a list looks at for one page, its pages together have all
// that was asked for, in order and once.
func TestListsLookAtABoundedNumberOfRows(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 3, 10} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			storetest.RunLists(t, func(t *testing.T) *store.Store {
				return store.LookAt(open(t, "sqlite:"+filepath.Join(t.TempDir(), "hadron.db")), rows)
			})
		})
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		postgrestest.Server(t)
		storetest.RunLists(t, func(t *testing.T) *store.Store { return store.LookAt(open(t, postgrestest.URL(t)), 3) })
	})
}

func open(t testing.TB, database string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.SealWith(store.Sealer{ // any will do that is not the text itself
		Seal: func(text, name string) string { return name + "/" + text + "/sealed" },
		Open: func(sealed, name string) (string, error) {
			return strings.TrimSuffix(strings.TrimPrefix(sealed, name+"/"), "/sealed"), nil
		},
	})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The database hands a job out, and the connection is lost before it comes.
func TestJobsThatNeverCameAreTakenBack(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.URL(t))
	ctx, ran, hold := t.Context(), make(chan string, 10), make(chan struct{})
	handler := func(_ context.Context, j jobs.Job) (jobs.Next, error) {
		ran <- j.Key
		<-hold
		return jobs.Done(), nil
	}
	w, err := s.NewWorker(jobs.Config{Logger: slog.New(slog.DiscardHandler), Node: "n"}, map[jobs.Kind]jobs.Handler{jobs.Deploy: handler})
	if err != nil {
		t.Fatal(err)
	}
	enqueue := func(key string) {
		t.Helper()
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, jobs.Job{Kind: jobs.Deploy, Key: key}) }); err != nil {
			t.Fatal(err)
		}
	}
	handedOut := "UPDATE river_job SET state = 'running', attempted_by = '{n}', attempted_at = now() - interval '1 minute'"
	enqueue("lost")
	if err := errors.Join(store.Exec(ctx, s, handedOut), s.Beat(ctx, "n", time.Minute), w.Start(ctx)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Stop(context.Background()) })
	enqueue("came")
	if got := <-ran; got != "came" {
		t.Fatal(got)
	}
	if err := store.Exec(ctx, s, handedOut+" WHERE state = 'running'"); err != nil { // both are as old
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := s.TakeBackJobs(ctx); n != want || err != nil {
			t.Errorf("took back %d, %v; want %d: the other is being done", n, err, want)
		}
	}
	if got := <-ran; got != "lost" {
		t.Error(got)
	}
	close(hold)
}

// A look at the few rows of a small table is planned as if it cost for ever, for
// want of an index, and would be compiled for a quarter of a second, every second.
func TestPostgresCompilesNoPlans(t *testing.T) {
	t.Parallel()
	if on, err := store.Compiled(t.Context(), open(t, postgrestest.URL(t))); err != nil || on {
		t.Errorf("plans are compiled: %t, %v", on, err)
	}
}

func TestJobsOfNodesThatAreGoneAreTakenBack(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.URL(t))
	ran := make(chan string, 10)
	awake := make(chan struct{})
	work := func(node string, handler jobs.Handler) {
		if err := s.Beat(t.Context(), node, time.Minute); err != nil {
			t.Fatal(err)
		}
		w, err := s.NewWorker(jobs.Config{Logger: slog.New(slog.DiscardHandler), Node: node, Concurrency: 1}, map[jobs.Kind]jobs.Handler{jobs.Deploy: handler})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	work("sleeper", func(_ context.Context, j jobs.Job) (jobs.Next, error) {
		ran <- "sleeper " + j.Key
		<-awake
		return jobs.Done(), nil
	})
	err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(t.Context(), jobs.Job{Kind: jobs.Deploy, Key: "d"}) })
	if err != nil {
		t.Fatal(err)
	}
	if got := <-ran; got != "sleeper d" {
		t.Fatal(got)
	}
	takeBack := func(want int) {
		t.Helper()
		if n, err := s.TakeBackJobs(t.Context()); err != nil || n != want {
			t.Errorf("took back %d jobs, %v; want %d", n, err, want)
		}
	}
	takeBack(0)
	if err := s.Beat(t.Context(), "sleeper", -time.Second); err != nil {
		t.Fatal(err)
	}
	takeBack(1)
	takeBack(0)
	done := make(chan struct{})
	work("other", func(_ context.Context, j jobs.Job) (jobs.Next, error) {
		ran <- "other " + j.Key
		<-done
		return jobs.Done(), nil
	})
	if got := <-ran; got != "other d" {
		t.Fatal(got)
	}
	close(awake) // what the sleeper says now must not end the other's job
	time.Sleep(200 * time.Millisecond)
	if err := s.Leave(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	takeBack(1)
	close(done)
}
