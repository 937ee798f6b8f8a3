package control

import (
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// PreviewCreation says what a create call would have made, and what its engines
// would be given, without making anything: the call is carried out with all its
// checks in a transaction that is undone. A pipeline is left out: it renders
// what its instances put out. Invalid, and what the call itself answers.
func (p *Plane) PreviewCreation(ctx context.Context, in *api.PreviewCreationInput) (*api.PreviewCreationOutput, error) {
	c, err := p.creation(in)
	if err != nil {
		if refused := p.authorize(ctx, "PreviewCreation", anyResource); refused != nil {
			return nil, refused
		}
		return nil, err
	}
	plans, left, err := p.try(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &api.PreviewCreationOutput{NotPreviewed: left}
	for _, plan := range plans {
		preview, err := p.preview(ctx, plan)
		if err != nil {
			return nil, err
		}
		out.Previews = append(out.Previews, *preview)
	}
	return out, nil
}

// try carries a call out in a transaction that is undone. It answers what the
// call would deploy, and what of it can't be previewed.
func (p *Plane) try(ctx context.Context, c trial) (plans []planned, left []string, err error) {
	made := false // else the same call was made before
	err = c.call(store.BeforeCommit(ctx, func(ctx context.Context, tx *store.Tx) error {
		made, plans, left = true, nil, nil
		ids, err := c.started(ctx, tx, scopeOf(ctx))
		if err != nil {
			return err
		}
		for _, id := range ids {
			d, err := tx.Deployment(ctx, scopeOf(ctx), id)
			if err != nil {
				return err
			}
			if !d.Ready && d.TargetType == proton.TargetPipeline {
				left = append(left, string(d.TargetARN())+": a pipeline is rendered with the outputs of its instances, which are not there yet")
				continue
			}
			plan, err := p.foresee(ctx, tx, d)
			if err != nil {
				return err
			}
			plans = append(plans, plan)
		}
		return errRollBack{}
	}))
	if err = tried(err); err == nil && !made {
		err = proton.Errorf(proton.Conflict, "The same call has made it already: preview a deployment of it instead.")
	}
	return plans, left, err
}

// trial is a call to be tried, and what finds the deployments that it has
// started.
type trial struct {
	call    func(context.Context) error
	started func(context.Context, *store.Tx, proton.Scope) ([]string, error)
}

func (p *Plane) creation(in *api.PreviewCreationInput) (c trial, err error) {
	var given []string
	if r := in.Environment; r != nil {
		given = append(given, "environment")
		c.call = func(ctx context.Context) error { _, err := p.CreateEnvironment(ctx, r); return err }
		c.started = lastOf(func(s proton.Scope) deployed { return environmentTarget(s, *r.Name) })
	}
	if r := in.ServiceInstance; r != nil {
		given = append(given, "serviceInstance")
		c.call = func(ctx context.Context) error { _, err := p.CreateServiceInstance(ctx, r); return err }
		c.started = lastOf(func(s proton.Scope) deployed { return instanceTarget(s, *r.ServiceName, *r.Name) })
	}
	if r := in.Component; r != nil {
		given = append(given, "component")
		c.call = func(ctx context.Context) error { _, err := p.CreateComponent(ctx, r); return err }
		c.started = lastOf(func(s proton.Scope) deployed { return componentTarget(s, *r.Name) })
	}
	if r := in.Service; r != nil {
		given = append(given, "service")
		c.call = func(ctx context.Context) error { _, err := p.CreateService(ctx, r); return err }
		c.started = func(ctx context.Context, tx *store.Tx, s proton.Scope) ([]string, error) {
			return lastOfService(ctx, tx, s, *r.Name)
		}
	}
	if len(given) != 1 {
		return c, proton.Errorf(proton.Invalid, "Specify exactly one of environment, service, serviceInstance and component, with the input of the call that creates it; given: %s.",
			strings.Join(append(given, "none")[:max(1, len(given))], ", "))
	}
	return c, nil
}

// lastOf finds the deployment that a target was given last.
func lastOf(target func(proton.Scope) deployed) func(context.Context, *store.Tx, proton.Scope) ([]string, error) {
	return func(ctx context.Context, tx *store.Tx, s proton.Scope) ([]string, error) {
		_, r, err := target(s)(ctx, tx)
		return []string{r.LastAttemptedDeploymentID}, err
	}
}

// lastOfService finds those of a service's instances and pipeline.
func lastOfService(ctx context.Context, tx *store.Tx, s proton.Scope, name string) (ids []string, err error) {
	instances, err := tx.InstancesOfService(ctx, s, name)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		ids = append(ids, i.LastAttemptedDeploymentID)
	}
	pipeline, err := tx.Pipeline(ctx, s, name)
	if pipeline != nil {
		ids = append(ids, pipeline.LastAttemptedDeploymentID)
	}
	return ids, err
}
