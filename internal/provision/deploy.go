package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// shortWait is how long a driver may ask to wait without giving up the lease.
const shortWait = 30 * time.Second

// errCancel is the cause of a step's end when the caller cancelled the deployment.
var errCancel = errors.New("cancelled by the caller")

// deploy works on one deployment until it has ended, must wait long, or is
// lost to another worker.
func (p *Provisioner) deploy(ctx context.Context, j jobs.Job) (jobs.Next, error) {
	d, ok, err := p.claim(ctx, j)
	if err != nil || !ok {
		return jobs.Done(), err
	}
	log := p.Logger.With("deployment", d.ID, "attempt", d.Attempt, "target", string(d.TargetARN()))
	log.DebugContext(ctx, "deployment claimed", "goal", string(d.Goal))
	err = p.hold(ctx, d, func(held context.Context) error { return p.work(ctx, held, d, j) })
	if errors.Is(err, errCancel) {
		d.Status = proton.Cancelling
		err = p.hold(ctx, d, func(held context.Context) error { return p.cancel(ctx, held, d) })
	}
	if err != nil {
		p.keepEnd(ctx, d)
		if late := p.handInEnds(context.WithoutCancel(ctx)); late != nil {
			return jobs.Done(), errors.Join(err, late) // before anybody may go on
		}
	}
	switch {
	case errors.Is(err, jobs.ErrLost):
		log.WarnContext(ctx, "deployment lost to another worker")
	case errors.Is(context.Cause(ctx), jobs.ErrStopping):
		log.InfoContext(ctx, "deployment handed over: the server is stopping")
		return jobs.Done(), p.handOver(context.WithoutCancel(ctx), d, proton.MilestoneHandedOver, "the server goes down", time.Time{})
	case err != nil:
		return jobs.Done(), p.failedStep(ctx, d, err)
	}
	return jobs.Done(), nil
}

// hold keeps the lease on a deployment while f works on it. f's context ends
// with errCancel when somebody cancels what is not being cancelled yet.
func (p *Provisioner) hold(ctx context.Context, d proton.Deployment, f func(context.Context) error) error {
	step, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if d.Status != proton.Cancelling {
		defer p.stops.add(d.ID, func() { cancel(errCancel) })()
	}
	return jobs.Hold(step, p.Heartbeat, func(ctx context.Context) error {
		status, err := p.Store.Heartbeat(ctx, d.ID, d.Attempt, p.Lease)
		if status == proton.Cancelling && d.Status != proton.Cancelling {
			cancel(errCancel)
		}
		return err
	}, f)
}

// claim takes the deployment of a job, and records the facts it renders from
// if this is the first time. ok is false if there is nothing to do.
func (p *Provisioner) claim(ctx context.Context, j jobs.Job) (d proton.Deployment, ok bool, err error) {
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		d, ok, err = tx.ClaimDeployment(ctx, j.Key, j.Generation, p.Owner, p.Lease)
		if err != nil || !ok {
			return err
		}
		if err := mark(ctx, tx, d); err != nil || d.Begun {
			return err
		}
		if err := gather(ctx, tx, &d); err != nil {
			return err
		}
		d.Begun = true
		return tx.SaveHeldDeployment(ctx, d)
	})
	return d, ok, err
}

// mark records in the timeline that a deployment was claimed, perhaps from a
// worker that is gone.
func mark(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	m := proton.Milestone{At: time.Now(), Kind: proton.MilestoneClaimed, Attempt: d.Attempt}
	if d.Attempt > 1 {
		before, err := tx.LastMilestone(ctx, d.ID)
		if err != nil {
			return err
		}
		if before.Abandoned() {
			m.Kind, m.Message = proton.MilestoneTakenOver, "the worker before is gone"
		}
	}
	if d.Attempt%timelineTrim == 0 {
		if err := tx.TrimTimeline(ctx, d.ID); err != nil {
			return err
		}
	}
	return tx.AddMilestone(ctx, d.ID, m)
}

// timelineTrim is after how many claims a timeline is cut to its ends.
const timelineTrim = 50

