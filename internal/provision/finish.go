package provision

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// finish records how a deployment ended, with everything that follows from it:
// its target's state, the service's, and the deployments that waited for it.
// One transaction, which also writes what is left of its journal, if it has one;
// jobs.ErrLost if the deployment is another worker's by now.
func (p *Provisioner) finish(ctx context.Context, d proton.Deployment, o proton.Outcome, j *journal) error {
	var ended proton.Deployment
	var left store.Entries
	if j != nil {
		left = j.rest()
	}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldDeployment(ctx, d.ID, d.Attempt)
		if err != nil {
			return err
		}
		held.Engine = cmp.Or(d.Engine, held.Engine)
		if ended, err = held.End(o, p.now()); err != nil {
			return err
		}
		if err := tx.AppendHeld(ctx, d.ID, d.Attempt, left); err != nil {
			return err
		}
		if err := tx.SaveHeldDeployment(ctx, ended); err != nil {
			return err
		}
		if err := p.settleTarget(ctx, tx, ended); err != nil {
			return err
		}
		return tx.CompleteJob(ctx)
	})
	if err != nil && j != nil {
		j.write(left)
	}
	if err == nil {
		p.Observer.Ended(ended)
		p.Logger.InfoContext(ctx, "deployment ended", "deployment", d.ID, "attempt", d.Attempt,
			"target", string(d.TargetARN()), "goal", string(d.Goal), "status", string(ended.Status))
	}
	return err
}

// settleTarget carries a deployment's end over to what it deployed, and to the
// sync that asked for it.
func (p *Provisioner) settleTarget(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	if err := p.settle(ctx, tx, d); err != nil || d.ServiceName == "" {
		return err
	}
	subject, key := proton.SubjectInstance, proton.InstanceStateKey(d.ServiceName, d.InstanceName)
	if d.TargetType == proton.TargetPipeline {
		subject, key = proton.SubjectPipeline, d.ServiceName
	}
	status, event, text := d.SyncResult()
	if err := tx.EndSyncAttempt(ctx, d.Scope, subject, key, proton.EventDeploymentStarted, d.ID, status, event, text, p.now()); err != nil {
		return err
	}
	return tx.WakeSync(ctx, d.Scope, d.ServiceName)
}

func (p *Provisioner) settle(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	removed := d.RemovesTarget()
	switch d.TargetType {
	case proton.TargetEnvironment:
		e, err := tx.Environment(ctx, d.Scope, d.EnvironmentName)
		if err != nil {
			return err
		}
		if removed {
			return tx.DeleteEnvironment(ctx, e)
		}
		e.Deployable = e.Finish(d)
		return tx.SaveEnvironment(ctx, e)

	case proton.TargetServiceInstance:
		i, err := tx.ServiceInstance(ctx, d.Scope, d.ServiceName, d.InstanceName)
		if err != nil {
			return err
		}
		if removed {
			err = tx.DeleteServiceInstance(ctx, i)
		} else {
			i.Deployable = i.Finish(d)
			err = tx.SaveServiceInstance(ctx, i)
		}
		if err != nil {
			return err
		}
		return p.settleService(ctx, tx, d)

	case proton.TargetComponent:
		return p.settleComponent(ctx, tx, d)

	case proton.TargetPipeline:
		pipeline, err := tx.Pipeline(ctx, d.Scope, d.ServiceName)
		if err != nil {
			return err
		}
		if pipeline == nil {
			return proton.NoPipeline(d.Scope, d.ServiceName)
		}
		if removed {
			err = tx.DeletePipeline(ctx, *pipeline)
		} else {
			pipeline.Deployable = pipeline.Finish(d)
			err = tx.SavePipeline(ctx, *pipeline)
		}
		if err != nil {
			return err
		}
		return p.settleService(ctx, tx, d)
	}
	return proton.Errorf(proton.Internal, "nothing settles deployments of a %s", d.TargetType)
}

