// Package supervisor is what the drivers share that run programs on the
// server's machine: the locked folder of a run, and the process that watches
// over the run's programs.
//
// The programs are not children of the server but of a supervisor: this same
// binary, started again. It takes every process of the run down when it is told
// to, or when the server dies, and holds the folder's lock as long as it lives:
// whoever gets the lock knows that nothing of the run is going on.
//
// A process that was started as a supervisor never comes to main. It begins
// its work when the package of its kind is initialized, before most of the
// program is, which takes a fifth of the time. So such a package must import
// little; this one imports nothing but the standard library and the sandbox.
package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// marker says, in the environment of this binary started again, what it is.
const marker = "HADRON_SUPERVISOR"

// Enter makes the process a supervisor of a kind, and ends it when that is done,
// if Start started it as one of that kind; else it returns at once. It is called
// by the init function of the package that does the work.
func Enter(kind string, work func() error) {
	if os.Getenv(marker) != kind {
		return
	}
	// Programs are told to die with the thread that started them: keep to it.
	runtime.LockOSThread()
	syscall.CloseOnExec(3) // the lock
	err := adoptOrphans()
	if err == nil {
		err = work()
	}
	// Not os.Exit: the server waits, and the race detector of a test binary
	// would let it wait for a second more.
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// Start starts this program again as the supervisor of the folder, and gives it
// its first orders, through a pipe that stays open: its end is the server's
// death. The process gets the lock's open file, so that the lock is held as long
// as either lives.
func (f *Folder) Start(kind string, stdout, stderr *os.File, first any) (*exec.Cmd, *os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe" // also right after the file was replaced by an upgrade
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer read.Close()
	cmd := exec.Command(self)
	cmd.Args[0] = "hadron-supervisor"
	cmd.Env = []string{marker + "=" + kind}
	cmd.Dir = f.Dir
	cmd.Stdin = read
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if stderr != nil {
		cmd.Stderr = stderr
	}
	cmd.ExtraFiles = []*os.File{f.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's signals
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, nil, fmt.Errorf("start the supervisor: %w", err)
	}
	_, err = f.lock.WriteAt([]byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0)
	if err == nil {
		err = json.NewEncoder(write).Encode(first)
	}
	if err != nil {
		write.Close() // which ends the supervisor
		cmd.Wait()
		return nil, nil, fmt.Errorf("give the supervisor its orders: %w", err)
	}
	return cmd, write, nil
}
