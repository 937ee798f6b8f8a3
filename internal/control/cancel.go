package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// cancel records that a resource's running deployment is to be stopped, and
// tells the worker that has it.
func (p *Plane) cancel(ctx context.Context, tx *store.Tx, r proton.Deployable) (proton.Deployable, error) {
	d, found, err := tx.DeploymentByID(ctx, r.LastAttemptedDeploymentID)
	if err != nil {
		return r, err
	}
	if !found {
		return r, proton.NoDeployment(r.LastAttemptedDeploymentID)
	}
	next, d, err := proton.PlanCancel(r, d, p.now())
	if err != nil {
		return r, err
	}
	if p.Cancelled != nil {
		tx.After(func() { p.Cancelled(d.ID) })
	}
	asked := proton.Milestone{At: p.now(), Kind: proton.MilestoneCancelRequested}
	if err := tx.AddMilestone(ctx, d.ID, asked); err != nil {
		return r, err
	}
	if err := tx.SaveDeployment(ctx, d); err != nil {
		return r, err
	}
	return next, tx.WakeDeployment(ctx, d.ID) // one that waits for something outside
}

// CancelEnvironmentDeployment asks for an environment's running deployment to
// be stopped. NotFound, Conflict.
func (p *Plane) CancelEnvironmentDeployment(ctx context.Context, in *api.CancelEnvironmentDeploymentInput) (*api.CancelEnvironmentDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "CancelEnvironmentDeployment", s.EnvironmentARN(*in.EnvironmentName)); err != nil {
		return nil, err
	}
	out := &api.CancelEnvironmentDeploymentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := tx.Environment(ctx, s, *in.EnvironmentName)
		if err != nil {
			return err
		}
		if e.Deployable, err = p.cancel(ctx, tx, e.Deployable); err != nil {
			return err
		}
		out.Environment = toEnvironment(e)
		return tx.SaveEnvironment(ctx, e)
	})
	return out, err
}

// CancelServiceInstanceDeployment asks for an instance's running deployment to
// be stopped. NotFound, Conflict.
func (p *Plane) CancelServiceInstanceDeployment(ctx context.Context, in *api.CancelServiceInstanceDeploymentInput) (*api.CancelServiceInstanceDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "CancelServiceInstanceDeployment", s.ServiceInstanceARN(*in.ServiceName, *in.ServiceInstanceName)); err != nil {
		return nil, err
	}
	out := &api.CancelServiceInstanceDeploymentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		i, err := tx.ServiceInstance(ctx, s, *in.ServiceName, *in.ServiceInstanceName)
		if err != nil {
			return err
		}
		if i.Deployable, err = p.cancel(ctx, tx, i.Deployable); err != nil {
			return err
		}
		out.ServiceInstance = toServiceInstance(i)
		return tx.SaveServiceInstance(ctx, i)
	})
	return out, err
}

// CancelServicePipelineDeployment asks for a pipeline's running deployment to
// be stopped. NotFound, Conflict.
func (p *Plane) CancelServicePipelineDeployment(ctx context.Context, in *api.CancelServicePipelineDeploymentInput) (*api.CancelServicePipelineDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "CancelServicePipelineDeployment", s.ServiceARN(*in.ServiceName)); err != nil {
		return nil, err
	}
	out := &api.CancelServicePipelineDeploymentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Service(ctx, s, *in.ServiceName); err != nil {
			return err
		}
		pipeline, err := tx.Pipeline(ctx, s, *in.ServiceName)
		if err == nil && pipeline == nil {
			err = proton.NoPipeline(s, *in.ServiceName)
		}
		if err != nil {
			return err
		}
		if pipeline.Deployable, err = p.cancel(ctx, tx, pipeline.Deployable); err != nil {
			return err
		}
		out.Pipeline = toPipeline(pipeline)
		return tx.SavePipeline(ctx, *pipeline)
	})
	return out, err
}
