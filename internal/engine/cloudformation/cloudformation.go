// Package cloudformation carries out runs with AWS CloudFormation: one run is
// one change set on one stack.
//
// The stack of a resource is called as its run says, then "--" and 15 letters
// that follow from the resource's ARN: whoever looks again finds the same
// stack. Each operation carries the run's ID as its token and each change set
// is named after it, so a step first looks at the stack, its newest events and
// its change set, and knows from them alone how far the run has come. The
// checkpoint only saves work: what was logged, and how long to wait.
//
// The package hides the statuses of stacks and change sets, roles, and the
// differences between errors that pass and those that stay. What runs at AWS
// goes on without this server and is found again; only Cancel, or the end of a
// run's time, stops it. It never passes a role on to CloudFormation, never
// touches a stack of another name and never reads the process environment
// beyond the AWS credential chain.
package cloudformation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// Config is what a driver needs. The zero Config is real AWS.
type Config struct {
	Endpoint string           // base URL of CloudFormation; empty: AWS's own for the run's region
	Identity *identity.Source // nil: the AWS default chain
	// Bucket is one of the server's own that templates are put into which are too
	// large for a request; empty: one made on demand in the account of the stack.
	Bucket     string
	S3Endpoint string // base URL of S3; empty: AWS's own

	PollMin time.Duration // first wait between looks at a stack; default 1 s
	PollMax time.Duration // longest one; default 15 s
	// Timeout is after how long a run is stopped: an update is rolled back, a
	// stack that was being created deleted. Default 12 hours.
	Timeout time.Duration
	Limits  engine.LogLimits
	Logger  *slog.Logger // nil: no logs
}

// Driver is the engine.Driver of the method engine.CloudFormation. It is safe
// for concurrent use.
type Driver struct {
	Config
	http *awshttp.BuildableClient
}

