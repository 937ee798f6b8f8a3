package sandbox

import (
	"fmt"
	"strings"
)

// Limits are what each process of a program may use at most, in bytes; zero: as
// much as the server's own may. They hold for whatever the program starts, one
// by one: not for all of it together. None of them is one of the number of
// processes: the kernel (RLIMIT_NPROC) does not hold root to one, and before
// Linux 5.14 counts all processes of the server's user, itself among them.
type Limits struct {
	Memory int64 `json:",omitempty"` // that it can write to and shares with no other process
	File   int64 `json:",omitempty"` // of a file that it writes
}

// Note says what the limits are, for the log of what has failed within them;
// empty: there are none.
func (l Limits) Note() string {
	var each []string
	if l.Memory > 0 {
		each = append(each, fmt.Sprintf("%d bytes of memory for a process (run-memory-limit)", l.Memory))
	}
	if l.File > 0 {
		each = append(each, fmt.Sprintf("%d bytes for a file (run-file-limit)", l.File))
	}
	if each == nil {
		return ""
	}
	return "the server's limits for what templates run: " + strings.Join(each, ", ")
}
