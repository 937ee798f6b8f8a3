//go:build crashpoints

package store

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// crashesLeft are the points until this process kills itself, as HADRON_CRASH_AT
// says; processes that it starts are not meant.
var crashesLeft = func() *atomic.Int64 {
	var left atomic.Int64
	n, _ := strconv.ParseInt(os.Getenv("HADRON_CRASH_AT"), 10, 64)
	left.Store(n)
	os.Unsetenv("HADRON_CRASH_AT")
	return &left
}()

func crashPoint() {
	if crashesLeft.Add(-1) == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
