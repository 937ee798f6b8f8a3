//go:build unix

package app

import "golang.org/x/sys/unix"

// freeSpace is how many bytes may still be written where a folder is.
func freeSpace(folder string) (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(folder, &s)
	return int64(s.Bavail) * int64(s.Bsize), err
}
