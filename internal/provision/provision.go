// Package provision carries out what the control plane has decided: it works
// off deployments and registers template versions.
//
// A deployment is claimed, which raises its attempt number; the facts it
// renders from are recorded; its files are rendered; its engine's driver is
// stepped until the run has ended; and the end is recorded with all that
// follows from it in one transaction. Every write says which attempt it
// belongs to, so a worker that lost its lease writes nothing. Whatever line
// the process dies on, another worker claims the deployment and carries on
// from the last checkpoint; drivers look before they act.
//
// It never talks to callers and makes no rules: what an end means for a
// service is decided by package proton.
package provision

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Objects is where template bundles are read from.
type Objects interface {
	// Object opens an object for an account; the size is in bytes.
	Object(ctx context.Context, account, bucket, key string) (io.ReadCloser, int64, error)
}

// Config is what a Provisioner is made of.
type Config struct {
	Store   *store.Store
	Bundles *bundle.Library
	Engines engine.Set
	Objects Objects
	Owner   string // names this process in leases
	Logger  *slog.Logger
	// Observer is told what is done, for metrics; nil: nobody is.
	Observer Observer

	// Limited are the engines that have places of their own: what they carry out
	// is moved to where those are given away.
	Limited map[engine.Method]bool
	// RedeployInstances: a component's deployment that changes what an instance
	// sees of it is followed by one of the instance.
	RedeployInstances bool

	// Lease is how long a claimed deployment is held without a heartbeat, 10 s;
	// Heartbeat how often the lease is prolonged, 3 s. Zero: the defaults.
	Lease     time.Duration
	Heartbeat time.Duration
	// StepAttempts is how often in a row a step is tried that can't be taken
	// before the deployment counts as failed. Zero: 8.
	StepAttempts int
	// PreviewTime is how long a deployment waits for the preview of what it
	// will change before it goes on without; zero: none is made.
	PreviewTime time.Duration
}

// Provisioner works off deployments and registrations. It is safe for
// concurrent use.
type Provisioner struct {
	Config
	stops    stops
	ends     ends
	now      func() time.Time
	previews chan struct{} // has room for those that may run at once
}

// New makes a Provisioner.
func New(c Config) *Provisioner {
	if c.Lease == 0 {
		c.Lease = 10 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 3 * time.Second
	}
	if c.StepAttempts == 0 {
		c.StepAttempts = 8
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	return &Provisioner{
		Config: c, now: func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) },
		previews: make(chan struct{}, previewsAtOnce),
	}
}

// Handlers are the kinds of jobs that a Provisioner does.
func (p *Provisioner) Handlers() map[jobs.Kind]jobs.Handler {
	handlers := map[jobs.Kind]jobs.Handler{
		jobs.Deploy:                  p.deploy,
		jobs.RegisterTemplateVersion: p.register,
	}
	for method := range p.Engines {
		// Another server of a shared database may have limits.
		if p.Limited[method] || p.Store.Shared() {
			handlers[jobs.DeployWith(string(method))] = p.deploy
		}
	}
	return handlers
}

// Join makes this process known to those that share the database, and keeps it
// known until ctx ends. It returns once others know of it.
func (p *Provisioner) Join(ctx context.Context, group *sync.WaitGroup) error {
	if err := p.Store.Beat(ctx, p.Owner, p.Lease); err != nil {
		return err
	}
	group.Go(func() {
		p.every(ctx, p.Heartbeat, "say that this node is alive", func(ctx context.Context) error {
			return p.Store.Beat(ctx, p.Owner, p.Lease)
		})
	})
	return nil
}

// Watch queues anew, once a second, the deployments whose lease has run out,
// and the jobs of nodes that are gone. It returns when ctx ends.
func (p *Provisioner) Watch(ctx context.Context) {
	j := judge{lease: p.Lease, heartbeat: p.Heartbeat}
	looks := 0
	p.every(ctx, time.Second, "look for expired leases", func(ctx context.Context) error {
		if looks++; looks%10 == 1 {
			if n, err := p.Store.RewindJobs(ctx); err != nil {
				return err
			} else if n > 0 {
				p.Logger.WarnContext(ctx, "the clock was set back: jobs from before are due now", "jobs", n)
			}
		}
		if !p.Store.Shared() {
			return p.takeOver(ctx)
		}
		asked := time.Now()
		clock, err := p.Store.Clock(ctx)
		answered := time.Now()
		if err = errors.Join(err, p.handInEnds(ctx)); err != nil { // first of all what this node knows
			return err
		}
		if !j.may(asked, answered, clock) {
			return nil
		}
		return p.takeOver(ctx)
	})
}

