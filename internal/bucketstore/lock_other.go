//go:build !unix

package bucketstore

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
