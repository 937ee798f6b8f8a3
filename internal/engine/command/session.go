package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// order is what the server sends its supervisor, through a pipe that it then
// keeps open: the end of the pipe is the death of the server. It is never
// written to disk, for it holds secrets.
type order struct {
	Dir         string // the run's folder
	BuildID     string
	Shell       string
	Session     string // script
	Commands    []string
	Environment []string
	Secrets     []string
	Timeout     time.Duration
	Grace       time.Duration
	Limits      engine.LogLimits
	Silence     time.Duration
	Box         sandbox.Box
	Container   *placed // nil: in none
	Input       string  // of the container
}

// supervise starts a supervisor and hands on the log until it has ended. No
// result and no error means that the run was cancelled.
func (d *Driver) supervise(ctx context.Context, f *folder, r engine.Run, j job) (res *result, err error) {
	ctx, traced := engine.Trace(ctx, "commands", "hadron.commands", len(r.Build.Commands))
	j.environment = engine.Joined(ctx, j.environment)
	defer func() {
		if res != nil {
			engine.Note(ctx, "process.exit.code", res.Exit)
		}
		traced(err)
	}()
	timeout := d.Timeout
	if r.Build.Timeout > 0 {
		timeout = r.Build.Timeout
	}
	o := order{
		Box: sandbox.Box{Hide: d.Hide, Keep: append([]string{f.Dir}, d.Keep...), Limits: d.Bounds},
		Dir: f.Dir, BuildID: buildID(r), Shell: d.Shell, Session: f.session(),
		Commands: r.Build.Commands, Environment: engine.Environ(j.environment), Secrets: j.secrets,
		Container: j.container,
		Timeout:   timeout, Grace: d.Grace, Limits: d.Limits, Silence: d.Silence,
	}
	if j.container != nil {
		if err := f.keepPlace(*j.container); err != nil {
			return nil, err
		}
		o.Box, o.Input, o.Environment = sandbox.Box{}, exports(j.environment, f.Path("job", "bin")), nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p, err := f.startSupervisor(o)
	if err != nil {
		return nil, err
	}
	defer p.Orders.Close()
	ended := make(chan struct{})
	delivered := make(chan error, 1)
	go func() { delivered <- f.deliver(r.Log, ended) }()
	exited := make(chan error, 1)
	go func() { exited <- p.Wait() }()

	go signsOfLife(p.Orders, d.Silence, ended)
	var exit error
	select {
	case exit = <-exited:
	case <-ctx.Done():
		p.Orders.WriteString("stop\n")
		select {
		case exit = <-exited:
		case <-time.After(d.Grace + 5*time.Second):
			p.Process.Kill()
			exit = <-exited
		}
	}
	close(ended)
	deliverErr := <-delivered
	return f.outcome(ctx, p.Process.Pid, errors.Join(exit, deliverErr))
}

// signsOfLife tells the supervisor that this server does not stand still.
func signsOfLife(orders io.Writer, silence time.Duration, ended <-chan struct{}) {
	if silence == 0 {
		return
	}
	tick := time.NewTicker(silence / 5)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			io.WriteString(orders, "alive\n") // fails if the supervisor has ended
		}
	}
}

// outcome tells how a supervisor that is no more has ended.
func (f *folder) outcome(ctx context.Context, pid int, problem error) (*result, error) {
	res, err := f.result()
	if res != nil || err != nil {
		return res, err
	}
	if err := f.killLeft(); err != nil {
		return nil, err
	}
	switch {
	case f.Has("cancelled"):
		return nil, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case problem == nil:
		problem = errors.New("it was told to stop")
	}
	stderr, _ := os.ReadFile(f.Path("supervisor.err"))
	return nil, fmt.Errorf("supervisor %d of the commands ended without a result: %w: %s",
		pid, problem, bytes.TrimSpace(stderr[:min(len(stderr), 1000)]))
}

// startSupervisor starts the supervisor, whose complaints go to a file.
func (f *folder) startSupervisor(o order) (*supervisor.Process, error) {
	stderr, err := os.Create(f.Path("supervisor.err"))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	return f.Start(commands, stderr, o)
}
