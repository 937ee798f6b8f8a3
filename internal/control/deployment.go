package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// GetDeployment reads a deployment with its states. Names that are given must
// match it. NotFound, Invalid.
func (p *Plane) GetDeployment(ctx context.Context, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetDeployment", s.DeploymentARN(*in.Id)); err != nil {
		return nil, err
	}
	if err := instanceNeedsService(in.ServiceName, in.ServiceInstanceName); err != nil {
		return nil, err
	}
	out := &api.GetDeploymentOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(ctx, s, *in.Id)
		if err != nil {
			return err
		}
		for _, name := range []struct {
			given *string
			is    string
		}{
			{in.EnvironmentName, d.EnvironmentName}, {in.ServiceName, d.ServiceName},
			{in.ServiceInstanceName, d.InstanceName}, {in.ComponentName, d.ComponentName},
		} {
			if name.given != nil && *name.given != name.is {
				return proton.NoDeployment(*in.Id)
			}
		}
		if err := p.authorizeTarget(ctx, tx, d); err != nil {
			return err
		}
		out.Deployment = toDeployment(d)
		return nil
	})
	return out, err
}

// ListDeployments lists deployments, newest first: all, or those of what is
// named. An environment's include those of the instances and components in it. NotFound for
// names that neither exist nor have a history, Invalid.
func (p *Plane) ListDeployments(ctx context.Context, in *api.ListDeploymentsInput) (*api.ListDeploymentsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListDeployments", anyResource); err != nil {
		return nil, err
	}
	if err := instanceNeedsService(in.ServiceName, in.ServiceInstanceName); err != nil {
		return nil, err
	}
	filter := store.DeploymentFilter{
		Environment: api.Value(in.EnvironmentName), Service: api.Value(in.ServiceName),
		Instance: api.Value(in.ServiceInstanceName), Component: api.Value(in.ComponentName),
	}
	var position store.DeploymentPosition
	paged, err := p.pagePosition(s, "ListDeployments", filter, in.NextToken, &position)
	if err != nil {
		return nil, err
	}
	after := &position
	if !paged {
		after = nil
	}
	out := &api.ListDeploymentsOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		size := pageSize(in.MaxResults)
		position := func(d proton.Deployment) *store.DeploymentPosition {
			return &store.DeploymentPosition{CreatedAt: d.CreatedAt, ID: d.ID}
		}
		rows, err := seen(ctx, func(after *store.DeploymentPosition, limit int) ([]proton.Deployment, error) {
			return tx.Deployments(ctx, s, filter, after, limit)
		}, position, func(d proton.Deployment) (bool, error) { return p.seesDeployment(ctx, tx, d) })(after, size+1)
		if err != nil {
			return err
		}
		if len(rows) == 0 && !paged {
			if err := namedExist(ctx, tx, s, filter); err != nil {
				return err
			}
		}
		rows, out.NextToken, err = page(p, s, "ListDeployments", filter, rows, size, func(d proton.Deployment) any { return position(d) })
		out.Deployments = toList(rows, toDeploymentSummary)
		return err
	})
	return out, err
}

// seesDeployment reports whether a list shows a deployment: who may not see
// what it deploys does not see it either.
func (p *Plane) seesDeployment(ctx context.Context, tx *store.Tx, d proton.Deployment) (bool, error) {
	ok, err := p.sees(ctx, tx, "proton:GetDeployment", d.DeploymentARN(d.ID))
	if err != nil || !ok {
		return false, err
	}
	action, arn := targetRead(d)
	return p.sees(ctx, tx, action, arn)
}

func instanceNeedsService(service, instance *string) error {
	if instance != nil && service == nil {
		return proton.Errorf(proton.Invalid, "serviceInstanceName can't be specified without serviceName.")
	}
	return nil
}

// namedExist refuses names that stand for nothing.
func namedExist(ctx context.Context, tx *store.Tx, s proton.Scope, f store.DeploymentFilter) error {
	if f.Environment != "" {
		if _, err := tx.Environment(ctx, s, f.Environment); err != nil {
			return err
		}
	}
	if f.Service != "" {
		if _, err := tx.Service(ctx, s, f.Service); err != nil {
			return err
		}
	}
	if f.Instance != "" {
		if _, err := tx.ServiceInstance(ctx, s, f.Service, f.Instance); err != nil {
			return err
		}
	}
	if f.Component != "" {
		_, err := tx.Component(ctx, s, f.Component)
		return err
	}
	return nil
}

