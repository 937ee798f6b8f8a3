package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Keeper is the server's end of a supervisor that runs programs, one after
// another, and passes their output on.
type Keeper struct {
	*Process
	frames *json.Decoder
	output *os.File
	Bounds
}

// Bounds are the times of a supervisor's programs.
type Bounds struct {
	Grace time.Duration // from interrupting a program to killing it
	// Silence is after how long without a sign of life of the server a program
	// is interrupted; zero: only the server's end does that.
	Silence time.Duration
}

// Spare is a supervisor that is started before there is a run for it. The zero
// Spare starts none.
type Spare struct {
	Boxed bool // whether the programs run in boxes

	mu    sync.Mutex
	ready *Keeper
	ended bool
}

func (s *Spare) launch() (*Keeper, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	var args []string
	if s.Boxed {
		args = []string{"boxed"}
	}
	p, err := launch(programs, write, nil, args...)
	if err != nil {
		read.Close()
		return nil, err
	}
	return &Keeper{Process: p, frames: json.NewDecoder(read), output: read}, nil
}

// Refill sees to it that a supervisor waits for the next run.
func (s *Spare) Refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == nil && !s.ended {
		s.ready, _ = s.launch() // the next run says what is wrong
	}
}

// RefillAfter refills once it has been quiet for a while.
func (s *Spare) RefillAfter(d time.Duration) { time.AfterFunc(d, s.Refill) }

// Close ends what waits, for good.
func (s *Spare) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.ready != nil {
		s.ready.Close()
		s.ready = nil
	}
}

func (s *Spare) take() *Keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.ready
	s.ready = nil
	return k
}

// Supervise gives the folder a supervisor: the one that waits, if there is one.
func (f *Folder) Supervise(b Bounds, spare *Spare) (*Keeper, error) {
	if k := spare.take(); k != nil && k.begin(f, b) == nil { // nobody has killed it
		return k, nil
	}
	k, err := spare.launch()
	if err == nil {
		err = k.begin(f, b)
	}
	return k, err
}

func (k *Keeper) begin(f *Folder, b Bounds) error {
	k.Bounds = b
	if err := k.give(f, order{Bounds: b}); err != nil {
		k.output.Close()
		return err
	}
	if b.Silence > 0 {
		go func() {
			for json.NewEncoder(k.Orders).Encode(order{Alive: true}) == nil { // until it is closed
				time.Sleep(b.Silence / 5)
			}
		}()
	}
	return nil
}

// Failure is why a program did not come to an end of its own.
type Failure string

func (f Failure) Error() string { return string(f) }

// Lost is an error of the supervisor, or its interruption by somebody else:
// running the program again may help.
type Lost struct{ why error }

func (e Lost) Error() string { return e.why.Error() }
func (e Lost) Unwrap() error { return e.why }

// Transient is true.
func (Lost) Transient() bool { return true }

var errInterrupted = Lost{errors.New("the program was interrupted")}

// Run runs a program to its end and returns its exit code. If ctx ends, it is
// interrupted, and Run returns the cause once nothing of it is left. Other
// errors are a Failure or Lost.
func (k *Keeper) Run(ctx context.Context, p Program, output io.Writer) (int, error) {
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	if err := json.NewEncoder(k.Orders).Encode(order{Program: p}); err != nil {
		return -1, Lost{fmt.Errorf("give the supervisor its orders: %w", err)}
	}
	stop := context.AfterFunc(ctx, func() {
		json.NewEncoder(k.Orders).Encode(order{Stop: true}) // it may be over already
		// Should all else fail: it takes the tool with it.
		time.AfterFunc(k.Grace+15*time.Second, func() { k.Process.Process.Kill() })
	})
	defer stop()
	for {
		var f frame
		if err := k.frames.Decode(&f); err != nil {
			if ctx.Err() != nil {
				return -1, context.Cause(ctx)
			}
			return -1, Lost{fmt.Errorf("the supervisor ended early: %w", err)}
		}
		output.Write(f.Output)
		switch {
		case !f.Ended:
		case f.Exit == 0 && f.Problem == "" && f.Signal == "": // also if it was to stop just then
			return 0, nil
		case f.Stopped && ctx.Err() != nil:
			return -1, context.Cause(ctx)
		case f.Stopped:
			return -1, errInterrupted
		case f.Problem != "":
			return -1, Failure("the program could not be started: " + f.Problem)
		case f.Signal != "":
			return -1, Failure("the program was killed by a signal (" + f.Signal + ")")
		default:
			return f.Exit, nil
		}
	}
}

// HangUp has the supervisor end, and whatever it still watches over. It waits
// for nothing.
func (k *Keeper) HangUp() { k.Orders.Close() }

// Close hangs up and waits for the supervisor's end.
func (k *Keeper) Close() {
	k.HangUp()
	k.output.Close()
	k.Wait()
}
