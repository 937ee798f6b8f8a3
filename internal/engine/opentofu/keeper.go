package opentofu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
)

// keeper is the server's end of a supervisor.
type keeper struct {
	cmd    *exec.Cmd
	orders *os.File
	frames *json.Decoder
	output *os.File
	grace  time.Duration
}

// supervise starts this program again as the supervisor of a folder. It gets
// the lock's open file, so that the lock is held as long as either lives.
func (f *folder) supervise(grace time.Duration) (*keeper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe" // also right after the file was replaced by an upgrade
	}
	ordersRead, ordersWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ordersRead.Close()
	outputRead, outputWrite, err := os.Pipe()
	if err != nil {
		ordersWrite.Close()
		return nil, err
	}
	defer outputWrite.Close()
	cmd := exec.Command(self)
	cmd.Args[0] = "hadron-supervisor"
	cmd.Env = []string{supervisorMarker + "=1"}
	cmd.Dir = f.dir
	cmd.Stdin, cmd.Stdout = ordersRead, outputWrite
	cmd.ExtraFiles = []*os.File{f.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's signals
	k := &keeper{cmd: cmd, orders: ordersWrite, frames: json.NewDecoder(outputRead), output: outputRead, grace: grace}
	if err := cmd.Start(); err != nil {
		ordersWrite.Close()
		outputRead.Close()
		return nil, fmt.Errorf("start the supervisor of the tool: %w", err)
	}
	_, err = f.lock.WriteAt([]byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0)
	if err == nil {
		err = json.NewEncoder(ordersWrite).Encode(order{Grace: grace})
	}
	if err != nil {
		k.close()
		return nil, fmt.Errorf("give the supervisor of the tool its orders: %w", err)
	}
	return k, nil
}

// errInterrupted is why a program ended that someone else had interrupted.
var errInterrupted = engine.MarkTransient(errors.New("the tool was interrupted"))

// run runs a program to its end and returns its exit code. If ctx ends, it is
// interrupted, and run returns the cause once nothing of it is left.
func (k *keeper) run(ctx context.Context, o order, output io.Writer) (int, error) {
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	if err := json.NewEncoder(k.orders).Encode(o); err != nil {
		return -1, fmt.Errorf("give the supervisor of the tool its orders: %w", engine.MarkTransient(err))
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
			return -1, engine.MarkTransient(fmt.Errorf("the supervisor of the tool ended early: %w", err))
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
			return -1, failure("the program could not be started: " + f.Problem)
		case f.Signal != "":
			return -1, failure("the program was killed by a signal (" + f.Signal + ")")
		default:
			return f.Exit, nil
		}
	}
}

// close ends the supervisor, and whatever it still watches over.
func (k *keeper) close() {
	k.orders.Close()
	k.output.Close()
	k.cmd.Wait()
}
