//go:build unix

package store

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockFile holds path for this process until the file is closed or the
// process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// A process that was killed while it started another leaves the lock with
	// that one for a moment.
	for end := time.Now().Add(time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is held by another process: a SQLite database serves one Hadron at a time; stop the other one, or give this one its own --data", path)
	}
	return f, nil
}

// held reports whether a process holds path.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