// work renders the deployment's files and steps its driver to the end. ctx
// lives as long as the worker, held only as long as the lease.
func (p *Provisioner) work(ctx, held context.Context, d proton.Deployment, j jobs.Job) error {
	if d.Inputs == nil { // nothing was ever provisioned, so nothing is to be removed
		return p.finish(ctx, d, proton.Outcome{}, nil)
	}
	log := p.newJournal(d)
	defer log.Close()
	run, method, err := p.run(held, d, log)
	driver := p.Engines[method]
	if err != nil {
		return p.notRendered(ctx, held, d, log, err)
	}
	run.Log, d.Engine = log, string(method)
	if d.Status == proton.Cancelling {
		return errCancel
	}
	if p.Limited[method] && j.Kind == jobs.Deploy {
		return p.move(ctx, d, j.Priority)
	}
	if err := p.foresee(held, d, driver, method, &run, log); err != nil {
		return err
	}
	if d.Checkpoint, err = p.Store.Checkpoint(d); err != nil {
		return err
	}
	for {
		log.reached(proton.MilestoneStepped, "")
		status, err := p.step(held, driver, method, run, d.Checkpoint)
		if cause := context.Cause(held); cause != nil && (err != nil || !status.Done) {
			return cause
		}
		if err != nil {
			fmt.Fprintf(log, "the step could not be taken: %v\n", err)
			return err
		}
		if status.Done {
			if err := p.finish(ctx, d, outcome(method, run, status), log); err != nil {
				return err
			}
			return forget(ctx, driver, run.ID)
		}
		if d.Checkpoint, err = p.saveCheckpoint(ctx, d, status.Checkpoint); err != nil {
			return err
		}
		if status.Wait > shortWait {
			return p.handOver(ctx, d, proton.MilestoneWaiting, "", p.now().Add(status.Wait))
		}
		select {
		case <-held.Done():
			return context.Cause(held)
		case <-time.After(status.Wait):
		}
	}
}

// notRendered ends a deployment that can't be given to its engine: as a failure
// if that is for good. What its facts forbid was forbidden from the beginning,
// and then nothing was ever provisioned by it; else an earlier worker may have
// begun.
func (p *Provisioner) notRendered(ctx, held context.Context, d proton.Deployment, log *journal, err error) error {
	if cause := context.Cause(held); cause != nil {
		return cause
	}
	fmt.Fprintln(log, err)
	cause := hopeless(err)
	if cause == "" {
		return engine.MarkTransient(err)
	}
	untouched := cause == proton.CauseTemplate || cause == proton.CauseSpec || d.Attempt == 1
	return p.finish(ctx, d, proton.Outcome{Failure: err.Error(), Cause: cause, Untouched: untouched}, log)
}

// hopeless says why the same facts will always fail to render or be refused;
// empty if they may not.
func hopeless(err error) proton.Cause {
	_, render := errors.AsType[*bundle.RenderError](err)
	_, spec := errors.AsType[*bundle.SpecError](err)
	_, texts := errors.AsType[*bundle.ProblemError](err)
	_, refused := errors.AsType[refusal](err)
	switch {
	case render || texts:
		return proton.CauseTemplate
	case spec:
		return proton.CauseSpec
	case errors.Is(err, errNoConnection), errors.Is(err, errNoConnectionRole):
		return proton.CauseConnection
	case errors.Is(err, errNoPipelineRole):
		return proton.CauseRole
	case refused:
		return proton.CauseEngine
	}
	return ""
}

// outcome is how a driver's last status reads for the domain. An output that has
// a secret of the run in it is as secret.
func outcome(method engine.Method, run engine.Run, s engine.Status) proton.Outcome {
	o := proton.Outcome{Failure: s.Failure, Cancelled: s.Cancelled}
	if s.Cancelled {
		return o
	}
	if method == engine.PullRequest { // the API has one word for both ways
		method = engine.OpenTofu
	}
	if s.Failure != "" {
		o.Cause = proton.CauseRun
		return o
	}
	redact := engine.NewRedactor(run.Secrets...)
	for _, out := range s.Outputs {
		sensitive := out.Sensitive || redact.String(out.Value) != out.Value
		o.Outputs = append(o.Outputs, proton.Output{Key: out.Key, Value: out.Value, Sensitive: sensitive})
	}
	for _, res := range s.Resources {
		o.Resources = append(o.Resources, proton.ProvisionedResource{Name: res.Name, Identifier: res.Identifier, Engine: string(method)})
	}
	return o
}

// forget lets a driver clean up after a run whose end is stored.
func forget(ctx context.Context, driver engine.Driver, runID string) error {
	f, ok := driver.(engine.Forgetter)
	if !ok {
		return nil
	}
	if err := f.Forget(ctx, runID); err != nil {
		return fmt.Errorf("clean up after run %s: %w", runID, err)
	}
	return nil
}

func (p *Provisioner) saveCheckpoint(ctx context.Context, d proton.Deployment, checkpoint string) (string, error) {
	return checkpoint, p.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		if err != nil {
			return err
		}
		held.Checkpoint, held.Failures, held.Engine = checkpoint, 0, d.Engine
		return tx.SaveHeldDeployment(ctx, held)
	})
}

