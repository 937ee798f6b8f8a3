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
// little; this one imports nothing but the standard library and the sandbox. And
// a driver can have one wait, with all that a program needs, for the next run.
package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker says, in the environment of this binary started again, what it is.
const marker = "HADRON_SUPERVISOR"

// Enter makes the process a supervisor of a kind, and ends it when that is done,
// if it was started as one of that kind; else it returns at once. It is called by
// the init function of the package that does the work.
func Enter(kind string, work func() error) {
	if os.Getenv(marker) != kind {
		return
	}
	// Programs are told to die with the thread that started them: keep to it.
	runtime.LockOSThread()
	err := adoptOrphans()
	if err == nil {
		err = work()
	}
	// Not os.Exit: the server waits, and the race detector of a test binary
	// would let it wait for a second more.
	if err != nil && !errors.Is(err, errUnused) {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// errUnused ends a supervisor that was never given a folder.
var errUnused = errors.New("the supervisor is not needed any more")

// Orders waits for a folder, whose lock is held from now on by this process too,
// and for the first orders. Those after it come from the decoder, whose end is
// the server's death.
func Orders(first any) (*json.Decoder, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, _, _, _, err := unix.Recvmsg(0, make([]byte, 1), rights, 0)
	for errors.Is(err, unix.EINTR) {
		n, _, _, _, err = unix.Recvmsg(0, make([]byte, 1), rights, 0)
	}
	if err == nil && n == 0 {
		err = errUnused
	}
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("take the folder's lock: %w", err)
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, fmt.Errorf("take the folder's lock: %w", err)
	}
	for _, fd := range files {
		unix.CloseOnExec(fd) // and never closed: held to the end
	}
	orders := json.NewDecoder(os.Stdin)
	if err := orders.Decode(first); err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return orders, nil
}

// Process is the server's end of a supervisor.
type Process struct {
	*exec.Cmd
	Orders *os.File // stays open: its end is the server's death
}

// launch starts this program again as a supervisor, which has no folder yet.
func launch(kind string, stdout, stderr *os.File, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe" // also right after the file was replaced by an upgrade
	}
	theirs, ours, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	defer theirs.Close()
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "hadron-supervisor"
	cmd.Env = []string{marker + "=" + kind}
	cmd.Dir = "/"
	cmd.Stdin = theirs
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if stderr != nil {
		cmd.Stderr = stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's signals
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	return &Process{cmd, ours}, nil
}

// socketPair is a pipe through which open files can be sent.
func socketPair() (theirs, ours *os.File, err error) {
	syscall.ForkLock.RLock() // no process that is started meanwhile may inherit them
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(pair[0])
		unix.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = unix.SetNonblock(pair[1], true)
	}
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(pair[0]), "orders"), os.NewFile(uintptr(pair[1]), "orders"), nil
}

// give gives a supervisor its folder and its first orders. It gets the lock's
// open file, so that the lock is held as long as either lives.
func (p *Process) give(f *Folder, first any) error {
	_, err := f.lock.WriteAt([]byte(strconv.Itoa(p.Process.Pid)+"\n"), 0)
	if err == nil {
		err = sendFile(p.Orders, f.lock)
	}
	if err == nil {
		err = json.NewEncoder(p.Orders).Encode(first)
	}
	if err != nil {
		p.Orders.Close() // which ends the supervisor
		p.Wait()
		return fmt.Errorf("give the supervisor its orders: %w", err)
	}
	return nil
}

func sendFile(to, file *os.File) error {
	socket, err := to.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = socket.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(" "), unix.UnixRights(int(file.Fd())), nil, 0)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// Start starts a supervisor of the folder, and gives it its first orders.
func (f *Folder) Start(kind string, stderr *os.File, first any) (*Process, error) {
	p, err := launch(kind, nil, stderr)
	if err != nil {
		return nil, err
	}
	return p, p.give(f, first)
}