// ListDeploymentLogEvents reads what a deployment's engine has written, oldest
// first. The last page of a deployment that still runs has a token too, with
// which to ask for what comes next. NotFound, Invalid.
func (p *Plane) ListDeploymentLogEvents(ctx context.Context, in *api.ListDeploymentLogEventsInput) (*api.ListDeploymentLogEventsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetDeployment", s.DeploymentARN(*in.DeploymentId)); err != nil {
		return nil, err
	}
	var after int64
	if _, err := p.pagePosition(s, "ListDeploymentLogEvents", *in.DeploymentId, in.NextToken, &after); err != nil {
		return nil, err
	}
	size := 1000
	if in.MaxResults != nil {
		size = int(*in.MaxResults)
	}
	out := &api.ListDeploymentLogEventsOutput{Events: []api.DeploymentLogEvent{}}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(ctx, s, *in.DeploymentId)
		if err != nil {
			return err
		}
		if err := p.authorizeTarget(ctx, tx, d); err != nil {
			return err
		}
		events, err := tx.Log(ctx, d.ID, after, size)
		if err != nil {
			return err
		}
		for _, e := range events {
			out.Events = append(out.Events, api.DeploymentLogEvent{Timestamp: timestamp(e.At), Message: &e.Message})
			after = e.Sequence
		}
		if len(events) == size || d.Status.Running() {
			token, err := p.pageToken(s, "ListDeploymentLogEvents", *in.DeploymentId, after)
			out.NextToken = &token
			return err
		}
		return nil
	})
	return out, err
}

// deployed reads the target of a list call: what it is and its last deployments.
type deployed func(ctx context.Context, tx *store.Tx) (proton.ARN, proton.Deployable, error)

// outputs are those of the last succeeded deployment of a target, or of the
// deployment that is named.
func (p *Plane) outputs(ctx context.Context, id *string, target deployed) (list []api.Output, err error) {
	d, ok, err := p.lastDeployment(ctx, id, target)
	if err != nil || !ok {
		return []api.Output{}, err
	}
	return toOutputs(d.Outputs), nil
}

func (p *Plane) provisionedResources(ctx context.Context, target deployed) ([]api.ProvisionedResource, error) {
	d, ok, err := p.lastDeployment(ctx, nil, target)
	if err != nil || !ok {
		return []api.ProvisionedResource{}, err
	}
	return toProvisionedResources(d.Resources), nil
}

// lastDeployment is the deployment with an id, or the last one of the target
// that succeeded; ok is false if none has.
func (p *Plane) lastDeployment(ctx context.Context, id *string, target deployed) (d proton.Deployment, ok bool, err error) {
	s := scopeOf(ctx)
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		arn, r, err := target(ctx, tx)
		if err != nil {
			return err
		}
		wanted := r.LastSucceededDeploymentID
		if id != nil {
			wanted = *id
		}
		if wanted == "" {
			return nil
		}
		d, err = tx.Deployment(ctx, s, wanted)
		if err == nil && d.TargetARN() != arn {
			err = proton.NoDeployment(wanted)
		}
		ok = err == nil
		return err
	})
	return d, ok, err
}

func environmentTarget(s proton.Scope, name string) deployed {
	return func(ctx context.Context, tx *store.Tx) (proton.ARN, proton.Deployable, error) {
		e, err := tx.Environment(ctx, s, name)
		return s.EnvironmentARN(name), e.Deployable, err
	}
}

func instanceTarget(s proton.Scope, service, name string) deployed {
	return func(ctx context.Context, tx *store.Tx) (proton.ARN, proton.Deployable, error) {
		i, err := tx.ServiceInstance(ctx, s, service, name)
		return s.ServiceInstanceARN(service, name), i.Deployable, err
	}
}

func pipelineTarget(s proton.Scope, service string) deployed {
	return func(ctx context.Context, tx *store.Tx) (proton.ARN, proton.Deployable, error) {
		if _, err := tx.Service(ctx, s, service); err != nil {
			return "", proton.Deployable{}, err
		}
		pipeline, err := tx.Pipeline(ctx, s, service)
		if err == nil && pipeline == nil {
			err = proton.NoPipeline(s, service)
		}
		if err != nil {
			return "", proton.Deployable{}, err
		}
		return pipeline.ARN(), pipeline.Deployable, nil
	}
}

// ListEnvironmentOutputs lists what an environment offers. NotFound.
func (p *Plane) ListEnvironmentOutputs(ctx context.Context, in *api.ListEnvironmentOutputsInput) (*api.ListEnvironmentOutputsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListEnvironmentOutputs", s.EnvironmentARN(*in.EnvironmentName)); err != nil {
		return nil, err
	}
	outputs, err := p.outputs(ctx, in.DeploymentId, environmentTarget(s, *in.EnvironmentName))
	return &api.ListEnvironmentOutputsOutput{Outputs: outputs}, err
}