// held reports whether no other worker has claimed a deployment.
func (p *Provisioner) held(ctx context.Context, d proton.Deployment) (bool, error) {
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		return err
	})
	if errors.Is(err, jobs.ErrLost) {
		return false, nil
	}
	return err == nil, err
}

// handOver gives up the lease and queues the deployment for any worker, at an
// instant (zero: at once). The milestone says why.
func (p *Provisioner) handOver(ctx context.Context, d proton.Deployment, kind proton.MilestoneKind, why string, at time.Time) error {
	return p.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		if err != nil {
			return err
		}
		held.Engine = cmp.Or(d.Engine, held.Engine)
		return requeue(ctx, tx, held, proton.Milestone{Kind: kind, Until: at, Message: why})
	})
}

// move gives up the lease on a deployment whose engine has places of its own, and
// queues it for them, behind what came before it.
func (p *Provisioner) move(ctx context.Context, d proton.Deployment, priority int) error {
	return p.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		if err != nil {
			return err
		}
		held.Engine = d.Engine
		m := proton.Milestone{At: time.Now(), Attempt: held.Attempt, Kind: proton.MilestoneQueued}
		if err := tx.AddMilestone(ctx, held.ID, m); err != nil {
			return err
		}
		return tx.MoveHeldDeployment(ctx, held, priority)
	})
}

// requeue queues a held deployment anew. What happened while it was held is looked
// at now and not in time; only a step that can't be taken keeps its pause.
func requeue(ctx context.Context, tx *store.Tx, held proton.Deployment, m proton.Milestone) error {
	m.At, m.Attempt = time.Now(), held.Attempt
	if held.Woken && (m.Kind != proton.MilestoneRetrying || held.Status == proton.Cancelling) {
		m.Until = time.Time{}
	}
	if err := tx.AddMilestone(ctx, held.ID, m); err != nil {
		return err
	}
	return tx.RequeueHeldDeployment(ctx, held, m.Until)
}

// longestPause is the power of two of the seconds between two tries to take a
// step: about four minutes.
const longestPause = 8

// failedStep queues a deployment whose step could not be taken anew, later
// each time, and in the end gives up on it.
func (p *Provisioner) failedStep(ctx context.Context, d proton.Deployment, cause error) error {
	if ctx.Err() != nil {
		return cause // the lease runs out and someone else tries
	}
	why := presentable(d, cause.Error())
	giveUp := false
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		if err != nil {
			return err
		}
		held.Failures++
		p.Logger.WarnContext(ctx, "a deployment's step failed", "deployment", d.ID, "attempt", d.Attempt, "failures", held.Failures, "err", why)
		if giveUp = held.Failures >= int64(p.StepAttempts) || !engine.Transient(cause); giveUp {
			return nil
		}
		next := p.now().Add(time.Second << min(held.Failures, longestPause))
		return requeue(ctx, tx, held, proton.Milestone{Kind: proton.MilestoneRetrying, Until: next, Message: why})
	})
	if err != nil || !giveUp {
		return err
	}
	if err := p.finish(ctx, d, proton.Outcome{Failure: why, Cause: proton.CauseStep}, nil); err != nil {
		return err
	}
	for _, driver := range p.Engines { // whichever had it: what it left may be what stands in the way
		if err := forget(ctx, driver, d.RunID); err != nil {
			return err
		}
	}
	return nil
}

// cancel stops what runs of a deployment and records that it is cancelled, or
// how it ended if it was faster.
func (p *Provisioner) cancel(ctx, held context.Context, d proton.Deployment) error {
	err := p.Store.View(held, func(tx *store.Tx) (err error) {
		d, err = tx.HeldDeployment(held, d.ID, d.Attempt) // with the last checkpoint
		return err
	})
	if err != nil {
		return err
	}
	log := p.newJournal(d)
	defer log.Close()
	run, method, err := p.run(held, d, log)
	driver := p.Engines[method]
	end := proton.Outcome{Cancelled: true}
	if err == nil {
		run.Log, d.Engine = log, string(method)
		if d.Checkpoint, err = p.Store.Checkpoint(d); err != nil {
			return err
		}
		var status engine.Status
		if status, err = p.stopRun(held, driver, method, run, d.Checkpoint); status.Done {
			end = outcome(method, run, status)
		}
	}
	switch cause := context.Cause(held); {
	case err != nil && cause != nil:
		return cause
	case err != nil && engine.Transient(err):
		return err
	case err != nil:
		why := "The deployment could not be cancelled: " + presentable(d, err.Error())
		return p.finish(ctx, d, proton.Outcome{Failure: why, Cause: proton.CauseCancel}, log)
	}
	if err := p.finish(ctx, d, end, log); err != nil {
		return err
	}
	return forget(ctx, driver, run.ID)
}
