package control

import (
	"context"
	"errors"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateComponent makes a component, attaches it to a service instance if one
// is named, and starts its first deployment. Invalid, NotFound, Conflict,
// QuotaExceeded.
func (p *Plane) CreateComponent(ctx context.Context, in *api.CreateComponentInput) (*api.CreateComponentOutput, error) {
	s := scopeOf(ctx)
	arn := s.ComponentARN(*in.Name)
	if err := p.authorize(ctx, "CreateComponent", arn); err != nil {
		return nil, err
	}
	if err := p.authorizeTags(ctx, in.Tags, arn); err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	request := *in
	request.ClientToken, request.Tags = nil, nil
	hash := requestHash(request, in.Tags)
	if existing, err := p.existingComponent(ctx, in, hash); err != nil || existing != nil {
		return &api.CreateComponentOutput{Component: existing}, err
	}
	c := proton.Component{
		Scope: s, Name: *in.Name, EnvironmentName: api.Value(in.EnvironmentName), Description: api.Value(in.Description),
		Attachment:  proton.Attachment{ServiceName: api.Value(in.ServiceName), InstanceName: api.Value(in.ServiceInstanceName)},
		ServiceSpec: api.Value(in.ServiceSpec), TemplateFile: *in.TemplateFile, Manifest: *in.Manifest,
		LastClientToken: api.Value(in.ClientToken),
	}
	method, err := p.checkNewComponent(ctx, &c)
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		place, err := p.place(ctx, tx, &c, method)
		if err != nil {
			return err
		}
		if err := p.attach(ctx, tx, c, place); err != nil {
			return err
		}
		if err := place.hold(ctx, tx); err != nil {
			return err
		}
		if err := p.checkComponentQuota(ctx, tx, s); err != nil {
			return err
		}
		planned, d := proton.PlanComponent(c, p.newID, p.now())
		c = planned
		if err := tx.InsertComponent(ctx, c); err != nil {
			return err
		}
		if err := tx.PutTags(ctx, arn, fromTags(in.Tags)); err != nil {
			return err
		}
		if err := p.remember(ctx, tx, s, "CreateComponent", in.ClientToken, hash, string(arn)); err != nil {
			return err
		}
		return tx.InsertDeployments(ctx, d)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateComponentOutput{Component: toComponent(c)}, nil
}

// existingComponent answers the component that the same call made before, nil
// if the name is free. Conflict if another call made it.
func (p *Plane) existingComponent(ctx context.Context, in *api.CreateComponentInput, hash string) (*api.Component, error) {
	s := scopeOf(ctx)
	var c proton.Component
	repeated := false
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Component(ctx, s, *in.Name); err != nil {
			return err
		}
		repeated, err = p.repeat(ctx, tx, s, "CreateComponent", in.ClientToken, hash, func(arn string) (bool, error) {
			return arn == string(c.ARN()), nil
		})
		return err
	})
	switch {
	case proton.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !repeated:
		return nil, proton.Errorf(proton.Conflict, "Component %s already exists.", c.ARN())
	}
	return toComponent(c), nil
}

// checkNewComponent makes the checks of a create call that need no transaction
// of their own, and answers how the component is provisioned.
func (p *Plane) checkNewComponent(ctx context.Context, c *proton.Component) (method string, err error) {
	switch {
	case (c.ServiceName == "") != (c.InstanceName == ""):
		return "", proton.Errorf(proton.Invalid, "Specify both serviceName and serviceInstanceName, or neither.")
	case c.Detached() && c.EnvironmentName == "":
		return "", proton.Errorf(proton.Invalid, "environmentName is required for a component that is not attached to a service instance.")
	case c.Detached() && c.ServiceSpec != "":
		return "", noServiceSpec()
	}
	if method, err = p.componentMethod(c.Manifest, c.TemplateFile); err != nil {
		return "", err
	}
	var at placement
	err = p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if at, err = p.place(ctx, tx, c, method); err != nil {
			return err
		}
		return p.attach(ctx, tx, *c, at)
	})
	if err != nil || c.ServiceSpec == "" {
		return method, err
	}
	spec, err := bundle.ParseServiceSpec(c.ServiceSpec, p.strictness()...)
	if err != nil {
		return method, invalidSpec(err)
	}
	if paths := spec.CurrentValues(); len(paths) > 0 {
		return method, noCurrentValue(paths)
	}
	return method, p.checkServiceSpecOf(ctx, c.ServiceSpec, at)
}