// settleService carries the end of one part over to the service and to the
// parts that waited for it.
func (p *Provisioner) settleService(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	service, err := tx.Service(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	instances, err := tx.InstancesOfService(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	pipeline, err := tx.Pipeline(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	waiting, err := waitingPipeline(ctx, tx, pipeline)
	if err != nil {
		return err
	}
	settled, err := proton.Settle(service, instances, pipeline, waiting != nil)
	if err != nil {
		return err
	}
	service, changed, err := adoptSpec(service, d)
	if err != nil {
		return fmt.Errorf("adopt the spec of deployment %s: %w", d.ID, err)
	}
	if changed && settled.Status == "" {
		if err := tx.SaveService(ctx, service); err != nil {
			return err
		}
		service.Revision++
	}
	return p.carryOut(ctx, tx, settled, service, instances, pipeline, waiting)
}

// waitingPipeline is the deployment of a pipeline that waits for the instances;
// nil if there is none.
func waitingPipeline(ctx context.Context, tx *store.Tx, pipeline *proton.Pipeline) (*proton.Deployment, error) {
	if pipeline == nil || !pipeline.Status.Running() {
		return nil, nil
	}
	d, err := tx.Deployment(ctx, pipeline.Scope, pipeline.LastAttemptedDeploymentID)
	if err != nil || d.Ready {
		return nil, err
	}
	return &d, nil
}

// adoptSpec takes over into the service's spec what a succeeded deployment of
// one part has deployed, so that the spec says what is in force. The spec of an
// update in progress is adopted as a whole at its end; an instance that the
// update leaves alone may have been deployed with other values meanwhile, which
// that spec must not undo.
func adoptSpec(service proton.Service, d proton.Deployment) (proton.Service, bool, error) {
	u := service.Update
	if d.RemovesTarget() && d.TargetType == proton.TargetServiceInstance && u == nil && service.Status != proton.ServiceDeleteInProgress {
		spec, err := bundle.DropInstance(service.Spec, d.InstanceName) // removed by itself
		changed := err == nil && spec != service.Spec
		if changed {
			service.Spec, service.Creation.Modified = spec, true
		}
		return service, changed, err
	}
	if d.Status != proton.Succeeded || d.Target.Spec == service.Spec ||
		u != nil && (d.TargetType == proton.TargetPipeline || slices.Contains(u.Added, d.InstanceName)) {
		return service, false, nil
	}
	var spec string
	var err error
	if d.TargetType == proton.TargetPipeline {
		spec, err = bundle.MergePipeline(service.Spec, d.Target.Spec)
	} else {
		spec, err = bundle.MergeInstance(service.Spec, d.Target.Spec, d.InstanceName)
	}
	changed := err == nil && spec != service.Spec
	if changed {
		service.Spec, service.Creation.Modified = spec, true
	}
	if changed && u != nil {
		next := *u
		next.Spec, err = bundle.MergeInstance(u.Spec, d.Target.Spec, d.InstanceName)
		service.Update = &next
	}
	return service, changed, err
}

// carryOut does what a settlement says.
func (p *Provisioner) carryOut(ctx context.Context, tx *store.Tx, s proton.Settlement, service proton.Service, instances []proton.ServiceInstance, pipeline *proton.Pipeline, waiting *proton.Deployment) error {
	switch {
	case s.Remove:
		return tx.DeleteService(ctx, service)
	case s.StartPipeline:
		return tx.ReleaseDeployment(ctx, waiting.ID)
	case s.StartInstances, s.StartRemovals:
		for _, i := range instances {
			if i.Status != proton.DeleteInProgress {
				continue
			}
			if err := tx.ReleaseDeployment(ctx, i.LastAttemptedDeploymentID); err != nil {
				return err
			}
		}
		return nil
	case s.Status == "":
		return nil
	}
	if s.Revert {
		if err := p.revert(ctx, tx, service, instances, pipeline, waiting); err != nil {
			return err
		}
	}
	if s.EndUpdate && service.Status == proton.ServiceUpdateInProgress {
		service.Spec = service.Update.Spec
	}
	if s.FailPipeline != "" {
		if err := p.failWaiting(ctx, tx, *waiting, s.FailPipeline); err != nil {
			return err
		}
	}
	return tx.SaveService(ctx, service.Apply(s, p.now()))
}

// failWaiting ends a pipeline's deployment that was never started.
func (p *Provisioner) failWaiting(ctx context.Context, tx *store.Tx, d proton.Deployment, why string) error {
	ended, err := d.End(proton.Outcome{Failure: why, Cause: proton.CausePrecedent, Untouched: true}, p.now())
	if err != nil {
		return err
	}
	if err := tx.SaveDeployment(ctx, ended); err != nil {
		return err
	}
	tx.After(func() { p.Observer.Ended(ended) })
	pipeline, err := tx.Pipeline(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	pipeline.Deployable = pipeline.Finish(ended)
	return tx.SavePipeline(ctx, *pipeline)
}

// revert undoes an update whose additions did not all succeed: what waited is
// put back as it was, and every added instance is removed.
func (p *Provisioner) revert(ctx context.Context, tx *store.Tx, service proton.Service, instances []proton.ServiceInstance, pipeline *proton.Pipeline, waiting *proton.Deployment) error {
	before := map[string]proton.Deployable{}
	for _, r := range service.Update.Removed {
		before[r.Name] = r.Deployable
	}
	for _, i := range instances {
		was, removed := before[i.Name]
		switch {
		case removed: // its removal never began
			if err := tx.DeleteDeployment(ctx, i.LastAttemptedDeploymentID); err != nil {
				return err
			}
			i.Deployable = was
		case slices.Contains(service.Update.Added, i.Name):
			next, d, err := proton.PlanDestroy(i.Scope, proton.TargetServiceInstance, i.Deployable, i.TemplateName, uuid.NewString, p.now())
			if err != nil {
				return err
			}
			d.ServiceName, d.InstanceName, d.EnvironmentName = i.ServiceName, i.Name, i.EnvironmentName
			i.Deployable = next
			if err := tx.InsertDeployments(ctx, d); err != nil {
				return err
			}
		default:
			continue
		}
		if err := tx.SaveServiceInstance(ctx, i); err != nil {
			return err
		}
	}
	if pipeline == nil || waiting == nil {
		return nil
	}
	if err := tx.DeleteDeployment(ctx, waiting.ID); err != nil {
		return err
	}
	pipeline.Deployable = *service.Update.Pipeline
	return tx.SavePipeline(ctx, *pipeline)
}
