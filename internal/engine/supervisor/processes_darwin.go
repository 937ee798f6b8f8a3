package supervisor

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adoptOrphans does nothing: the system has no such thing. Orphans are still
// found by their process group.
func adoptOrphans() error { return nil }

func programAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// descendants returns the processes below pid.
func descendants(pid int) []int {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, p := range all {
		parent := int(p.Eproc.Ppid)
		children[parent] = append(children[parent], int(p.Proc.P_pid))
	}
	below := children[pid]
	for i := 0; i < len(below); i++ {
		below = append(below, children[below[i]]...)
	}
	return below
}

// awaitStop gives a process that was told to stand still a moment to do so.
func awaitStop(int) { time.Sleep(time.Millisecond) }

// KillMarked does nothing: the environment of other processes cannot be read.
// Only a supervisor that was itself killed by force can leave something.
func KillMarked(variable, value string) {}
