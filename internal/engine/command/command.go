// Package command provisions by running a manifest's commands, Proton's
// CodeBuild method, on the machine the server runs on: all commands of a run
// in one shell session, in a work folder with a scrubbed environment.
//
// The shell is not a child of the server but of a supervisor. That keeps the
// log, writes the result, and takes every process of the run down when it is told
// to, when time is up, or when the server dies. So after a crash there is either a result to be read,
// or nothing alive and the commands are run again from the first.
//
// A work folder stays until Forget is called for its run, or Sweep finds it old.
// The package never decides whether a run ought to be repeated or kept.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// Driver is an engine.Driver (and engine.Forgetter) for runs with a Build. Only
// Root must be set. Its fields are not changed once it is used.
type Driver struct {
	Root  string // folder of the work folders; made if it is not there
	Shell string // default /bin/bash, or /bin/sh where there is none

	// Environ is the server's environment, as os.Environ gives it (the
	// default). Commands get PATH, LANG, LC_ALL and TZ of it, nothing else.
	Environ []string
	Path    string // instead of PATH in Environ, if not empty

	Timeout time.Duration // for a run whose Build names none; default 60 minutes
	Grace   time.Duration // from SIGTERM to SIGKILL; default 5 seconds
	Limits  engine.LogLimits
	// Silence is after how long without a sign of life of the server its
	// commands are stopped: where another server would take over a run whose
	// server stands still. Zero: only the server's end stops them.
	Silence time.Duration

	// Credentials returns the variables of the AWS credentials for a run;
	// without it, or when it returns none, commands run without any.
	Credentials func(context.Context, engine.Run) (map[string]string, error)
	// Key returns the access key that the run's own calls of Hadron are
	// signed with, whatever AWS credentials it has; nil: none.
	Key func(context.Context, engine.Run) (accessKeyID, secret string, err error)
	// Environment returns further variables, such as AWS_ENDPOINT_URL_PROTON.
	Environment func(context.Context, engine.Run) (map[string]string, error)
	// Secret returns the value that a reference of the manifest points to.
	// Errors of all three are repeated if engine.Transient, else fail the run.
	Secret func(ctx context.Context, r engine.Run, source SecretSource, reference string) (string, error)
	// Hide are folders and files that the commands must not see, with absolute
	// paths without links; the run's own folder stays. Needs sandbox.Available.
	Hide []string
	// Keep are folders below Hide that all commands may use.
	Keep []string
	// Bounds are what each process of the commands may use; they need Hide, and do
	// not hold in a Container, whose runtime has its own.
	Bounds sandbox.Limits
	// Container is what the commands run in; nil: on the machine itself. There they
	// see the run's folder and Keep, and nothing else of the machine.
	Container *Container
}

// New returns a copy of d with the defaults filled in.
func New(d Driver) (*Driver, error) {
	if d.Root == "" {
		return nil, errors.New("command driver: the root of its work folders is not set")
	}
	root, err := filepath.Abs(d.Root)
	if err != nil {
		return nil, err
	}
	d.Root = root
	if d.Shell == "" {
		d.Shell = "/bin/sh"
		if _, err := os.Stat("/bin/bash"); err == nil {
			d.Shell = "/bin/bash"
		}
	}
	if d.Environ == nil {
		d.Environ = os.Environ()
	}
	if d.Timeout <= 0 {
		d.Timeout = time.Hour
	}
	if d.Grace <= 0 {
		d.Grace = 5 * time.Second
	}
	if d.Limits.Line <= 0 || d.Limits.Line > 16<<10 {
		d.Limits.Line = 16 << 10 // lines must fit the buffer they are delivered through
	}
	return &d, nil
}

// Preview returns the commands and the inputs file, and writes nothing.
func (d *Driver) Preview(_ context.Context, r engine.Run) (engine.Changes, error) {
	if err := check(r); err != nil {
		return engine.Changes{}, err
	}
	redact := engine.NewRedactor(r.Secrets...)
	verb := "provision"
	if r.Goal == engine.Destroy {
		verb = "deprovision"
	}
	many := "s"
	if len(r.Build.Commands) == 1 {
		many = ""
	}
	c := engine.Changes{Summary: fmt.Sprintf("run %d command%s to %s", len(r.Build.Commands), many, verb)}
	for i, text := range r.Build.Commands {
		c.Details = append(c.Details, fmt.Sprintf("command %d: %s", i+1, redact.String(text)))
	}
	for _, f := range r.Files {
		if f.Path == "proton-inputs.json" || f.Path == "proton-inputs.auto.tfvars" {
			c.Details = append(c.Details, f.Path+": "+strings.TrimSpace(redact.String(string(f.Content))))
		}
	}
	return c, nil
}

func check(r engine.Run) error {
	if err := supervisor.CheckID(r.ID); err != nil {
		return err
	}
	if r.Build == nil {
		return fmt.Errorf("run %s: there is no build to take commands from", r.ID)
	}
	return nil
}

