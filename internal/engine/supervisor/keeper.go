package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

// Keeper is the server's end of a supervisor that runs programs, one after
// another, and passes their output on.
type Keeper struct {
	cmd    *exec.Cmd
	orders *os.File
	frames *json.Decoder
	output *os.File
	grace  time.Duration
}

// Supervise starts a supervisor of the folder. What it runs has the grace to end
// when it is interrupted, before it is killed. The box, of the first program in
// all likelihood, is made ready in advance.
func (f *Folder) Supervise(grace time.Duration, box sandbox.Box) (*Keeper, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	cmd, orders, err := f.Start(programs, write, nil, order{Grace: grace, Program: Program{Box: box}})
	if err != nil {
		read.Close()
		return nil, err
	}
	return &Keeper{cmd: cmd, orders: orders, frames: json.NewDecoder(read), output: read, grace: grace}, nil
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
	if err := json.NewEncoder(k.orders).Encode(order{Program: p}); err != nil {
		return -1, Lost{fmt.Errorf("give the supervisor its orders: %w", err)}
	}
	stop := context.AfterFunc(ctx, func() {
		json.NewEncoder(k.orders).Encode(order{Stop: true, Grace: k.grace}) // it may be over already
		// Should all else fail: it takes the tool with it.
		time.AfterFunc(k.grace+15*time.Second, func() { k.cmd.Process.Kill() })
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
func (k *Keeper) HangUp() { k.orders.Close() }

// Close hangs up and waits for the supervisor's end.
func (k *Keeper) Close() {
	k.HangUp()
	k.output.Close()
	k.cmd.Wait()
}
