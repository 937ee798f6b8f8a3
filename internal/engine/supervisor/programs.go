package supervisor

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// programs is the kind of the supervisors that a Keeper directs.
const programs = "programs"

func init() { Enter(programs, supervise) }

// order is what the server sends its supervisor, through a pipe that it then
// keeps open: the end of the pipe is the death of the server. It is never
// written to disk, for it holds secrets.
type order struct {
	Bounds       // in the first order
	Alive   bool `json:",omitempty"` // a sign of life
	Stop    bool `json:",omitempty"` // interrupt what runs, and end
	Program      // to run, if it is none of these
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
	next   *stage             // for the next program; nil: not made yet

	mu  sync.Mutex
	cut func() // connections to the server, when that is silent
}

// hurry is the longest grace when the server is dead. A tool that gives up on
// the backend has written its state to a file within some 6 s, on a busy machine
// within 10; killed before that it would lose what it has made, and that would
// be made again. Another server carries on as soon as the tool has ended.
const hurry = 25 * time.Second

func supervise() error {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	s := &supervisor{orders: make(chan order), stop: make(chan time.Duration, 4), frames: json.NewEncoder(os.Stdout), cut: func() {}}
	s.prepare(len(os.Args) > 1)
	var first order
	dec, err := Orders(&first)
	if err != nil {
		return err
	}
	go s.listen(dec, first.Bounds)
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
			s.prepare(o.More && o.boxed())
		case <-s.stop:
			return nil
		}
	}
}

// listen takes orders, and the end of them, or silence, as one to stop.
func (s *supervisor) listen(dec *json.Decoder, b Bounds) {
	lost := func() { s.stop <- min(b.Grace, hurry) }
	heard := func() {}
	if b.Silence > 0 {
		timer := time.AfterFunc(b.Silence, func() { s.silent(); lost() })
		heard = func() { timer.Reset(b.Silence) }
	}
	for {
		var o order
		err := dec.Decode(&o)
		heard()
		switch {
		case err != nil:
			lost()
			return
		case o.Alive:
		case o.Stop:
			s.stop <- b.Grace
		default:
			s.orders <- o
		}
	}
}

// run runs one program and reports whether it was stopped.
func (s *supervisor) run(o order) (stopped bool) {
	tool, output, err := s.start(o.Program)
	if err != nil {
		s.frames.Encode(frame{Ended: true, Exit: -1, Problem: err.Error()})
		return false
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.pass(output)
	}()
	var ws syscall.WaitStatus
	select {
	case ws = <-tool.Exited:
	case grace := <-s.stop:
		stopped = true
		ws = s.interrupt(tool, grace)
	}
	tool.Clear(time.Second, nil)
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

// prepare makes ready for a program in a box, if one is about to follow. Should
// that fail it is tried again with the program, and fails with a reason.
func (s *supervisor) prepare(wanted bool) {
	if wanted {
		s.next, _ = prepare(true)
	}
}

func (s *supervisor) start(p Program) (*Children, *os.File, error) {
	if p.Forward != "" {
		f, err := newForward(p.Forward)
		if err != nil {
			return nil, nil, err
		}
		p.Env = f.through(p.Forward, p.Env)
		s.onSilence(f.cut)
	}
	ready := s.next
	s.next = nil
	if ready != nil {
		return ready.start(p)
	}
	return p.Start()
}

// onSilence says what to do when the server is silent.
func (s *supervisor) onSilence(cut func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

func (s *supervisor) silent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut()
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

// interrupt asks the tool, and it alone, to come to an end: it stops what it
// has started, and writes its state. Once the grace is over it is killed.
func (s *supervisor) interrupt(tool *Children, grace time.Duration) syscall.WaitStatus {
	end := time.Now().Add(grace)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	syscall.Kill(tool.Leader, syscall.SIGINT)
	for {
		select {
		case ws := <-tool.Exited:
			return ws
		case less := <-s.stop:
			timer.Reset(min(time.Until(end), less))
		case <-timer.C:
			syscall.Kill(tool.Leader, syscall.SIGKILL)
			return <-tool.Exited
		}
	}
}