func noServiceSpec() error {
	return proton.Errorf(proton.Invalid, "serviceSpec can only be specified for a component that is attached to a service instance.")
}

// componentMethod holds a component's texts against what is allowed and
// answers how it is provisioned. Invalid.
func (p *Plane) componentMethod(manifest, templateFile string) (string, error) {
	parsed, err := bundle.ParseComponent(manifest, templateFile)
	if problems, ok := errors.AsType[*bundle.ProblemError](err); ok {
		return "", &proton.Error{Kind: proton.Invalid, Message: problems.Error()}
	}
	if err != nil {
		return "", err
	}
	return parsed.Method(), nil
}

// checkComponentMethod refuses components that no engine of this server can
// provision in an environment.
func (p *Plane) checkComponentMethod(method string, e proton.Environment) error {
	if method == "TERRAFORM" && e.ProvisioningRepository != nil {
		method = proton.MethodPullRequest
	}
	if p.Methods[method] {
		return nil
	}
	return proton.Errorf(proton.Invalid, "The component is provisioned with %s in environment %s, and this server has no engine for it yet.", method, e.Name)
}

// placement is where a component is: its environment, and the instance that it
// is attached to, nil if it is detached.
type placement struct {
	environment proton.Environment
	service     proton.Service
	instance    *proton.ServiceInstance
	version     proton.TemplateVersion // that the instance runs
}

// place finds where a component is, completes its environment, and refuses
// environments that can't have it.
func (p *Plane) place(ctx context.Context, tx *store.Tx, c *proton.Component, method string) (at placement, err error) {
	if !c.Detached() {
		if at.service, err = tx.Service(ctx, c.Scope, c.ServiceName); err != nil {
			return at, err
		}
		i, err := tx.ServiceInstance(ctx, c.Scope, c.ServiceName, c.InstanceName)
		if err != nil {
			return at, err
		}
		at.instance = &i
		if c.EnvironmentName == "" {
			c.EnvironmentName = i.EnvironmentName
		}
		if at.version, err = tx.TemplateVersion(ctx, c.Scope, proton.ServiceTemplate, i.TemplateName, i.CurrentVersion()); err != nil {
			return at, err
		}
	}
	if at.environment, err = tx.Environment(ctx, c.Scope, c.EnvironmentName); err != nil {
		return at, err
	}
	if err := p.checkComponentMethod(method, at.environment); err != nil {
		return at, err
	}
	role := at.environment.ComponentRoleARN
	if id := at.environment.AccountConnectionID; id != "" {
		connection, _, err := tx.AccountConnection(ctx, id)
		if err != nil {
			return at, err
		}
		role = connection.ComponentRoleARN
	}
	return at, proton.AcceptsComponents(at.environment, method, role)
}

// hold marks the instance as changed, so that nothing else that reads it now
// can commit beside us: it is not deployed, removed or attached to.
func (at placement) hold(ctx context.Context, tx *store.Tx) error {
	if at.instance == nil {
		return nil
	}
	return tx.SaveServiceInstance(ctx, *at.instance)
}

func (p *Plane) checkComponentQuota(ctx context.Context, tx *store.Tx, s proton.Scope) error {
	n, err := tx.CountComponents(ctx, s)
	if err == nil && n >= p.Quotas.Components {
		err = proton.Errorf(proton.QuotaExceeded, "The maximum number of components for this account has been reached.")
	}
	return err
}

// attach refuses instances that a component can't be attached to.
func (p *Plane) attach(ctx context.Context, tx *store.Tx, c proton.Component, at placement) error {
	if at.instance == nil {
		return nil
	}
	other, err := tx.AttachedComponent(ctx, c.Scope, c.ServiceName, c.InstanceName)
	if err != nil {
		return err
	}
	return c.Attach(*at.instance, at.service, at.version, other)
}

// checkServiceSpecOf holds a component's own service spec against the schema
// of the version that its instance runs.
func (p *Plane) checkServiceSpecOf(ctx context.Context, spec string, at placement) error {
	b, err := p.Bundles.Bundle(ctx, at.version.BundleDigest)
	if err != nil {
		return err
	}
	return checkEntry(b, spec, at.instance.Name, at.instance.EnvironmentName, p.strictness())
}

// GetComponent reads a component. NotFound.
func (p *Plane) GetComponent(ctx context.Context, in *api.GetComponentInput) (*api.GetComponentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetComponent", s.ComponentARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.GetComponentOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Component(ctx, s, *in.Name)
		out.Component = toComponent(c)
		return err
	})
	return out, err
}

