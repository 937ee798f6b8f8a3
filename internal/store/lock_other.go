//go:build !unix

package store

import (
	"fmt"
	"os"
)

// lockFile holds path for this process until the file is closed.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s is held by another process: %w", path, err)
	}
	return f, nil
}

// held reports whether a process holds path, as far as can be told.
func held(string) bool { return false }