func (p *Provisioner) takeOver(ctx context.Context) error {
	n, err := p.Store.RequeueExpired(ctx)
	if n > 0 {
		p.Observer.TookOver("deployments", n)
		p.Logger.WarnContext(ctx, "took over deployments whose worker is gone", "deployments", n)
	}
	if err != nil || !p.Store.Shared() {
		return err
	}
	if n, err = p.Store.TakeBackJobs(ctx); n > 0 {
		p.Observer.TookOver("jobs", n)
		p.Logger.WarnContext(ctx, "took over jobs of nodes that are gone", "jobs", n)
	}
	return err
}

// judge says whether leases that have run out tell that their holders are gone.
type judge struct {
	lease, heartbeat time.Duration

	asked, answered time.Time // around the last reading of the leases' clock
	clock           time.Time // what it said
	patience        time.Time
}

// may takes what the leases' clock says, and when it was asked and had answered.
// Leases tell nothing for a while after it has jumped, or the database was not to
// be reached: nodes that are well have to prolong theirs by the new time, or to
// hand in what has ended, first.
func (j *judge) may(asked, answered, clock time.Time) bool {
	if !j.asked.IsZero() {
		passed, slack := clock.Sub(j.clock), j.heartbeat/2
		jumped := passed < asked.Sub(j.answered)-slack || passed > answered.Sub(j.asked)+slack
		if wait := answered.Add(j.heartbeat); jumped {
			j.patience = answered.Add(j.lease)
		} else if answered.Sub(j.answered) > j.heartbeat && wait.After(j.patience) {
			j.patience = wait
		}
	}
	j.asked, j.answered, j.clock = asked, answered, clock
	return !answered.Before(j.patience)
}

// every does something at an interval until ctx ends. Each time may take at
// most three intervals.
func (p *Provisioner) every(ctx context.Context, interval time.Duration, what string, do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, 3*interval)
		if err := do(bounded); err != nil && ctx.Err() == nil {
			p.Logger.ErrorContext(ctx, what, "err", err)
		}
		cancel()
	}
}

// GiveUp ends what a job was for after its handler failed too often, so that
// nothing stays in progress without anybody working on it.
func (p *Provisioner) GiveUp(ctx context.Context, j jobs.Job, cause error) {
	p.Logger.ErrorContext(ctx, "giving up on a job", "job", string(j.Kind), "key", j.Key, "err", cause)
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		if j.Kind == jobs.RegisterTemplateVersion {
			return p.giveUpRegistration(ctx, tx, j)
		}
		d, ok, err := tx.DeploymentByID(ctx, j.Key)
		if err != nil || !ok || !d.CompletedAt.IsZero() || d.Attempt != j.Generation {
			return err
		}
		ended, err := d.End(proton.Outcome{Failure: "The deployment could not be worked on: internal error", Cause: proton.CauseInternal}, p.now())
		if err != nil {
			return err
		}
		if err := tx.SaveDeployment(ctx, ended); err != nil {
			return err
		}
		tx.After(func() { p.Observer.Ended(ended) })
		return p.settleTarget(ctx, tx, ended)
	})
	if err != nil {
		p.Logger.ErrorContext(ctx, "the end of a job was not recorded", "job", string(j.Kind), "key", j.Key, "err", err)
	}
}

func (p *Provisioner) giveUpRegistration(ctx context.Context, tx *store.Tx, j jobs.Job) error {
	v, ok, err := tx.TemplateVersionByID(ctx, j.Key)
	if err != nil || !ok || v.Status != proton.RegistrationInProgress || v.Attempt != j.Generation {
		return err
	}
	v.Status, v.StatusMessage = proton.RegistrationFailed, "The template bundle could not be registered: internal error"
	v.LastModifiedAt = p.now()
	if err := tx.SaveTemplateVersion(ctx, v); err != nil {
		return err
	}
	return p.endSync(ctx, tx, v)
}