// Step runs the commands, unless a result of an earlier try is there, on this
// machine or in the checkpoint, and returns only when the run has ended.
func (d *Driver) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	if err := check(r); err != nil {
		return engine.Status{}, err
	}
	if r.Log == nil {
		r.Log = io.Discard
	}
	f, err := claim(supervisor.Claim(ctx, filepath.Join(d.Root, r.ID), d.Grace))
	if err != nil {
		return engine.Status{}, err
	}
	defer f.Release()
	res, err := f.result()
	if err != nil {
		return engine.Status{}, err
	}
	elsewhere, err := ended(checkpoint)
	if err != nil {
		return engine.Status{}, err
	}
	switch {
	case res != nil:
		over := make(chan struct{})
		close(over)
		if err := f.deliver(r.Log, over); err != nil {
			return engine.Status{}, err
		}
	case elsewhere != nil:
		res = elsewhere
	case f.Has("cancelled"):
		return stopped(r), nil
	case len(r.Build.Commands) == 0:
		res = &result{}
	default:
		if res, err = d.run(ctx, f, r); err != nil {
			return engine.Status{}, err
		}
		if res == nil {
			return stopped(r), nil
		}
	}
	return status(ctx, r, *res)
}

func stopped(r engine.Run) engine.Status {
	return engine.Status{Done: true, Failure: fmt.Sprintf("CodeBuild build %s was stopped", buildID(r)), Checkpoint: "stopped"}
}

// run prepares and runs the commands. It returns no result if the run was
// cancelled.
func (d *Driver) run(ctx context.Context, f *folder, r engine.Run) (*result, error) {
	again, err := f.fresh()
	if err != nil {
		return nil, err
	}
	if again {
		io.WriteString(r.Log, "[hadron] the run was interrupted: it starts again from the first command\n")
	}
	j, err := d.prepare(ctx, f, r)
	if err == nil {
		err = d.write(f, r, j)
	}
	if err == nil && d.Container != nil {
		j.container, err = d.Container.place(f, r, d.Environ, d.Keep)
	}
	if fail, ok := errors.AsType[failure](err); ok {
		text := engine.NewRedactor(j.secrets...).String(fmt.Sprintf("CodeBuild build %s failed: %s", buildID(r), fail))
		io.WriteString(r.Log, "[hadron] "+engine.Clean(text)+"\n")
		return f.keep(result{Failure: text, Exit: -1, Finished: time.Now().UTC()})
	}
	if err != nil {
		return nil, err
	}
	for _, note := range j.notes {
		io.WriteString(r.Log, "[hadron] "+note+"\n")
	}
	return d.supervise(ctx, f, r, j)
}

// write fills the job folder.
func (d *Driver) write(f *folder, r engine.Run, j job) error {
	for i, text := range r.Build.Commands {
		if strings.ContainsRune(text, 0) {
			return failure(fmt.Sprintf("command %d: must not contain a NUL character", i+1))
		}
	}
	if err := engine.WriteFiles(f.Path("job", "src"), r.Files); err != nil {
		if engine.Transient(err) {
			return err
		}
		return failure(err.Error())
	}
	_, path, _ := strings.Cut(j.environment["PATH"], ":")
	if j.environment["AWS_ENDPOINT_URL_PROTON"] != "" && (d.Container != nil || engine.FindProgram(path, "aws") != "") {
		if err := f.writeAWSWrapper(); err != nil {
			return err
		}
	}
	return f.writeSession(r.Build.Commands)
}

// status words the end of a run, with what was reported meanwhile. Reported
// outputs win over the outputs file, even when they are none.
func status(ctx context.Context, r engine.Run, res result) (engine.Status, error) {
	var report engine.Report
	if r.Report != nil {
		var err error
		if report, err = r.Report(ctx); err != nil {
			return engine.Status{}, fmt.Errorf("read what was notified: %w", err)
		}
	}
	s := engine.Status{Done: true, Failure: res.Failure, Checkpoint: res.checkpoint()}
	if report.Status == "FAILED" {
		said := report.Message
		if said == "" {
			said = "the commands notified the status FAILED"
		}
		if s.Failure == "" {
			s.Failure = said
		} else if report.Message != "" {
			s.Failure += " (notified: " + said + ")"
		}
	}
	if s.Failure != "" || r.Goal == engine.Destroy {
		return s, nil
	}
	s.Outputs = res.Outputs
	if report.HasOutputs {
		s.Outputs = report.Outputs
	}
	return s, nil
}

// Cancel stops the run, wherever on this machine it is going on, and sees to
// it that a Step that comes later does not start it again.
func (d *Driver) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	if err := check(r); err != nil {
		return engine.Status{}, err
	}
	f, err := claim(supervisor.Cancel(ctx, filepath.Join(d.Root, r.ID), d.Grace))
	if err != nil {
		return engine.Status{}, err
	}
	defer f.Release()
	if err := f.killLeft(); err != nil {
		return engine.Status{}, err
	}
	res, err := f.result()
	if err == nil && res == nil {
		res, err = ended(checkpoint)
	}
	if err != nil || res == nil {
		return engine.Status{}, err
	}
	return status(ctx, r, *res)
}

// Forget removes the work folder of a run, stopping it if it is going on. The
// caller does so once the run's Status is stored: a Step after it would begin
// anew.
func (d *Driver) Forget(ctx context.Context, id string) error {
	if err := supervisor.CheckID(id); err != nil {
		return err
	}
	return supervisor.Forget(ctx, filepath.Join(d.Root, id), d.Grace, remove)
}

func remove(f *supervisor.Folder) error {
	if err := (&folder{f}).killLeft(); err != nil {
		return err
	}
	return engine.RemoveFolder(f.Dir)
}

// Sweep removes the work folders that nothing has happened in for the given
// time and that nobody works on, for runs whose Forget was lost. It is meant
// for the start of a server, and older should be well above any run's time.
func (d *Driver) Sweep(ctx context.Context, older time.Duration) error {
	return supervisor.Sweep(ctx, d.Root, older, remove)
}
