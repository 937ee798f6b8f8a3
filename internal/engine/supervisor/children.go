package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

// Program is what a supervisor runs.
type Program struct {
	Argv []string `json:",omitempty"` // the first is the path
	Dir  string   `json:",omitempty"`
	Env  []string `json:",omitempty"`
	Box  sandbox.Box
	// Forward is an address of the server's, such as 127.0.0.1:8080, that the
	// variables name in URLs: when the server is silent it is as if it was gone.
	Forward string `json:",omitempty"`
	More    bool   `json:",omitempty"` // another program is about to follow
	Input   string `json:",omitempty"` // what it can read; not for one in a Box
}

// Start starts a program, without terminal, in a session of its own, and returns
// the reading end of its output.
func (p Program) Start() (*Children, *os.File, error) {
	s, err := prepare(p.boxed())
	if err == nil && p.Input != "" {
		err = s.give(p.Input)
	}
	if err != nil {
		return nil, nil, err
	}
	return s.start(p)
}

// give has the program read a text instead of nothing.
func (s *stage) give(input string) error {
	read, write, err := os.Pipe()
	if err != nil {
		s.close()
		s.read.Close()
		return err
	}
	s.null.Close()
	s.null = read
	go func() {
		io.WriteString(write, input) // fails if the program ends before it has read it
		write.Close()
	}()
	return nil
}

func (p Program) boxed() bool { return len(p.Box.Hide) > 0 }

// stage is all that can be made ready before the program is known.
type stage struct {
	box           *sandbox.Prepared // nil: none
	null          *os.File          // the input
	read, written *os.File          // the output
}

func prepare(boxed bool) (*stage, error) {
	s := &stage{}
	var err error
	if s.null, err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	if s.read, s.written, err = os.Pipe(); err != nil {
		s.null.Close()
		return nil, err
	}
	if boxed {
		s.box, err = sandbox.Prepare(s.files(), programAttributes())
	}
	if err != nil {
		s.close()
		s.read.Close()
		return nil, fmt.Errorf("prepare the sandbox: %w", err)
	}
	return s, nil
}

func (s *stage) files() []*os.File { return []*os.File{s.null, s.written, s.written} }

func (s *stage) start(p Program) (*Children, *os.File, error) {
	defer s.close()
	var process *os.Process
	var err error
	switch {
	case s.box != nil:
		process, err = s.box.Start(p.Box, p.Argv, p.Dir, p.Env)
	case p.Box.Limits != sandbox.Limits{}:
		err = errors.New("limits hold in a sandbox only")
	default:
		process, err = os.StartProcess(p.Argv[0], p.Argv, &os.ProcAttr{Dir: p.Dir, Env: p.Env, Files: s.files(), Sys: programAttributes()})
	}
	if err != nil {
		s.read.Close()
		return nil, nil, fmt.Errorf("start %s: %w", p.Argv[0], err)
	}
	return reap(process.Pid), s.read, nil
}

func (s *stage) close() {
	s.null.Close()
	s.written.Close()
}

// Children are a program that this process has started, first of a process
// group, and whatever that has started.
type Children struct {
	Leader int                       // the program's process
	Exited <-chan syscall.WaitStatus // its end
	empty  chan struct{}             // closed when no child is left, after the program's end
}

// reap waits for every child of this process: the program, and orphans that
// came to us.
func reap(program int) *Children {
	exited := make(chan syscall.WaitStatus, 1)
	c := &Children{Exited: exited, Leader: program, empty: make(chan struct{})}
	go func() {
		defer close(c.empty)
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
			case pid == program && (ws.Exited() || ws.Signaled()):
				over = true
				exited <- ws
			}
		}
	}()
	return c
}

// Settle lets the program, once it has begun its work, go on until something
// that it has started is at work, or it has ended, and for no longer than it may
// take at most. The program then stands still, and Clear finds it where it was
// found here: it has not gone on after something that was ended under its hands.
func (c *Children) Settle(most time.Duration, begun func() bool) {
	pause := time.Millisecond
	for end := time.Now().Add(most); time.Now().Before(end); {
		if syscall.Kill(c.Leader, syscall.SIGSTOP) != nil {
			return // it has ended
		}
		if awaitStop(c.Leader); !begun() || len(descendants(c.Leader)) > 0 {
			return
		}
		syscall.Kill(c.Leader, syscall.SIGCONT)
		pause = min(2*pause, 50*time.Millisecond) // on a busy machine it must come to its turn
		select {
		case <-c.empty:
			return
		case <-time.After(pause):
		}
	}
}

// Clear ends all that is left: kindly, and after the grace by force. A word on
// stop leaves a second of it at most.
func (c *Children) Clear(grace time.Duration, stop <-chan time.Duration) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select { // the usual case, without looking through all processes
	case <-c.empty:
	case <-time.After(20 * time.Millisecond):
	}
	if c.gone() {
		return
	}
	c.signal(syscall.SIGTERM)
	for waiting := true; waiting && !c.gone(); {
		select {
		case <-c.empty:
			waiting = !c.gone() // a group can outlive our children where orphans are not adopted
			time.Sleep(5 * time.Millisecond)
		case less := <-stop:
			timer.Reset(min(less, time.Second))
		case <-timer.C:
			waiting = false
		}
	}
	for end := time.Now().Add(10 * time.Second); !c.gone() && time.Now().Before(end); {
		c.signal(syscall.SIGKILL)
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *Children) signal(sig syscall.Signal) {
	syscall.Kill(-c.Leader, sig)
	for _, pid := range descendants(os.Getpid()) {
		syscall.Kill(pid, sig)
	}
	syscall.Kill(c.Leader, syscall.SIGCONT) // after Settle: first of all it meets the signal
}

func (c *Children) gone() bool {
	select {
	case <-c.empty:
		return syscall.Kill(-c.Leader, 0) == syscall.ESRCH
	default:
		return false
	}
}