// ListServiceInstanceOutputs lists what an instance offers. NotFound.
func (p *Plane) ListServiceInstanceOutputs(ctx context.Context, in *api.ListServiceInstanceOutputsInput) (*api.ListServiceInstanceOutputsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServiceInstanceOutputs", s.ServiceInstanceARN(*in.ServiceName, *in.ServiceInstanceName)); err != nil {
		return nil, err
	}
	outputs, err := p.outputs(ctx, in.DeploymentId, instanceTarget(s, *in.ServiceName, *in.ServiceInstanceName))
	return &api.ListServiceInstanceOutputsOutput{Outputs: outputs}, err
}

// ListServicePipelineOutputs lists what a pipeline offers. NotFound.
func (p *Plane) ListServicePipelineOutputs(ctx context.Context, in *api.ListServicePipelineOutputsInput) (*api.ListServicePipelineOutputsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServicePipelineOutputs", s.ServiceARN(*in.ServiceName)); err != nil {
		return nil, err
	}
	outputs, err := p.outputs(ctx, in.DeploymentId, pipelineTarget(s, *in.ServiceName))
	return &api.ListServicePipelineOutputsOutput{Outputs: outputs}, err
}

// ListEnvironmentProvisionedResources lists what was made for an environment. NotFound.
func (p *Plane) ListEnvironmentProvisionedResources(ctx context.Context, in *api.ListEnvironmentProvisionedResourcesInput) (*api.ListEnvironmentProvisionedResourcesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListEnvironmentProvisionedResources", s.EnvironmentARN(*in.EnvironmentName)); err != nil {
		return nil, err
	}
	resources, err := p.provisionedResources(ctx, environmentTarget(s, *in.EnvironmentName))
	return &api.ListEnvironmentProvisionedResourcesOutput{ProvisionedResources: resources}, err
}

// ListServiceInstanceProvisionedResources lists what was made for an instance. NotFound.
func (p *Plane) ListServiceInstanceProvisionedResources(ctx context.Context, in *api.ListServiceInstanceProvisionedResourcesInput) (*api.ListServiceInstanceProvisionedResourcesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServiceInstanceProvisionedResources", s.ServiceInstanceARN(*in.ServiceName, *in.ServiceInstanceName)); err != nil {
		return nil, err
	}
	resources, err := p.provisionedResources(ctx, instanceTarget(s, *in.ServiceName, *in.ServiceInstanceName))
	return &api.ListServiceInstanceProvisionedResourcesOutput{ProvisionedResources: resources}, err
}

// ListServicePipelineProvisionedResources lists what was made for a pipeline. NotFound.
func (p *Plane) ListServicePipelineProvisionedResources(ctx context.Context, in *api.ListServicePipelineProvisionedResourcesInput) (*api.ListServicePipelineProvisionedResourcesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServicePipelineProvisionedResources", s.ServiceARN(*in.ServiceName)); err != nil {
		return nil, err
	}
	resources, err := p.provisionedResources(ctx, pipelineTarget(s, *in.ServiceName))
	return &api.ListServicePipelineProvisionedResourcesOutput{ProvisionedResources: resources}, err
}

// DeleteDeployment removes the record of a deployment that is over and whose
// outputs are not in force; a missing one answers an empty object. Invalid.
func (p *Plane) DeleteDeployment(ctx context.Context, in *api.DeleteDeploymentInput) (*api.DeleteDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteDeployment", s.DeploymentARN(*in.Id)); err != nil {
		return nil, err
	}
	out := &api.DeleteDeploymentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(ctx, s, *in.Id)
		if proton.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.Status.Running() {
			return proton.Errorf(proton.Invalid, "Deployment %s can't be deleted while its status is %s.", d.ID, d.Status)
		}
		live, err := needed(ctx, tx, d)
		if err != nil {
			return err
		}
		if live {
			return proton.Errorf(proton.Invalid, "Deployment %s can't be deleted because it says what is deployed of %s.", d.ID, d.TargetARN())
		}
		out.Deployment = toDeployment(d)
		return tx.DeleteDeployment(ctx, d.ID)
	})
	return out, err
}

// needed reports whether a deployment's target still reads it: the last that
// succeeded for its outputs, and while none has, every one for what its run may
// have left to remove.
func needed(ctx context.Context, tx *store.Tx, d proton.Deployment) (bool, error) {
	var target deployed
	switch d.TargetType {
	case proton.TargetEnvironment:
		target = environmentTarget(d.Scope, d.EnvironmentName)
	case proton.TargetServiceInstance:
		target = instanceTarget(d.Scope, d.ServiceName, d.InstanceName)
	case proton.TargetPipeline:
		target = pipelineTarget(d.Scope, d.ServiceName)
	default:
		target = componentTarget(d.Scope, d.ComponentName)
	}
	_, r, err := target(ctx, tx)
	if proton.IsNotFound(err) {
		return false, nil
	}
	return d.ID == r.LastSucceededDeploymentID || r.LastSucceededDeploymentID == "", err
}
