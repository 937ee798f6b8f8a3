package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// removable finds a resource that a caller wants to be rid of and may: the
// action is one of our own, on the resource. A pipeline is part of its service.
func (p *Plane) removable(ctx context.Context, operation, name string) (proton.Resource, error) {
	r, err := p.named(ctx, operation, name)
	if err != nil {
		return r, err
	}
	arn := r.ARN()
	if r.Type == proton.ResourcePipeline {
		arn = r.Scope.ServiceARN(r.Name)
	}
	if err := p.authorize(ctx, operation, arn); err != nil {
		return r, err
	}
	if _, ok := parts[r.Type]; !ok && r.Type != proton.ResourceService {
		err = proton.Errorf(proton.Invalid, "Resource %s has nothing deployed: name an environment, a service, a service instance, a pipeline or a component.", arn)
	}
	return r, err
}

// AbandonResource forgets a resource and leaves what it has provisioned as it
// is. A running deployment of it ends where it is. Invalid, NotFound, Conflict.
func (p *Plane) AbandonResource(ctx context.Context, in *api.AbandonResourceInput) (*api.AbandonResourceOutput, error) {
	r, err := p.removable(ctx, "AbandonResource", *in.Resource)
	if err != nil {
		return nil, err
	}
	out := &api.AbandonResourceOutput{ResourceArn: text(r.ARN())}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		a := &abandonment{plane: p, tx: tx}
		err := a.resource(ctx, r)
		out.Left = toDeployedThings(a.left)
		return err
	})
	return out, err
}

// abandonment is what one call gives up.
type abandonment struct {
	plane *Plane
	tx    *store.Tx
	left  []proton.ProvisionedResource
}

func (a *abandonment) resource(ctx context.Context, r proton.Resource) error {
	switch r.Type {
	case proton.ResourceEnvironment:
		return a.environment(ctx, r)
	case proton.ResourceComponent:
		c, err := a.tx.Component(ctx, r.Scope, r.Name)
		if err != nil {
			return err
		}
		if err := a.deployable(ctx, c.Deployable); err != nil {
			return err
		}
		return a.tx.DeleteComponent(ctx, c)
	case proton.ResourceService:
		return a.service(ctx, r)
	}
	return a.part(ctx, r)
}

// deployable ends the running deployment of what is given up, and remembers
// what it leaves behind.
func (a *abandonment) deployable(ctx context.Context, r proton.Deployable) error {
	good, _, err := a.tx.DeploymentByID(ctx, r.LastSucceededDeploymentID)
	if err != nil {
		return err
	}
	a.left = append(a.left, good.Resources...)
	d, found, err := a.tx.DeploymentByID(ctx, r.LastAttemptedDeploymentID)
	if err != nil || !found || !d.CompletedAt.IsZero() {
		return err
	}
	ended, err := d.Abandon(a.plane.now())
	if err != nil {
		return err
	}
	if a.plane.Cancelled != nil {
		a.tx.After(func() { a.plane.Cancelled(d.ID) })
	}
	return a.tx.SaveDeployment(ctx, ended)
}

func (a *abandonment) environment(ctx context.Context, r proton.Resource) error {
	e, err := a.tx.Environment(ctx, r.Scope, r.Name)
	if err != nil {
		return err
	}
	instances, components, err := dependents(ctx, a.tx, e)
	if err != nil {
		return err
	}
	idle := e
	idle.Status = proton.Succeeded // that it is busy is no reason
	if err := proton.RefuseEnvironmentDelete(idle, instances, components); err != nil {
		return err
	}
	if err := a.deployable(ctx, e.Deployable); err != nil {
		return err
	}
	return a.tx.DeleteEnvironment(ctx, e)
}

