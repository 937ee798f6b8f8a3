// Package opentofu provisions folders of OpenTofu or Terraform files by running
// the user's tofu or terraform program on the machine the server runs on: init,
// then apply. States are kept by a States behind an HTTP backend, which
// replaces the one that the files name.
//
// The tool is not a child of the server but of a supervisor. When the server
// stops or dies, that interrupts the tool, so that it can still write its state,
// and then takes down all that is left. The next try looks at the state, the lock and what an
// interrupted tool could not deliver, and plans anew. An init is shared by all
// folders that ask for the same providers and modules.
//
// A work folder stays until Forget is called for its run, or Sweep finds it
// old. The package never decides whether a run ought to be repeated or kept.
package opentofu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// States is where states are kept, by the names that StateName makes. The
// backend at Driver.URL serves the same ones.
type States interface {
	// Pull returns a state as the tool wrote it, nil if there is none.
	Pull(ctx context.Context, name string) ([]byte, error)
	// Push writes a state that a run's tool could not deliver, if it follows
	// the one that is kept and nobody else holds the lock; without a run, if
	// nobody does.
	Push(ctx context.Context, name, run string, content []byte) error
	// Holder describes who holds the lock; empty: nobody.
	Holder(ctx context.Context, name string) (string, error)
	// Release gives up the lock if the run holds it.
	Release(ctx context.Context, name, run string) error
	// Archive takes the state out of use without losing it.
	Archive(ctx context.Context, name string) error
}

// Driver is an engine.Driver (and engine.Forgetter). Root, URL, States and Key
// must be set. Its fields are not changed once it is used.
type Driver struct {
	Root   string // folder of the work folders and of downloaded providers; made if it is not there
	Binary string // path or name of tofu or terraform; empty: the first of them in PATH
	URL    string // below which the states are served, as the tool reaches it: "http://host:port/-/state/"
	States States
	// Key returns the access key that the run's tool reads and writes its state with.
	Key func(context.Context, engine.Run) (accessKeyID, secret string, err error)

	// Environ is the server's environment, as os.Environ gives it (the
	// default). The tool gets PATH, LANG, LC_ALL, TZ, the proxy settings and
	// TF_CLI_CONFIG_FILE of it, nothing else.
	Environ []string

	Timeout  time.Duration // of a run, and of waiting for another's lock; default 60 minutes
	Grace    time.Duration // from interrupting the tool to killing it; default 30 seconds
	LockPoll time.Duration // between two looks at a state that is locked by someone else; default 10 seconds
	Limits   engine.LogLimits
	// Silence is after how long without a sign of life of the server its tool is
	// interrupted: where another server would take over a run whose server stands
	// still. Zero: only the server's end interrupts it.
	Silence time.Duration

	// Credentials returns the variables of the AWS credentials for a run;
	// without it, or when it returns none, the tool runs without any.
	Credentials func(context.Context, engine.Run) (map[string]string, error)
	// Environment returns further variables. Errors of all three functions
	// are repeated if engine.Transient, else fail the run.
	Environment func(context.Context, engine.Run) (map[string]string, error)
	// Hide are folders and files that the tool must not see, with absolute paths
	// without links; the run's own folder stays. Needs sandbox.Available.
	Hide []string
	// Bounds are what each process of a run may use: the tool, its providers and
	// what these start. They need Hide.
	Bounds sandbox.Limits

	spare *supervisor.Spare
}

// New returns a copy of d with the defaults filled in. That there is no tool
// is no error here: runs fail then, and say what is missing.
func New(d Driver) (*Driver, error) {
	if d.Root == "" || d.URL == "" || d.States == nil || d.Key == nil {
		return nil, errors.New("opentofu driver: root, URL, states and key must be set")
	}
	root, err := filepath.Abs(d.Root)
	if err != nil {
		return nil, err
	}
	d.Root = root
	if d.Environ == nil {
		d.Environ = os.Environ()
	}
	if d.Timeout <= 0 {
		d.Timeout = time.Hour
	}
	if d.Grace <= 0 {
		d.Grace = 30 * time.Second
	}
	if d.LockPoll <= 0 {
		d.LockPoll = 10 * time.Second
	}
	d.spare = &supervisor.Spare{Boxed: len(d.Hide) > 0}
	return &d, nil
}

// Close ends what waits for a next run. Runs that are going on are not touched.
func (d *Driver) Close() { d.spare.Close() }

// failure is an error that ends the run, worded for the person who deployed.
type failure string

func (f failure) Error() string { return string(f) }

// finished is the checkpoint of a run that has ended.
const finished = "finished"

