package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes processes whose parent ends children of this one, so that
// none gets out of sight by leaving its group and session.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// programAttributes give a program a session and group of its own, and have it
// end with the thread that starts it.
func programAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// descendants returns the processes below pid.
func descendants(pid int) []int {
	children := map[int][]int{}
	for _, p := range processes() {
		if parent, running := parentOf(p); running {
			children[parent] = append(children[parent], p)
		}
	}
	all := children[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// parentOf returns the parent of a process, if that has not ended.
func parentOf(pid int) (parent int, running bool) {
	parent, state := lookAt(pid)
	return parent, state != 0 && state != 'Z' && state != 'X'
}

// lookAt returns the parent of a process and the letter of its state; 0 of one
// that is not there.
func lookAt(pid int) (parent int, state byte) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0
	}
	// pid (name) state parent …; a name may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	if parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return 0, 0
	}
	return parent, fields[0][0]
}

// awaitStop returns once a process that was told to stand still does so.
func awaitStop(pid int) {
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		if _, state := lookAt(pid); state != 'R' && state != 'S' && state != 'D' {
			return
		}
	}
}

func processes() []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// KillMarked kills, within a second, the processes that were started with this
// in their environment: what a killed supervisor has left.
func KillMarked(variable, value string) {
	mark := []byte(variable + "=" + value + "\x00")
	killed := map[int]bool{} // one that is ending has no environment any more
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		found := false
		for _, pid := range processes() {
			env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
			if err == nil && bytes.Contains(append(env, 0), mark) && pid != os.Getpid() {
				killed[pid] = true
				syscall.Kill(pid, syscall.SIGKILL)
			}
			if killed[pid] {
				_, running := parentOf(pid)
				found = found || running
			}
		}
		if !found {
			return
		}
	}
}
