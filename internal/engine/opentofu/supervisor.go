package opentofu

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

const supervisorMarker = "HADRON_TOFU_SUPERVISOR"

// SuperviseIfAsked turns the process into a supervisor, and ends it when that
// is done, if a Driver started it as one; else it returns at once. Programs
// that use a Driver call it first in main, and their tests in TestMain.
func SuperviseIfAsked() {
	sandbox.EnterIfAsked()
	if os.Getenv(supervisorMarker) == "" {
		return
	}
	if err := superviseTool(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// order is what the server sends its supervisor, through a pipe that it then
// keeps open: the end of the pipe is the death of the server. It is never
// written to disk, for it holds secrets.
type order struct {
	Stop  bool          `json:",omitempty"` // interrupt what runs, and end
	Grace time.Duration `json:",omitempty"` // from interrupting to killing
	Argv  []string      `json:",omitempty"` // program to run, unless to stop
	Dir   string        `json:",omitempty"`
	Env   []string      `json:",omitempty"`
	Box   sandbox.Box
}

// frame is what the supervisor sends: output as it comes, and for each program
// one that says how it ended.
type frame struct {
	Output  []byte `json:",omitempty"`
	Ended   bool   `json:",omitempty"`
	Exit    int    `json:",omitempty"`
	Signal  string `json:",omitempty"` // that killed it
	Problem string `json:",omitempty"` // why it was not started
	Stopped bool   `json:",omitempty"` // it was interrupted
}

// supervisor runs the tool and outlives the server by a moment.
type supervisor struct {
	orders chan order
	stop   chan time.Duration // the grace left to what runs
	frames *json.Encoder      // after the server's death to nowhere
}

// hurry is the longest grace when the server is dead. A tool that gives up on
// the backend has written its state to a file within some 6 s, on a busy machine
// within 10; killed before that it would lose what it has made, and that would
// be made again. Another server carries on as soon as the tool has ended.
const hurry = 25 * time.Second

func superviseTool() error {
	// The tool is told to die with the thread that started it: keep to it.
	runtime.LockOSThread()
	unix.CloseOnExec(3) // the lock
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := adoptOrphans(); err != nil {
		return err
	}
	dec := json.NewDecoder(os.Stdin)
	var first order
	if err := dec.Decode(&first); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	s := &supervisor{orders: make(chan order), stop: make(chan time.Duration, 4), frames: json.NewEncoder(os.Stdout)}
	go s.listen(dec, first.Grace)
	go func() {
		for range signals {
			s.stop <- first.Grace
		}
	}()
	for {
		select {
		case o := <-s.orders:
			if s.run(o) {
				return nil
			}
		case <-s.stop:
			return nil
		}
	}
}

// listen takes orders, and the end of them as one to stop.
func (s *supervisor) listen(dec *json.Decoder, grace time.Duration) {
	for {
		var o order
		switch err := dec.Decode(&o); {
		case err != nil:
			s.stop <- min(grace, hurry)
			return
		case o.Stop:
			s.stop <- o.Grace
		default:
			s.orders <- o
		}
	}
}

// run runs one program and reports whether it was stopped.
func (s *supervisor) run(o order) (stopped bool) {
	process, output, err := start(o)
	if err != nil {
		s.frames.Encode(frame{Ended: true, Exit: -1, Problem: err.Error()})
		return false
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.pass(output)
	}()
	exited, empty := reap(process.Pid)
	var ws syscall.WaitStatus
	select {
	case ws = <-exited:
	case grace := <-s.stop:
		stopped = true
		ws = s.interrupt(process.Pid, grace, exited)
	}
	clear(process.Pid, empty)
	// What still holds the other end could keep the output open for ever.
	output.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	<-drained
	output.Close()
	end := frame{Ended: true, Exit: ws.ExitStatus(), Stopped: stopped}
	if ws.Signaled() {
		end.Signal = ws.Signal().String()
	}
	s.frames.Encode(end)
	return stopped
}

// start starts a program, without terminal or input, in a group of its own, and
// returns the reading end of its output.
func start(o order) (*os.Process, *os.File, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer write.Close()
	process, err := o.Box.Start(o.Argv[0], o.Argv, &os.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: []*os.File{null, write, write}, Sys: toolAttributes(),
	})
	if err != nil {
		read.Close()
		return nil, nil, err
	}
	return process, read, nil
}

// pass hands output on. It goes on reading when the server is dead: the tool
// must not break off in the middle of its work for want of a reader.
func (s *supervisor) pass(output io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := output.Read(buf)
		if n > 0 {
			s.frames.Encode(frame{Output: buf[:n]})
		}
		if err != nil {
			return
		}
	}
}

// reap waits for every child: the tool, whose end goes to exited, and orphans
// that came to us. empty is closed when none is left.
func reap(tool int) (exited chan syscall.WaitStatus, empty chan struct{}) {
	exited, empty = make(chan syscall.WaitStatus, 1), make(chan struct{})
	go func() {
		defer close(empty)
		over := false
		for {
			var ws syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &ws, 0, nil)
			switch {
			case err == syscall.EINTR:
			case err != nil: // ECHILD: none left, and none can come
				if !over {
					exited <- ws
				}
				return
			case pid == tool && (ws.Exited() || ws.Signaled()):
				over = true
				exited <- ws
			}
		}
	}()
	return exited, empty
}

// interrupt asks the tool, and it alone, to come to an end: it stops what it
// has started, and writes its state. Once the grace is over it is killed.
func (s *supervisor) interrupt(tool int, grace time.Duration, exited <-chan syscall.WaitStatus) syscall.WaitStatus {
	end := time.Now().Add(grace)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	syscall.Kill(tool, syscall.SIGINT)
	for {
		select {
		case ws := <-exited:
			return ws
		case less := <-s.stop:
			timer.Reset(min(time.Until(end), less))
		case <-timer.C:
			syscall.Kill(tool, syscall.SIGKILL)
			return <-exited
		}
	}
}

// clear ends what the tool has left behind: kindly, then by force.
func clear(tool int, empty <-chan struct{}) {
	over := func() bool {
		select {
		case <-empty:
			return syscall.Kill(-tool, 0) == syscall.ESRCH
		default:
			return false
		}
	}
	select { // the usual case, without looking through all processes
	case <-empty:
	case <-time.After(20 * time.Millisecond):
	}
	sig := syscall.SIGTERM
	for begin := time.Now(); !over() && time.Since(begin) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Second {
			sig = syscall.SIGKILL
		}
		if sig == syscall.SIGKILL || time.Since(begin) < 5*time.Millisecond {
			syscall.Kill(-tool, sig)
			for _, pid := range descendants(os.Getpid()) {
				syscall.Kill(pid, sig)
			}
		}
	}
}