// ListComponents lists components by name: all, those of an environment, or
// those attached to a service or one of its instances. Invalid.
func (p *Plane) ListComponents(ctx context.Context, in *api.ListComponentsInput) (*api.ListComponentsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListComponents", anyResource); err != nil {
		return nil, err
	}
	if err := instanceNeedsService(in.ServiceName, in.ServiceInstanceName); err != nil {
		return nil, err
	}
	filter := store.ComponentFilter{
		Environment: api.Value(in.EnvironmentName), Service: api.Value(in.ServiceName), Instance: api.Value(in.ServiceInstanceName),
	}
	out := &api.ListComponentsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		name := func(c proton.Component) string { return c.Name }
		rows, next, err := listByName(p, s, "ListComponents", filter, in.NextToken, in.MaxResults,
			seenByName(ctx, p, tx, "proton:GetComponent", name, proton.Component.ARN, func(after string, limit int) ([]proton.Component, error) {
				return tx.Components(ctx, s, filter, after, limit)
			}), name)
		out.Components, out.NextToken = toList(rows, toComponentSummary), next
		return err
	})
	return out, err
}

// DeleteComponent starts to remove a detached component; while that goes on a
// repeat answers it, and afterwards an empty object. Conflict.
func (p *Plane) DeleteComponent(ctx context.Context, in *api.DeleteComponentInput) (*api.DeleteComponentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteComponent", s.ComponentARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.DeleteComponentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Component(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if c.Status == proton.DeleteInProgress {
			out.Component = toComponent(c)
			return nil
		}
		next, _, err := p.beginComponentDelete(ctx, tx, c, false)
		out.Component = toComponent(next)
		return err
	})
	if proton.IsNotFound(err) {
		return &api.DeleteComponentOutput{}, nil
	}
	return out, err
}

func (p *Plane) beginComponentDelete(ctx context.Context, tx *store.Tx, c proton.Component, forced bool) (proton.Component, proton.Deployment, error) {
	next, d, err := proton.PlanComponentDelete(c, p.newID, p.now())
	if err != nil {
		return c, d, err
	}
	d.Forced = forced
	if err := tx.SaveComponent(ctx, next); err != nil {
		return c, d, err
	}
	return next, d, tx.InsertDeployments(ctx, d)
}

// CancelComponentDeployment asks for a component's running deployment to be
// stopped. NotFound, Conflict.
func (p *Plane) CancelComponentDeployment(ctx context.Context, in *api.CancelComponentDeploymentInput) (*api.CancelComponentDeploymentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "CancelComponentDeployment", s.ComponentARN(*in.ComponentName)); err != nil {
		return nil, err
	}
	out := &api.CancelComponentDeploymentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Component(ctx, s, *in.ComponentName)
		if err != nil {
			return err
		}
		if c.Deployable, err = p.cancel(ctx, tx, c.Deployable); err != nil {
			return err
		}
		c.LastModifiedAt = p.now()
		out.Component = toComponent(c)
		return tx.SaveComponent(ctx, c)
	})
	return out, err
}

func componentTarget(s proton.Scope, name string) deployed {
	return func(ctx context.Context, tx *store.Tx) (proton.ARN, proton.Deployable, error) {
		c, err := tx.Component(ctx, s, name)
		return s.ComponentARN(name), c.Deployable, err
	}
}

// ListComponentOutputs lists what a component offers. NotFound.
func (p *Plane) ListComponentOutputs(ctx context.Context, in *api.ListComponentOutputsInput) (*api.ListComponentOutputsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListComponentOutputs", s.ComponentARN(*in.ComponentName)); err != nil {
		return nil, err
	}
	outputs, err := p.outputs(ctx, in.DeploymentId, componentTarget(s, *in.ComponentName))
	return &api.ListComponentOutputsOutput{Outputs: outputs}, err
}

// ListComponentProvisionedResources lists what was made for a component. NotFound.
func (p *Plane) ListComponentProvisionedResources(ctx context.Context, in *api.ListComponentProvisionedResourcesInput) (*api.ListComponentProvisionedResourcesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListComponentProvisionedResources", s.ComponentARN(*in.ComponentName)); err != nil {
		return nil, err
	}
	resources, err := p.provisionedResources(ctx, componentTarget(s, *in.ComponentName))
	return &api.ListComponentProvisionedResourcesOutput{ProvisionedResources: resources}, err
}
