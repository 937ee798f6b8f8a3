package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// crashFile, in the environment, makes the test binary a worker on that
// database that is to be killed.
const crashFile = "HADRON_JOBS_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		if err := workUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// record notes a run of j, at most once for each generation, as a fenced
// handler does.
func record(ctx context.Context, db *sql.DB, j Job) error {
	_, err := db.ExecContext(ctx, `INSERT OR IGNORE INTO effect (key, generation) VALUES (?, ?)`, j.Key, j.Generation)
	return err
}

func workUntilKilled(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	queue, err := NewQueue(db, SQLite)
	if err != nil {
		return err
	}
	w, err := NewWorker(Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Queue: queue, Concurrency: 8, PollInterval: 10 * time.Millisecond},
		map[Kind]Handler{Deploy: func(ctx context.Context, j Job) (Next, error) {
			time.Sleep(time.Millisecond)
			return Done(), record(ctx, db, j)
		}, RegisterTemplateVersion: func(ctx context.Context, j Job) (Next, error) {
			<-ctx.Done() // still running when the kill comes
			return Done(), ctx.Err()
		}})
	if err != nil {
		return err
	}
	if err := w.Start(context.Background()); err != nil {
		return err
	}
	time.Sleep(time.Minute) // the parent kills long before
	return nil
}

func TestKilledProcessLosesNoJobAndBlocksNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	db := openWriter(t, path)
	if _, err := db.Exec(`CREATE TABLE effect (key TEXT, generation INTEGER, PRIMARY KEY (key, generation)) STRICT`); err != nil {
		t.Fatal(err)
	}
	b := &bench{tb: t, db: db, log: &logBuffer{}}
	var err error
	if b.queue, err = NewQueue(db, SQLite); err != nil {
		t.Fatal(err)
	}
	const total = 300
	var all []Job
	for i := range total {
		all = append(all, deploy(fmt.Sprint(i), 1))
	}
	b.insert(all...)
	b.insert(Job{Kind: RegisterTemplateVersion, Key: "stuck", Generation: 1})

	effects := func() (n int) {
		if err := db.QueryRow(`SELECT count(*) FROM effect`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for round := range 3 {
		killMidway(t, path, func() bool {
			return effects() > (round+1)*30 && b.count("kind = 'register-template-version' AND state = 'running'") == 1
		})
	}
	if n := effects(); n >= total {
		t.Fatalf("all %d jobs were done before the kills; nothing was tested", n)
	}
	if n := b.count("state = 'running'"); n == 0 {
		t.Fatal("no job was running at the kill; nothing was tested")
	}
	// The next generation is queued while the dead process's job is 'running'.
	b.insert(Job{Kind: RegisterTemplateVersion, Key: "stuck", Generation: 2})
	if n := b.count("kind = 'register-template-version' AND state = 'available'"); n != 1 {
		t.Fatalf("%d jobs of the next generation, want 1", n)
	}

	var mu sync.Mutex
	ran := map[int64]int{}
	w, err := NewWorker(Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Queue: b.queue},
		map[Kind]Handler{
			Deploy: func(ctx context.Context, j Job) (Next, error) { return Done(), record(ctx, db, j) },
			RegisterTemplateVersion: func(_ context.Context, j Job) (Next, error) {
				mu.Lock()
				defer mu.Unlock()
				ran[j.Generation]++
				if j.Generation < 2 {
					return Done(), ErrLost // superseded
				}
				return Done(), nil
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every job ended", func() bool { return b.count("state <> 'completed'") == 0 })
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := effects(); n != total {
		t.Errorf("%d jobs took effect, want %d", n, total)
	}
	if ran[1] != 1 || ran[2] != 1 {
		t.Errorf("runs by generation %v, want one of each", ran)
	}
}

// killMidway starts a child working on path and kills it once midway holds.
func killMidway(t *testing.T, path string, midway func() bool) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill() // SIGKILL
	eventually(t, "child midway", midway)
}