func (a *abandonment) service(ctx context.Context, r proton.Resource) error {
	service, instances, pipeline, err := serviceParts(ctx, a.tx, r)
	if err != nil {
		return err
	}
	for _, i := range instances {
		c, err := a.tx.AttachedComponent(ctx, r.Scope, r.Name, i.Name)
		if err != nil {
			return err
		}
		if c != nil {
			return proton.Errorf(proton.Conflict, "Service %s can't be abandoned because service instance %s has an attached component: %s", service.ARN(), i.ARN(), c.ARN())
		}
		if err := a.deployable(ctx, i.Deployable); err != nil {
			return err
		}
		if err := a.tx.DeleteServiceInstance(ctx, i); err != nil {
			return err
		}
	}
	if pipeline != nil {
		if err := a.deployable(ctx, pipeline.Deployable); err != nil {
			return err
		}
		if err := a.tx.DeletePipeline(ctx, *pipeline); err != nil {
			return err
		}
	}
	return a.tx.DeleteService(ctx, service)
}

func serviceParts(ctx context.Context, tx *store.Tx, r proton.Resource) (service proton.Service, instances []proton.ServiceInstance, pipeline *proton.Pipeline, err error) {
	if service, err = tx.Service(ctx, r.Scope, r.Name); err != nil {
		return service, nil, nil, err
	}
	if instances, err = tx.InstancesOfService(ctx, r.Scope, r.Name); err != nil {
		return service, nil, nil, err
	}
	pipeline, err = tx.Pipeline(ctx, r.Scope, r.Name)
	return service, instances, pipeline, err
}

// part gives up an instance or a pipeline of a service that stays.
func (a *abandonment) part(ctx context.Context, r proton.Resource) error {
	service, instances, pipeline, err := serviceParts(ctx, a.tx, r)
	if err != nil {
		return err
	}
	_, was, err := parts[r.Type].read(r)(ctx, a.tx)
	if err != nil {
		return err
	}
	if err := proton.RefusePartRemoval(service, r, len(instances)); err != nil {
		return err
	}
	if err := a.deployable(ctx, was); err != nil {
		return err
	}
	left := instances[:0]
	for _, i := range instances {
		if r.Type == proton.ResourceServiceInstance && i.Name == r.Child {
			if err := a.tx.DeleteServiceInstance(ctx, i); err != nil {
				return err
			}
			if service.Spec, err = bundle.DropInstance(service.Spec, i.Name); err != nil {
				return err
			}
			continue
		}
		left = append(left, i)
	}
	if r.Type == proton.ResourcePipeline {
		if err := a.tx.DeletePipeline(ctx, *pipeline); err != nil {
			return err
		}
		pipeline, service.HasPipeline = nil, false
	}
	if len(left) == 0 && pipeline == nil {
		return a.tx.DeleteService(ctx, service)
	}
	settled, err := proton.Settle(service, left, pipeline, false)
	if err != nil {
		return err
	}
	return a.tx.SaveService(ctx, service.Apply(settled, a.plane.now()))
}

// ForceDeleteResource starts to remove a resource that is forgotten even if
// that fails; a removal that is going on becomes such a one. Invalid, NotFound,
// Conflict.
func (p *Plane) ForceDeleteResource(ctx context.Context, in *api.ForceDeleteResourceInput) (*api.ForceDeleteResourceOutput, error) {
	r, err := p.removable(ctx, "ForceDeleteResource", *in.Resource)
	if err != nil {
		return nil, err
	}
	out := &api.ForceDeleteResourceOutput{ResourceArn: text(r.ARN())}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		ids, status, err := p.forceDelete(ctx, tx, r)
		out.DeploymentIds, out.Status = ids, &status
		return err
	})
	return out, err
}

func (p *Plane) forceDelete(ctx context.Context, tx *store.Tx, r proton.Resource) (ids []string, status string, err error) {
	if r.Type == proton.ResourceService {
		return p.forceDeleteService(ctx, tx, r)
	}
	t := parts[r.Type]
	_, was, err := t.read(r)(ctx, tx)
	if err != nil {
		return nil, "", err
	}
	if was.Status == proton.DeleteInProgress {
		return []string{was.LastAttemptedDeploymentID}, string(was.Status), force(ctx, tx, was)
	}
	if err := t.destroy(p, ctx, tx, r, true); err != nil {
		return nil, "", err
	}
	id, state, err := latest(ctx, tx, t, r)
	if id != nil {
		ids = []string{*id}
	}
	return ids, api.Value(state), err
}