func failed(text string) engine.Status {
	return engine.Status{Done: true, Failure: text, Checkpoint: finished}
}

func stopped(r engine.Run) engine.Status {
	return failed(fmt.Sprintf("the run %s was stopped", r.ID))
}

// Step plans and applies, unless a result of an earlier try is there, and
// returns when the run has ended, or when someone else's lock is to be waited
// for.
func (d *Driver) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	if err := supervisor.CheckID(r.ID); err != nil {
		return engine.Status{}, err
	}
	if r.Log == nil {
		r.Log = io.Discard
	}
	f, err := supervisor.Claim(ctx, d.folder(r.ID), d.Grace)
	if err != nil {
		return engine.Status{}, err
	}
	defer f.Release()
	var res result
	ended, err := f.Result(&res)
	switch {
	case err != nil:
		return engine.Status{}, err
	case ended:
		return d.ended(ctx, f, r, res)
	case f.Has("cancelled"):
		return stopped(r), nil
	}
	return d.try(ctx, f, r, checkpoint)
}

// try takes the run from its beginning to its end.
func (d *Driver) try(ctx context.Context, f *supervisor.Folder, r engine.Run, checkpoint string) (engine.Status, error) {
	work, cancel := engine.WithTimeout(ctx, d.Timeout)
	defer cancel()
	s, err := d.open(work, f, r, overrideHTTP)
	defer s.close()
	if err == nil {
		err = s.carryOut(work)
		s.keeper.HangUp() // it ends while the rest is done
	}
	// Also when the server stops: nothing that was made may be forgotten.
	rescued, rescueErr := d.rescue(context.WithoutCancel(ctx), f, r, s.log)
	var b *blockedError
	fail, isFailure := errors.AsType[failure](err)
	switch {
	case err == nil && rescueErr == nil && !rescued: // also if it was to stop just then
		return d.end(context.WithoutCancel(ctx), s, result{})
	case f.Has("cancelled"):
		return stopped(r), nil
	case ctx.Err() != nil:
		return engine.Status{}, context.Cause(ctx)
	case rescueErr != nil:
		return engine.Status{}, rescueErr
	case rescued:
		return engine.Status{}, engine.MarkTransient(errors.New("the tool could not write its state; it was kept, and the run goes on from there"))
	case errors.As(err, &b):
		return d.wait(s, b, checkpoint)
	case isFailure:
		s.log.Note("[hadron] " + string(fail))
		if limits := d.Bounds.Note(); limits != "" {
			s.log.Note("[hadron] " + limits)
		}
		return d.end(ctx, s, result{Failure: s.presentable(string(fail))})
	}
	return engine.Status{}, err
}

// end keeps how the run ended. A destroyed resource's state is archived first.
func (d *Driver) end(ctx context.Context, s *session, res result) (engine.Status, error) {
	name := StateName(s.run.ResourceARN)
	if s.run.Goal == engine.Destroy && res.Failure == "" {
		if err := d.States.Archive(ctx, name); err != nil {
			return engine.Status{}, err
		}
	}
	if err := d.States.Release(ctx, name, s.run.ID); err != nil { // what a killed tool has left
		return engine.Status{}, err
	}
	if err := s.folder.Keep(res); err != nil {
		return engine.Status{}, err
	}
	return d.ended(ctx, s.folder, s.run, res)
}

// ended words the end of a run. Outputs are read from the state each time:
// nothing secret is kept beside it.
func (d *Driver) ended(ctx context.Context, f *supervisor.Folder, r engine.Run, res result) (engine.Status, error) {
	if res.Failure != "" || r.Goal == engine.Destroy {
		return failed(res.Failure), nil
	}
	outputs, err := d.outputs(ctx, f, r)
	if err != nil {
		return engine.Status{}, err
	}
	if r.Report != nil {
		report, err := r.Report(ctx)
		if err != nil {
			return engine.Status{}, fmt.Errorf("read what was notified: %w", err)
		}
		outputs = addOutputs(outputs, report.Outputs)
	}
	name := FolderName(r)
	return engine.Status{
		Done: true, Checkpoint: finished, Outputs: outputs,
		Resources: []engine.Resource{{Name: name, Identifier: name}},
	}, nil
}

// blockedError says that someone else is at work on the state.
type blockedError struct{ why string }

func (e *blockedError) Error() string { return e.why }

// waiting is the checkpoint of a run that waits for a lock.
type waiting struct {
	Since time.Time `json:"waitingSince"`
	Why   string    `json:"why"`
}

