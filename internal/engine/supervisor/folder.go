package supervisor

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
)

// Folder is what is kept of one run on this machine, and of it here:
//
//	lock         locked by whoever works on the run; holds the supervisor's pid
//	cancelled    there if the run was cancelled: it never starts (again)
//	result.json  how the run ended; there only if it ended by itself
//
// The lock is a lock on an open file that the server shares with the
// supervisor, so it is free only when both have let go or are dead.
type Folder struct {
	Dir  string
	lock *os.File
}

// LockPoll is the time between two looks at a lock that someone else has.
const LockPoll = 20 * time.Millisecond

// CheckID refuses a run id that is no name of a folder.
func CheckID(id string) error {
	strange := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	}
	if id == "" || len(id) > 128 || strings.Contains("._-", id[:1]) || strings.ContainsFunc(id, strange) {
		return fmt.Errorf("run id %q: must be a UUID", id)
	}
	return nil
}

// Path returns a path in the folder.
func (f *Folder) Path(name ...string) string {
	return filepath.Join(append([]string{f.Dir}, name...)...)
}

// Has reports whether the folder has an entry of that name.
func (f *Folder) Has(name string) bool {
	_, err := os.Lstat(f.Path(name))
	return err == nil
}

// TryLock takes the lock of a folder, making the folder if asked to. It
// returns nil without error if another has the lock.
func TryLock(dir string, create bool) (*Folder, error) {
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
	return &Folder{Dir: dir, lock: file}, nil
}

// Claim waits for the lock. A supervisor that has it is told to stop, for which
// it may take the grace: either its server is dead, or the run was given to the
// one who claims.
func Claim(ctx context.Context, dir string, grace time.Duration) (*Folder, error) {
	var asked int
	kill := time.Now().Add(grace + time.Second)
	for {
		f, err := TryLock(dir, true)
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
		case <-time.After(LockPoll):
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

// Release gives the lock up.
func (f *Folder) Release() {
	f.lock.Truncate(0)
	f.lock.Close()
}

// Cancel sees to it that the run does not start (again), and takes the lock.
func Cancel(ctx context.Context, dir string, grace time.Duration) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "cancelled"), nil, 0o600); err != nil {
		return nil, err
	}
	return Claim(ctx, dir, grace)
}

// Forget removes a folder, if it is there, once nobody works on it any more.
func Forget(ctx context.Context, dir string, grace time.Duration, remove func(*Folder) error) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := Claim(ctx, dir, grace)
	if err != nil {
		return err
	}
	defer f.Release()
	return remove(f)
}

// Sweep removes the folders below root, if there is one, that nothing has
// happened in for the given time and that nobody works on.
func Sweep(ctx context.Context, root string, older time.Duration, remove func(*Folder) error) error {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	problems := []error{err}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := e.Info()
		if err != nil || !e.IsDir() || CheckID(e.Name()) != nil || time.Since(info.ModTime()) < older {
			continue
		}
		f, err := TryLock(filepath.Join(root, e.Name()), false)
		if f != nil {
			err = remove(f)
			f.Release()
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Result reads how the run ended, and reports whether it has.
func (f *Folder) Result(into any) (bool, error) {
	text, err := os.ReadFile(f.Path("result.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return false, fmt.Errorf("how the run ended, in %s: %w", f.Path("result.json"), err)
	}
	return true, nil
}

// Keep stores how the run ended: whole or not at all.
func (f *Folder) Keep(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(f.Dir, ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(file.Name())
		return err
	}
	return os.Rename(file.Name(), f.Path("result.json"))
}