// force turns the removal that is going on into a forced one.
func force(ctx context.Context, tx *store.Tx, r proton.Deployable) error {
	d, found, err := tx.DeploymentByID(ctx, r.LastAttemptedDeploymentID)
	if err != nil || !found {
		return err
	}
	return tx.SaveDeployment(ctx, d.Force())
}

func (p *Plane) forceDeleteService(ctx context.Context, tx *store.Tx, r proton.Resource) (ids []string, status string, err error) {
	service, _, _, err := serviceParts(ctx, tx, r)
	if err != nil {
		return nil, "", err
	}
	begun := service.Status == proton.ServiceDeleteInProgress
	if !begun {
		service, err = p.beginServiceDelete(ctx, tx, service, func(proton.Deployment) bool { return true })
		if err != nil {
			return nil, "", err
		}
	}
	_, instances, pipeline, err := serviceParts(ctx, tx, r)
	if proton.IsNotFound(err) {
		return nil, string(proton.DeleteComplete), nil
	}
	if err != nil {
		return nil, "", err
	}
	var all []proton.Deployable
	if pipeline != nil {
		all = append(all, pipeline.Deployable)
	}
	for _, i := range instances {
		all = append(all, i.Deployable)
	}
	for _, d := range all {
		if d.Status != proton.DeleteInProgress {
			continue
		}
		ids = append(ids, d.LastAttemptedDeploymentID)
		if begun {
			if err := force(ctx, tx, d); err != nil {
				return nil, "", err
			}
		}
	}
	return ids, string(service.Status), nil
}

func (p *Plane) destroyEnvironmentPart(ctx context.Context, tx *store.Tx, r proton.Resource, forced bool) error {
	e, err := tx.Environment(ctx, r.Scope, r.Name)
	if err != nil {
		return err
	}
	_, err = p.beginEnvironmentDelete(ctx, tx, e, forced)
	return err
}

func (p *Plane) destroyComponentPart(ctx context.Context, tx *store.Tx, r proton.Resource, forced bool) error {
	c, err := tx.Component(ctx, r.Scope, r.Name)
	if err != nil {
		return err
	}
	_, _, err = p.beginComponentDelete(ctx, tx, c, forced)
	return err
}

// destroyServicePart removes an instance by itself; while its service is being
// removed, everything that is left of that, which is the only way for a pipeline.
func (p *Plane) destroyServicePart(ctx context.Context, tx *store.Tx, r proton.Resource, forced bool) error {
	service, instances, _, err := serviceParts(ctx, tx, r)
	if err != nil {
		return err
	}
	if service.Status == proton.ServiceDeleteFailed {
		_, err := p.beginServiceDelete(ctx, tx, service, func(d proton.Deployment) bool { return forced && d.TargetARN() == r.ARN() })
		return err
	}
	if err := proton.RefusePartRemoval(service, r, len(instances)); err != nil {
		return err
	}
	i, err := tx.ServiceInstance(ctx, r.Scope, r.Name, r.Child)
	if err != nil {
		return err
	}
	c, err := tx.AttachedComponent(ctx, r.Scope, r.Name, r.Child)
	if err != nil {
		return err
	}
	if c != nil {
		return proton.Errorf(proton.Conflict, "Service instance %s can't be deleted because it has an attached component: %s", i.ARN(), c.ARN())
	}
	if err := i.RefuseBusy(); err != nil {
		return err
	}
	next, d, err := proton.PlanDestroy(i.Scope, proton.TargetServiceInstance, i.Deployable, i.TemplateName, p.newID, p.now())
	if err != nil {
		return err
	}
	d.ServiceName, d.InstanceName, d.EnvironmentName, d.Forced = i.ServiceName, i.Name, i.EnvironmentName, forced
	i.Deployable = next
	if err := tx.SaveServiceInstance(ctx, i); err != nil {
		return err
	}
	return tx.InsertDeployments(ctx, d)
}
