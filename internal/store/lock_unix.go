//go:build unix

package store

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile holds path for this process until the file is closed or the
// process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is held by another process: a SQLite database serves one Hadron at a time; stop the other one, or give this one its own --data", path)
	}
	return f, nil
}