// wait has the caller come back, until the time is up.
func (d *Driver) wait(s *session, b *blockedError, checkpoint string) (engine.Status, error) {
	w := waiting{Since: time.Now().UTC()}
	json.Unmarshal([]byte(checkpoint), &w) // any other checkpoint: the wait begins now
	if waited := time.Since(w.Since); waited > d.Timeout {
		text := fmt.Sprintf("%s; waited until the time-out of %s. If nobody is at work there any more, break the lock of the state %s", b.why, d.Timeout, StateName(s.run.ResourceARN))
		s.log.Note("[hadron] " + text)
		return failed(s.presentable(text)), nil
	}
	if w.Why != b.why {
		s.log.Note("[hadron] " + b.why + ": waiting")
		w.Why = b.why
	}
	text, err := json.Marshal(w)
	return engine.Status{Wait: d.LockPoll, Checkpoint: string(text)}, err
}

// Plans is true: an apply prints its plan before it begins.
func (d *Driver) Plans() bool { return true }

// Preview plans against a copy of the state, in a folder of its own that is
// removed again. It needs no access key and takes no lock.
func (d *Driver) Preview(ctx context.Context, r engine.Run) (engine.Changes, error) {
	if err := supervisor.CheckID(r.ID); err != nil {
		return engine.Changes{}, err
	}
	r.Log = io.Discard
	work, cancel := engine.WithTimeout(ctx, d.Timeout)
	defer cancel()
	var c engine.Changes
	err := d.alone(work, r, overrideLocal, func(s *session) (err error) {
		c, err = s.preview(work)
		return err
	})
	return c, err
}

// Cancel interrupts the run, wherever on this machine it is going on, waits
// until its state is written, and sees to it that a Step that comes later does
// not start it again. Nothing is rolled back.
func (d *Driver) Cancel(ctx context.Context, r engine.Run, _ string) (engine.Status, error) {
	if err := supervisor.CheckID(r.ID); err != nil {
		return engine.Status{}, err
	}
	f, err := supervisor.Cancel(ctx, d.folder(r.ID), d.Grace)
	if err != nil {
		return engine.Status{}, err
	}
	defer f.Release()
	var res result
	if ended, err := f.Result(&res); err != nil {
		return engine.Status{}, err
	} else if ended {
		return d.ended(ctx, f, r, res)
	}
	killLeft(f)
	if _, err := d.rescue(ctx, f, r, nil); err != nil {
		return engine.Status{}, err
	}
	return engine.Status{}, d.States.Release(ctx, StateName(r.ResourceARN), r.ID)
}

// Forget removes the work folder of a run, stopping it if it is going on. The
// caller does so once the run's Status is stored: a Step after it would begin
// anew.
func (d *Driver) Forget(ctx context.Context, id string) error {
	if err := supervisor.CheckID(id); err != nil {
		return err
	}
	return supervisor.Forget(ctx, d.folder(id), d.Grace, d.remove)
}

// Sweep removes the work folders, and the inits, that nothing has happened in
// for the given time and that nobody works on. It is meant for the start of a
// server, and older should be well above any run's time.
func (d *Driver) Sweep(ctx context.Context, older time.Duration) error {
	var problems []error
	for _, kind := range []string{"runs", "previews", "inits"} {
		problems = append(problems, supervisor.Sweep(ctx, filepath.Join(d.Root, kind), older, d.remove))
	}
	return errors.Join(problems...)
}

// folder is where a run works: src, home, tmp and data, beside what a
// supervisor.Folder has.
func (d *Driver) folder(id string) string { return filepath.Join(d.Root, "runs", id) }

// remove removes a folder, but not a state that nobody has taken.
func (d *Driver) remove(f *supervisor.Folder) error {
	killLeft(f)
	if _, err := d.putAside(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return engine.RemoveFolder(f.Dir)
}

// killLeft kills what a killed supervisor has left.
func killLeft(f *supervisor.Folder) { supervisor.KillMarked(runMarker, f.Dir) }

// fresh removes what an earlier try has left, processes too, and makes the
// folders anew. It reports whether there was an earlier try.
func fresh(f *supervisor.Folder) (again bool, err error) {
	if again = f.Has("src"); again {
		killLeft(f)
	}
	for _, name := range []string{"src", "home", "tmp", "data"} {
		err := engine.RemoveFolder(f.Path(name))
		if err == nil {
			err = os.MkdirAll(f.Path(name), 0o700)
		}
		if err != nil {
			return again, err
		}
	}
	return again, nil
}

// result is how a run ended.
type result struct {
	Failure string `json:"failure,omitempty"` // empty: all went well
}