// New returns a driver. It connects to nothing yet.
func New(c Config) *Driver {
	if c.PollMin <= 0 {
		c.PollMin = time.Second
	}
	if c.PollMax <= 0 {
		c.PollMax = 15 * time.Second
	}
	c.PollMax = max(c.PollMin, c.PollMax)
	if c.Timeout <= 0 {
		c.Timeout = 12 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Identity == nil {
		c.Identity = identity.New(identity.Config{})
	}
	return &Driver{Config: c, http: identity.HTTPClient()}
}

// session is one call's work on one run.
type session struct {
	*Driver
	api    *cfn.Client
	run    engine.Run
	name   string // of the stack
	cp     checkpoint
	redact *engine.Redactor
	log    *engine.Log
	// deleting is true once a deletion was seen that Cancel has to outlast.
	deleting bool
}

func (d *Driver) open(r engine.Run, saved string) (*session, error) {
	name, err := StackName(r)
	if err != nil {
		return nil, engine.MarkPermanent(err)
	}
	api, err := d.client(r)
	if err != nil {
		return nil, err
	}
	if r.Log == nil {
		r.Log = io.Discard
	}
	s := &session{Driver: d, api: api, run: r, name: name, cp: parse(saved), redact: engine.NewRedactor(r.Secrets...)}
	s.log = engine.NewLog(r.Log, s.redact, d.Limits)
	return s, nil
}

// Step looks at the stack and takes the one action that is due. It never waits
// for CloudFormation longer than a request takes.
func (d *Driver) Step(ctx context.Context, r engine.Run, saved string) (engine.Status, error) {
	if ctx.Err() != nil {
		return engine.Status{}, context.Cause(ctx)
	}
	s, err := d.open(r, saved)
	var st engine.Status
	if err == nil {
		defer s.log.Close()
		st, err = s.step(ctx)
	}
	switch err := classed(ctx, r, err); {
	case err == nil:
		st.Failure = s.clean(st.Failure)
		return st, nil
	case ctx.Err() != nil || engine.Transient(err):
		return engine.Status{}, err
	default:
		text := engine.Clean(engine.NewRedactor(r.Secrets...).String(err.Error()))
		d.Logger.InfoContext(ctx, "a run was refused", "deployment", r.DeploymentID, "engine", engine.CloudFormation, "err", text)
		return failed(text), nil
	}
}

func (s *session) step(ctx context.Context) (engine.Status, error) {
	v, err := s.look(ctx)
	if err != nil {
		return engine.Status{}, err
	}
	s.report(v.events)
	if s.cp.Stopping == "" && s.cp.Refused == nil && time.Since(s.cp.Started) > s.Timeout {
		s.cp.Stopping = fmt.Sprintf("stack %s: still running at the time-out of %s", s.name, s.Timeout)
		s.log.Note("[hadron] " + s.cp.Stopping)
	}
	switch {
	case s.cp.Refused != nil:
		return s.tidy(ctx, v)
	case s.cp.Stopping != "" && s.run.Goal == engine.Destroy:
		return failed(s.cp.Stopping), nil // a deletion can't be stopped; the next one follows it
	case s.cp.Stopping != "":
		ended, err := s.stop(ctx, v)
		if err != nil || !ended {
			return s.again(), err
		}
		return failed(s.cp.Stopping), nil
	case s.run.Goal == engine.Destroy:
		return s.destroy(ctx, v)
	}
	return s.apply(ctx, v)
}

// again is the status of a run that goes on, with a wait that grows while
// nothing happens.
func (s *session) again() engine.Status {
	wait := s.PollMin
	for range s.cp.Polls {
		wait = min(wait*3/2, s.PollMax)
	}
	if wait < s.PollMax {
		s.cp.Polls++
	}
	return engine.Status{Wait: wait, Checkpoint: s.cp.String()}
}

// soon is the status of a run whose next step is due at once.
func (s *session) soon() engine.Status {
	s.cp.Polls = 0
	return engine.Status{Wait: s.PollMin, Checkpoint: s.cp.String()}
}

func failed(why string) engine.Status {
	return engine.Status{Done: true, Failure: why, Checkpoint: finished}
}

func (s *session) clean(text string) string { return engine.Clean(s.redact.String(text)) }

// Cancel rolls a running update back and deletes a stack that is being
// created; a change set that was not executed is deleted. It returns once that
// is done, which takes CloudFormation minutes. A deletion can't be stopped:
// Cancel waits for its end, and is an error if the stack is gone then.
func (d *Driver) Cancel(ctx context.Context, r engine.Run, saved string) (engine.Status, error) {
	s, err := d.open(r, saved)
	if err != nil {
		return engine.Status{}, classed(ctx, r, err)
	}
	defer s.log.Close()
	s.cp.Polls = 0
	for {
		v, err := s.look(ctx)
		if err == nil {
			s.report(v.events)
			var ended bool
			if ended, err = s.stop(ctx, v); err == nil && ended {
				if r.Goal == engine.Apply {
					s.unstage(ctx, s.changeSet())
				}
				return s.stopped(v), nil
			}
		}
		if err := classed(ctx, r, err); err != nil && (ctx.Err() != nil || !engine.Transient(err)) {
			return engine.Status{}, err
		} else if err != nil {
			d.Logger.WarnContext(ctx, "a run is not cancelled yet", "deployment", r.DeploymentID, "engine", engine.CloudFormation, "err", err)
		}
		select {
		case <-ctx.Done():
			return engine.Status{}, context.Cause(ctx)
		case <-time.After(s.again().Wait):
		}
	}
}

// stopped says whether a run that nothing is going on of had reached its goal.
func (s *session) stopped(v view) engine.Status {
	if s.run.Goal == engine.Apply && v.stack != nil && v.ours && v.purpose == theGoal {
		switch v.status() {
		case types.StackStatusCreateComplete, types.StackStatusUpdateComplete:
			return s.success(v)
		}
	}
	return engine.Status{}
}
