// Package engine is the contract between deployments and the tools that carry
// them out, and holds what every such tool needs: output redaction and caps,
// deadlines, error classing.
//
// A driver knows one tool (shell commands, OpenTofu, CloudFormation). It knows
// nothing of Proton's states, of the database, or of the API: it is given a
// Run, moves it on by one step, and says where it stands. Everything that
// makes deployments safe against crashes (leases, fences, checkpoints) lives
// above it; a driver's part is that Step may be repeated with any checkpoint
// it has ever returned.
package engine

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// Goal is what a run is to achieve.
type Goal string

const (
	Apply   Goal = "APPLY"   // make the infrastructure as the files say
	Destroy Goal = "DESTROY" // remove it
)

// Method names a driver, in Proton's words for how a template is provisioned.
type Method string

const (
	CloudFormation Method = "CLOUDFORMATION"
	PullRequest    Method = "PULL_REQUEST" // Terraform that others apply
	OpenTofu       Method = "TERRAFORM"
	Command        Method = "CODEBUILD"
)

// File is one file of the working folder. Path is slash-separated and relative.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// Build holds what a CodeBuild-style manifest adds to the files.
type Build struct {
	Image     string            // build image name; opaque to the local runner
	Commands  []string          // for the run's goal, in order, in one shell session
	Variables map[string]string // plain environment variables
	// SecretsManager and ParameterStore map a variable to the reference its
	// value is fetched from ("secret-id[:json-key[:stage[:version]]]").
	SecretsManager map[string]string
	ParameterStore map[string]string
	Timeout        time.Duration // zero: the driver's default
}

// Output is one value that infrastructure offers to what is built on it.
type Output struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Resource is one entry of Proton's provisioned resources lists.
type Resource struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

// Tag is one tag on provisioned infrastructure.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Report is what was sent by NotifyResourceDeploymentStatusChange while the
// run was going on. Status is empty, IN_PROGRESS, SUCCEEDED or FAILED.
type Report struct {
	Status     string
	Message    string
	HasOutputs bool // a call carried outputs (perhaps none: an empty list replaces too)
	Outputs    []Output
}

// Repository is where a run's files go, for others to apply them.
type Repository struct {
	Provider string
	Name     string // owner/repository
	Branch   string // that pull requests are merged into
	Account  string // that has linked it
	Folder   string // of the resource
	Kind     string // environment, service_instance, service_pipeline or component
}

// Run is one attempt to make a resource real, or to remove it. ID is stored
// with the deployment and stays the same over crashes and takeovers: it is
// the idempotency key in the outside world.
type Run struct {
	ID           string // UUID
	DeploymentID string
	Goal         Goal
	ResourceARN  string
	StackName    string // unique and stable for the resource; usable as a stack name
	AccountID    string
	Region       string
	RoleARN      string // empty: the server's own identity
	Tags         []Tag  // for the infrastructure, where the tool can set them
	Files        []File
	Build        *Build      // only for Method Command
	Repository   *Repository // only for Method PullRequest
	CreatedAt    time.Time   // of the deployment
	// Force: where the tool can, a Destroy goes on without what can't be removed.
	// It has failed all the same, and says what is left.
	Force bool
	// Secrets are values inside Files or Build that are shown to nobody:
	// drivers cut them out of logs, previews and failures.
	Secrets []string

	// Log receives the run's output. It is safe for concurrent use, never
	// blocks for long and never fails.
	Log io.Writer
	// Held reports whether the run is still this server's to carry out, which it
	// may not be after it stood still; nil: it is.
	Held func(ctx context.Context) (bool, error)
	// Report reads what has been notified so far.
	Report func(ctx context.Context) (Report, error)
	// Planned takes what the run is about to change, from a Planner; nil for
	// other drivers.
	Planned func(Changes)
}

// Status says where a run stands after a step.
type Status struct {
	// Done is true once nothing is left to do. Until then the caller saves
	// Checkpoint and calls Step again after Wait.
	Done bool
	Wait time.Duration
	// Failure is why the run failed, worded for the person who deployed;
	// empty on success. Only read when Done.
	Failure string
	// Cancelled: somebody outside has called the run off, as Failure says. Only
	// read when Done.
	Cancelled bool
	// Outputs and Resources replace those of the last success. Only read when
	// Done without Failure.
	Outputs   []Output
	Resources []Resource
	// Checkpoint is opaque to all but the driver.
	Checkpoint string
}

// Changes is the answer of a preview: what a run would do, for people.
type Changes struct {
	Summary string
	Details []string
}

// Driver carries out runs with one tool.
type Driver interface {
	// Preview says what Apply or Destroy would change. It changes nothing.
	Preview(ctx context.Context, r Run) (Changes, error)

	// Step moves the run on and says where it stands. It may be called again
	// with any checkpoint it has returned, also after a crash, and must carry
	// on or do nothing. An error means that the step could not be taken and
	// is worth repeating; a run that has failed for good is a Status. When
	// ctx ends, Step stops what it started before it returns ctx's cause.
	Step(ctx context.Context, r Run, checkpoint string) (Status, error)

	// Cancel stops a run and what it started, and returns once nothing of the
	// run is going on any more, also when nothing was. A Status that is Done
	// says that the run had come to its own end before it could be stopped,
	// and how; else it was stopped. When ctx ends, Cancel returns its cause,
	// and may be called again, by another process too.
	Cancel(ctx context.Context, r Run, checkpoint string) (Status, error)
}

// Planner is implemented by drivers whose steps find out by themselves what they
// are going to change, and tell Run.Planned as soon as they know, once for a run or
// anew after a crash. The caller then makes no preview of a run that it
// carries out, which would be the same work twice.
type Planner interface {
	Plans() bool
}

// Forgetter is implemented by drivers that keep something of a run after its
// end, so that a result is never lost: a work folder. The caller calls Forget
// once the result of the run is stored for good; whatever of the run is still
// going on is stopped first. Forgetting twice, or what never was, is no error.
type Forgetter interface {
	Forget(ctx context.Context, runID string) error
}

// Leaver is implemented by drivers whose runs leave how they ended on this
// machine alone, where nobody finds it if the server dies before that is stored.
// What they answer is a checkpoint that a Step anywhere takes for the run's end,
// or empty.
type Leaver interface {
	// Left are the runs of which there is something on this machine.
	Left() ([]string, error)
	// Ended waits until nothing of a run is going on whose server is gone, and
	// hands on what is left of its log.
	Ended(ctx context.Context, runID string, log io.Writer) (checkpoint string, err error)
	// EndedAside is for a run whose server is there, but stands still.
	EndedAside(runID string, log io.Writer) (checkpoint string, err error)
}

// Set holds the drivers that this process has.
type Set map[Method]Driver
