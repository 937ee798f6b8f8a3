package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
//	result.json  how the commands ended; there only if they ended by themselves
//	log          their output, cleaned
//	delivered    how many bytes of log the caller has got
//	at           number of the command that runs, then "end"
//	job/         src (where commands start), home, tmp, bin, commands
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
				// Its processes first: it ends with the last of them, while what
				// it leaves behind when killed itself may be hard to find.
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
	// Complete only with its line end.
	line, _, ok := strings.Cut(string(text), "\n")
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

// fresh removes what an earlier try has left, processes too, and makes the job
// folder anew. It reports whether there was an earlier try.
func (f *folder) fresh() (again bool, err error) {
	if _, err := os.Lstat(f.path("job")); err == nil {
		again = true
		killMarked(f.path("job", "src"))
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return again, err
	}
	for _, e := range entries {
		if e.Name() == "lock" || e.Name() == "cancelled" {
			continue
		}
		if err := engine.RemoveFolder(f.path(e.Name())); err != nil {
			return again, err
		}
	}
	for _, sub := range []string{"src", "home", "tmp", "bin", "commands"} {
		if err := os.MkdirAll(f.path("job", sub), 0o700); err != nil {
			return again, err
		}
	}
	return again, nil
}

func (f *folder) has(name string) bool {
	_, err := os.Lstat(f.path(name))
	return err == nil
}

// result is how the commands of a run ended, written by the supervisor.
type result struct {
	Failure  string          `json:"failure,omitempty"` // empty: all went well
	Outputs  []engine.Output `json:"outputs,omitempty"` // from the outputs file
	Exit     int             `json:"exit"`
	Command  int             `json:"command"` // number of the last command that ran, from 1
	Finished time.Time       `json:"finished"`
}

// result reads what the supervisor has written, nil if nothing.
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

// keep stores how a run ended, and returns it.
func (f *folder) keep(res result) (*result, error) {
	text, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	return &res, writeWhole(f.path("result.json"), text)
}

// writeWhole writes a file so that it is there whole or not at all.
func writeWhole(name string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(file.Name())
		return err
	}
	return os.Rename(file.Name(), name)
}

// deliver hands the log to w from where it was handed on last, line by line,
// until ended is closed and all is delivered. A crash in between repeats a few
// lines at most.
func (f *folder) deliver(w io.Writer, ended <-chan struct{}) error {
	file, err := os.OpenFile(f.path("log"), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	var offset int64
	if text, err := os.ReadFile(f.path("delivered")); err == nil {
		offset, _ = strconv.ParseInt(string(text), 10, 64)
	}
	buf := make([]byte, 64<<10) // longer than any line
	for {
		last := false
		select {
		case <-ended:
			last = true
		default:
		}
		n, err := file.ReadAt(buf, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		taken := writeLines(w, buf[:n])
		if taken > 0 {
			offset += int64(taken)
			if err := writeOffset(f.path("delivered"), offset); err != nil {
				return err
			}
			continue
		}
		if last {
			return nil
		}
		select {
		case <-ended:
		case <-time.After(lockPoll):
		}
	}
}

func writeOffset(name string, offset int64) error {
	// It only ever gets longer, so overwriting in place is never half a number
	// of another length; no sync: a repeated line does no harm.
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(strconv.FormatInt(offset, 10)), 0)
	return errors.Join(err, file.Close())
}

func writeLines(w io.Writer, p []byte) int {
	taken := 0
	for line := range strings.Lines(string(p)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		io.WriteString(w, line)
		taken += len(line)
	}
	return taken
}
