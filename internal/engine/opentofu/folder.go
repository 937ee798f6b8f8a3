package opentofu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadronhq/hadron/internal/engine"
)

// folder is what is kept of one run on this machine:
//
//	lock         locked by whoever works on the run; holds the supervisor's pid
//	cancelled    there if the run was cancelled: it never starts (again)
//	result.json  how the run ended; there only if it ended by itself
//	src, home, tmp
//
// The lock is a lock on an open file that the server shares with the
// supervisor, so it is free only when both have let go or are dead.
type folder struct {
	dir  string
	lock *os.File
}

const lockPoll = 20 * time.Millisecond

func (f *folder) path(name ...string) string {
	return filepath.Join(append([]string{f.dir}, name...)...)
}

// tryLock takes the lock of the folder, making the folder if asked to. It
// returns nil without error if another has the lock.
func tryLock(dir string, create bool) (*folder, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	name := filepath.Join(dir, "lock")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	// The one before may have removed the folder: then this is a lock on nothing.
	mine, err1 := file.Stat()
	there, err2 := os.Stat(name)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		file.Close()
		return nil, nil
	}
	return &folder{dir: dir, lock: file}, nil
}

// claim waits for the lock. A supervisor that has it is told to stop: either
// its server is dead, or the run was given to the one who claims.
func (d *Driver) claim(ctx context.Context, dir string) (*folder, error) {
	var asked int
	kill := time.Now().Add(d.Grace + time.Second)
	for {
		f, err := tryLock(dir, true)
		if f != nil {
			return f, f.lock.Truncate(0)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if pid := supervisorPID(dir); pid > 0 {
			switch {
			case pid != asked:
				asked = pid
				unix.Kill(pid, unix.SIGTERM)
			case time.Now().After(kill.Add(2 * time.Second)):
				unix.Kill(pid, unix.SIGKILL)
			case time.Now().After(kill):
				for _, below := range descendants(pid) {
					unix.Kill(below, unix.SIGKILL)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

// supervisorPID returns the process that works on the run whose lock is taken,
// 0 if it has not said so yet.
func supervisorPID(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return 0
	}
	line, _, ok := strings.Cut(string(text), "\n") // complete only with its line end
	pid, err := strconv.Atoi(line)
	if !ok || err != nil || pid < 2 {
		return 0
	}
	return pid
}

func (f *folder) release() {
	f.lock.Truncate(0)
	f.lock.Close()
}

func (f *folder) remove() error {
	killMarked(f.dir)
	return engine.RemoveFolder(f.dir)
}

// fresh removes what an earlier try has left, processes too, and makes the
// folders anew. It reports whether there was an earlier try.
func (f *folder) fresh() (again bool, err error) {
	if again = f.has("src"); again {
		killMarked(f.dir)
	}
	for _, name := range []string{"src", "home", "tmp"} {
		if err := engine.RemoveFolder(f.path(name)); err != nil {
			return again, err
		}
	}
	for _, name := range []string{"src", "home", "tmp"} {
		if err := os.MkdirAll(f.path(name), 0o700); err != nil {
			return again, err
		}
	}
	return again, nil
}

func (f *folder) has(name string) bool {
	_, err := os.Lstat(f.path(name))
	return err == nil
}

// result is how a run ended.
type result struct {
	Failure string `json:"failure,omitempty"` // empty: all went well
}

// result reads how the run ended, nil if it has not.
func (f *folder) result() (*result, error) {
	text, err := os.ReadFile(f.path("result.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var res result
	if err := json.Unmarshal(text, &res); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path("result.json"), err)
	}
	return &res, nil
}

// keep stores how the run ended: whole or not at all.
func (f *folder) keep(res result) error {
	text, err := json.Marshal(res)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(f.dir, ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(file.Name())
		return err
	}
	return os.Rename(file.Name(), f.path("result.json"))
}
