package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// resourceOf is what a deployment deploys, as callers name it.
func resourceOf(d proton.Deployment) (proton.Resource, part) {
	r, err := proton.ParseARN(string(d.TargetARN()))
	if err != nil {
		panic("control: a deployment's target has no ARN: " + string(d.TargetARN()))
	}
	return r, parts[r.Type]
}

// repeated reads the deployment that a call wants done once more, for a caller
// who may do that: repeating needs the permission of the call that it repeats.
func (p *Plane) repeated(ctx context.Context, id string) (d proton.Deployment, r proton.Resource, t part, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetDeployment", s.DeploymentARN(id)); err != nil {
		return d, r, t, err
	}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		d, err = p.readableDeployment(ctx, tx, id)
		return err
	})
	if err != nil {
		return d, r, t, err
	}
	r, t = resourceOf(d)
	permission := t.update
	if d.Goal == proton.GoalDestroy {
		permission = t.remove
	}
	return d, r, t, p.allow(ctx, nil, "proton:"+permission, t.arn(r))
}

// again is what a deployment deployed, to be deployed once more: the very
// bundle and spec, with the surroundings as they are now.
func again(ctx context.Context, tx *store.Tx, d proton.Deployment) (wanted, error) {
	w := wanted{target: d.Target, outputs: d.Outputs}
	w.target.EnvironmentDeploymentID, w.target.PipelineDeploymentID, w.target.ComponentDeploymentIDs = "", "", nil
	if d.TargetType == proton.TargetComponent {
		return w, nil
	}
	if d.Inputs != nil {
		w.target.BundleDigest = d.Inputs.BundleDigest
	}
	kind := proton.ServiceTemplate
	if d.TargetType == proton.TargetEnvironment {
		kind = proton.EnvironmentTemplate
	}
	v, err := tx.TemplateVersion(ctx, d.Scope, kind, d.Target.TemplateName, d.Target.Version)
	if proton.IsNotFound(err) && w.target.BundleDigest != "" {
		err = nil // the bundle is kept
	}
	w.version = v
	return w, err
}

// RetryDeployment starts a deployment that does what the last one of its
// resource was to do and did not. NotFound, Conflict.
func (p *Plane) RetryDeployment(ctx context.Context, in *api.RetryDeploymentInput) (*api.RetryDeploymentOutput, error) {
	d, r, t, err := p.repeated(ctx, *in.DeploymentId)
	if err != nil {
		return nil, err
	}
	out := &api.RetryDeploymentOutput{ResourceArn: text(d.TargetARN())}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		standing, err := stand(ctx, tx, d)
		if err != nil {
			return err
		}
		if err := d.RefuseRetry(standing); err != nil {
			return err
		}
		if d.Goal == proton.GoalDestroy {
			if err := t.destroy(p, ctx, tx, r, false); err != nil {
				return err
			}
		} else {
			w, err := again(ctx, tx, d)
			if err != nil {
				return err
			}
			if _, err := t.deploy(p, ctx, tx, r, w); err != nil {
				return err
			}
		}
		out.DeploymentId, out.Status, err = latest(ctx, tx, t, r)
		return err
	})
	return out, err
}

// latest is the last deployment of a part that was just set to work; none if
// the part is gone already.
func latest(ctx context.Context, tx *store.Tx, t part, r proton.Resource) (id, status *string, err error) {
	_, now, err := t.read(r)(ctx, tx)
	if proton.IsNotFound(err) {
		return nil, text(proton.DeleteComplete), nil
	}
	return text(now.LastAttemptedDeploymentID), text(now.Status), err
}

// RollBackDeployment starts a deployment of what an earlier one has deployed
// successfully. NotFound, Conflict.
func (p *Plane) RollBackDeployment(ctx context.Context, in *api.RollBackDeploymentInput) (*api.RollBackDeploymentOutput, error) {
	d, r, t, err := p.repeated(ctx, *in.DeploymentId)
	if err != nil {
		return nil, err
	}
	out := &api.RollBackDeploymentOutput{ResourceArn: text(d.TargetARN())}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if err := d.RefuseRollback(); err != nil {
			return err
		}
		w, err := again(ctx, tx, d)
		if err != nil {
			return err
		}
		if _, err := t.deploy(p, ctx, tx, r, w); err != nil {
			return err
		}
		out.DeploymentId, out.Status, err = latest(ctx, tx, t, r)
		return err
	})
	return out, err
}
