package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// updated finds the version that an update call deploys, and its bundle.
func (p *Plane) updated(ctx context.Context, s proton.Scope, kind proton.TemplateKind, template string, current proton.Version, r proton.UpdateRequest) (v proton.TemplateVersion, b *bundle.Bundle, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		t, err := tx.Template(ctx, s, kind, template)
		if err != nil {
			return err
		}
		versions, err := tx.TemplateVersions(ctx, s, kind, template, 0)
		if err != nil {
			return err
		}
		v, err = r.ChooseVersion(t, current, versions)
		return err
	})
	if err != nil {
		return v, nil, err
	}
	b, err = p.Bundles.Bundle(ctx, v.BundleDigest)
	return v, b, err
}

// UpdateEnvironment changes an environment's metadata and, unless the type is
// NONE, deploys it anew. Invalid, NotFound, Conflict.
func (p *Plane) UpdateEnvironment(ctx context.Context, in *api.UpdateEnvironmentInput) (*api.UpdateEnvironmentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateEnvironment", s.EnvironmentARN(*in.Name)); err != nil {
		return nil, err
	}
	if err := p.authorizeRoles(ctx, in.ProtonServiceRoleArn, in.CodebuildRoleArn, in.ComponentRoleArn); err != nil {
		return nil, err
	}
	r := proton.UpdateRequest{Type: proton.UpdateType(*in.DeploymentType), Major: in.TemplateMajorVersion, Minor: in.TemplateMinorVersion}
	var was proton.Environment
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		was, err = tx.Environment(ctx, s, *in.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := checkEnvironmentUpdate(was, in); err != nil {
		return nil, err
	}
	u := wanted{}
	if r.Type == proton.UpdateNone {
		err = r.CheckNone(in.Spec, was.Spec)
	} else {
		u, err = p.checkEnvironmentDeployment(ctx, was, r, in.Spec)
	}
	if err != nil {
		return nil, err
	}
	out := &api.UpdateEnvironmentOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := tx.Environment(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if e.Status == proton.DeleteInProgress || e.Status == proton.DeleteFailed {
			return proton.Errorf(proton.Conflict, "Environment %s is being deleted.", e.ARN())
		}
		if err := e.RefuseBusy(); err != nil {
			return err
		}
		changeEnvironment(&e, in)
		if r.Type != proton.UpdateNone || in.EnvironmentAccountConnectionId != nil {
			if err := p.useConnection(ctx, tx, &e); err != nil {
				return err
			}
		}
		if r.Type != proton.UpdateNone {
			if e, _, err = p.deployEnvironment(ctx, tx, e, u); err != nil {
				return err
			}
		}
		out.Environment = toEnvironment(e)
		return tx.SaveEnvironment(ctx, e)
	})
	return out, err
}

// wanted is what a call is to deploy, checked.
type wanted struct {
	target  proton.State
	version proton.TemplateVersion
	outputs []proton.Output // of a customer-managed environment
}

// checkEnvironmentUpdate refuses changes of what an environment is provisioned
// by that can't be made later.
func checkEnvironmentUpdate(e proton.Environment, in *api.UpdateEnvironmentInput) error {
	repository := fromRepositoryBranch(in.ProvisioningRepository)
	switch {
	case in.EnvironmentAccountConnectionId != nil && e.AccountConnectionID == "":
		return proton.Errorf(proton.Invalid, "environmentAccountConnectionId can't be specified: environment %s was created without a connection.", e.Name)
	case in.ProtonServiceRoleArn != nil && e.AccountConnectionID != "":
		return proton.Errorf(proton.Invalid, "protonServiceRoleArn can't be specified: environment %s is provisioned through an environment account connection.", e.Name)
	case repository != nil && e.ProvisioningRepository == nil:
		return proton.Errorf(proton.Invalid, "provisioningRepository can't be specified: environment %s was created without one.", e.Name)
	case repository != nil && *repository != *e.ProvisioningRepository:
		return proton.Errorf(proton.Invalid, "provisioningRepository can't be changed.")
	case e.ProvisioningRepository != nil && in.ProtonServiceRoleArn != nil:
		return proton.Errorf(proton.Invalid, "protonServiceRoleArn can't be specified: environment %s is self-managed.", e.Name)
	}
	return nil
}

func changeEnvironment(e *proton.Environment, in *api.UpdateEnvironmentInput) {
	for _, change := range []struct {
		field *string
		value *string
	}{
		{&e.Description, in.Description}, {&e.ServiceRoleARN, in.ProtonServiceRoleArn},
		{&e.CodebuildRoleARN, in.CodebuildRoleArn}, {&e.ComponentRoleARN, in.ComponentRoleArn},
		{&e.AccountConnectionID, in.EnvironmentAccountConnectionId},
	} {
		if change.value != nil {
			*change.field = *change.value
		}
	}
	e.Creation.Modified = true
}

// checkEnvironmentDeployment makes the checks of an update that need no
// transaction of their own.
func (p *Plane) checkEnvironmentDeployment(ctx context.Context, e proton.Environment, r proton.UpdateRequest, spec *string) (wanted, error) {
	w := wanted{target: proton.State{TemplateName: e.TemplateName}}
	v, b, err := p.updated(ctx, e.Scope, proton.EnvironmentTemplate, e.TemplateName, e.CurrentVersion(), r)
	if err != nil {
		return w, err
	}
	w.version, w.target.Version = v, v.Version
	if err := p.checkMethod(v.Methods.Infrastructure, v.ARN(), e.ProvisioningRepository); err != nil {
		return w, err
	}
	if w.target.Spec, err = p.environmentSpec(ctx, e, spec); err != nil {
		return w, err
	}
	var options []bundle.Option
	if spec != nil {
		options = p.strictness()
	}
	parsed, err := bundle.ParseEnvironmentSpec(w.target.Spec, options...)
	if err != nil {
		return w, invalidSpec(err)
	}
	inputs, _, err := b.EnvironmentInputs(parsed, options...)
	if err != nil {
		return w, invalidSpec(err)
	}
	if e.CustomerManaged {
		w.outputs, err = specOutputs(inputs)
	}
	return w, err
}

// environmentSpec is the spec that an update deploys: the given one with the
// current values filled in, or the current one.
func (p *Plane) environmentSpec(ctx context.Context, e proton.Environment, spec *string) (string, error) {
	current, err := p.currentSpec(ctx, e.Scope, e.Deployable)
	if err != nil || spec == nil {
		return current, err
	}
	resolved, err := bundle.ResolveEnvironmentSpec(*spec, current)
	return resolved, invalidSpec(err)
}

// currentSpec is the spec that was last deployed or, while none was, last tried.
func (p *Plane) currentSpec(ctx context.Context, s proton.Scope, r proton.Deployable) (string, error) {
	if r.Spec != "" {
		return r.Spec, nil
	}
	var d proton.Deployment
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		d, err = tx.Deployment(ctx, s, r.LastAttemptedDeploymentID)
		for err == nil && d.Goal == proton.GoalDestroy && d.PrecedingAttemptedID != "" { // a removal tries no spec
			d, err = tx.Deployment(ctx, s, d.PrecedingAttemptedID)
		}
		return err
	})
	return d.Target.Spec, err
}

// deployEnvironment starts a deployment of an environment; the caller saves it.
func (p *Plane) deployEnvironment(ctx context.Context, tx *store.Tx, e proton.Environment, w wanted) (proton.Environment, proton.Deployment, error) {
	var d proton.Deployment
	if err := recheckWanted(ctx, tx, w); err != nil {
		return e, d, err
	}
	next, d, err := proton.PlanApply(e.Scope, proton.TargetEnvironment, e.ARN(), e.Deployable, w.target, p.newID, p.now())
	if err != nil {
		return e, d, err
	}
	d.EnvironmentName = e.Name
	e.Deployable = next
	if e.CustomerManaged { // nothing to provision: the new values are in force at once
		d.Ready = false
		if d, err = d.End(proton.Outcome{Outputs: w.outputs}, p.now()); err != nil {
			return e, d, err
		}
		e.Deployable = e.Finish(d)
	}
	return e, d, tx.InsertDeployments(ctx, d)
}

// recheckWanted refuses a version that was deleted while its bundle was read,
// unless the very bundle is wanted.
func recheckWanted(ctx context.Context, tx *store.Tx, w wanted) error {
	if w.target.BundleDigest != "" {
		return nil
	}
	return recheckVersion(ctx, tx, w.version)
}

// UpdateServiceInstance deploys an instance anew: with another spec, another
// version, or as it is to pick up what it depends on. Of the spec only the
// instance's own entry counts. Invalid, NotFound, Conflict.
func (p *Plane) UpdateServiceInstance(ctx context.Context, in *api.UpdateServiceInstanceInput) (*api.UpdateServiceInstanceOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateServiceInstance", s.ServiceInstanceARN(*in.ServiceName, *in.Name)); err != nil {
		return nil, err
	}
	request := *in
	request.ClientToken = nil
	hash := requestHash(request, nil)
	var was proton.ServiceInstance
	repeated := false
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if was, err = tx.ServiceInstance(ctx, s, *in.ServiceName, *in.Name); err != nil {
			return err
		}
		repeated, err = p.repeat(ctx, tx, s, "UpdateServiceInstance", in.ClientToken, hash, func(arn string) (bool, error) {
			return arn == string(was.ARN()) && was.LastClientToken == *in.ClientToken, nil
		})
		return err
	})
	if err != nil || repeated {
		return &api.UpdateServiceInstanceOutput{ServiceInstance: toServiceInstance(was)}, err
	}
	r := proton.UpdateRequest{Type: proton.UpdateType(*in.DeploymentType), Major: in.TemplateMajorVersion, Minor: in.TemplateMinorVersion}
	if r.Type == proton.UpdateNone {
		return &api.UpdateServiceInstanceOutput{ServiceInstance: toServiceInstance(was)}, r.CheckNone(in.Spec, was.Spec)
	}
	w, err := p.checkInstanceDeployment(ctx, was, r, in.Spec)
	if err != nil {
		return nil, err
	}
	out := &api.UpdateServiceInstanceOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		i, _, err := p.deployInstance(ctx, tx, was, w, in.ClientToken)
		if err != nil {
			return err
		}
		out.ServiceInstance = toServiceInstance(i)
		if err := p.remember(ctx, tx, s, "UpdateServiceInstance", in.ClientToken, hash, string(i.ARN())); err != nil {
			return err
		}
		return p.block(ctx, tx, s, i.ServiceName, i.Name, i.LastAttemptedDeploymentID, "The service instance was updated by hand.")
	})
	return out, err
}

// deployInstance starts a deployment of an instance, which is read anew.
func (p *Plane) deployInstance(ctx context.Context, tx *store.Tx, was proton.ServiceInstance, w wanted, token *string) (proton.ServiceInstance, proton.Deployment, error) {
	var d proton.Deployment
	i, err := tx.ServiceInstance(ctx, was.Scope, was.ServiceName, was.Name)
	if err != nil {
		return i, d, err
	}
	owner, err := tx.Service(ctx, i.Scope, i.ServiceName)
	if err != nil {
		return i, d, err
	}
	if err := i.RefuseUpdate(owner); err != nil {
		return i, d, err
	}
	if err := p.readyInEnvironment(ctx, tx, i, w); err != nil {
		return i, d, err
	}
	component, err := tx.AttachedComponent(ctx, i.Scope, i.ServiceName, i.Name)
	if err != nil {
		return i, d, err
	}
	if err := proton.RefuseBeside(component); err != nil {
		return i, d, err
	}
	next, d, err := proton.PlanApply(i.Scope, proton.TargetServiceInstance, i.ARN(), i.Deployable, w.target, p.newID, p.now())
	if err != nil {
		return i, d, err
	}
	d.ServiceName, d.InstanceName, d.EnvironmentName = i.ServiceName, i.Name, i.EnvironmentName
	i.Deployable, i.LastClientToken = next, api.Value(token)
	if err := tx.SaveServiceInstance(ctx, i); err != nil {
		return i, d, err
	}
	return i, d, tx.InsertDeployments(ctx, d)
}

// checkInstanceDeployment makes the checks of an update that need no
// transaction of their own, and answers what is to be deployed.
func (p *Plane) checkInstanceDeployment(ctx context.Context, i proton.ServiceInstance, r proton.UpdateRequest, spec *string) (wanted, error) {
	w := wanted{target: proton.State{TemplateName: i.TemplateName}}
	v, b, err := p.updated(ctx, i.Scope, proton.ServiceTemplate, i.TemplateName, i.CurrentVersion(), r)
	if err != nil {
		return w, err
	}
	w.version, w.target.Version = v, v.Version
	if err := p.checkInstanceMethod(ctx, v, i.EnvironmentName); err != nil {
		return w, err
	}
	if w.target.Spec, err = p.currentSpec(ctx, i.Scope, i.Deployable); err != nil {
		return w, err
	}
	var options []bundle.Option
	if spec != nil {
		options = p.strictness()
		if w.target.Spec, err = bundle.ResolveServiceSpec(*spec, w.target.Spec); err != nil {
			return w, invalidSpec(err)
		}
	}
	return w, checkEntry(b, w.target.Spec, i.Name, i.EnvironmentName, options)
}

// checkEntry holds one instance's entry of a spec against the schema. An
// environment that is given must be the one of the entry.
func checkEntry(b *bundle.Bundle, spec, name, environment string, options []bundle.Option) error {
	parsed, err := bundle.ParseServiceSpec(spec, options...)
	if err != nil {
		return invalidSpec(err)
	}
	entry, ok := parsed.Instance(name)
	if !ok {
		return proton.Errorf(proton.Invalid, "The provided Service Spec has no service instance named %s.", name)
	}
	if environment != "" && entry.Environment != environment {
		return proton.Errorf(proton.Invalid, "The environment of service instance %s can't be changed from %s to %s.", name, environment, entry.Environment)
	}
	_, _, err = b.InstanceInputs(parsed, name, options...)
	return invalidSpec(err)
}

// readyForInstance refuses a new instance that its service or environment does
// not allow now.
func (p *Plane) readyForInstance(ctx context.Context, tx *store.Tx, i proton.ServiceInstance, w wanted) error {
	if err := readyForPart(ctx, tx, i.Scope, i.ServiceName); err != nil {
		return err
	}
	return p.readyInEnvironment(ctx, tx, i, w)
}

// readyInEnvironment refuses a version that an instance's environment does not
// take now.
func (p *Plane) readyInEnvironment(ctx context.Context, tx *store.Tx, i proton.ServiceInstance, w wanted) error {
	e, err := tx.Environment(ctx, i.Scope, i.EnvironmentName)
	if err != nil {
		return err
	}
	if err := recheckWanted(ctx, tx, w); err != nil {
		return err
	}
	if w.version.ID == "" { // deleted since; it was compatible with what the environment runs
		w.version.Compatible = []proton.CompatibleTemplate{{Name: e.TemplateName, Major: e.Version.Major}}
	}
	return proton.AcceptsInstances(e, w.version)
}

// readyForPart refuses a deployment of a part of a service while the service
// as a whole is at work or going.
func readyForPart(ctx context.Context, tx *store.Tx, s proton.Scope, service string) error {
	owner, err := tx.Service(ctx, s, service)
	if err != nil {
		return err
	}
	if owner.Status.Running() || owner.Status == proton.ServiceDeleteFailed {
		return proton.Errorf(proton.Conflict, "Service %s can't be changed while its status is %s.", owner.ARN(), owner.Status)
	}
	return nil
}

// UpdateServicePipeline deploys a pipeline anew; of the spec only the pipeline
// section counts. Invalid, NotFound, Conflict.
func (p *Plane) UpdateServicePipeline(ctx context.Context, in *api.UpdateServicePipelineInput) (*api.UpdateServicePipelineOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateServicePipeline", s.ServiceARN(*in.ServiceName)); err != nil {
		return nil, err
	}
	was, settings, err := p.pipelineFacts(ctx, s, *in.ServiceName)
	if err != nil {
		return nil, err
	}
	r := proton.UpdateRequest{Type: proton.UpdateType(*in.DeploymentType), Major: in.TemplateMajorVersion, Minor: in.TemplateMinorVersion}
	if r.Type == proton.UpdateNone { // the spec is required by the shape, and has no effect
		return &api.UpdateServicePipelineOutput{Pipeline: toPipeline(was)}, r.CheckNone(nil, "")
	}
	w, err := p.checkPipelineDeployment(ctx, was, r, *in.Spec, settings)
	if err != nil {
		return nil, err
	}
	out := &api.UpdateServicePipelineOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		pipeline, _, err := p.deployPipeline(ctx, tx, s, *in.ServiceName, w)
		out.Pipeline = toPipeline(pipeline)
		return err
	})
	return out, err
}

// deployPipeline starts a deployment of a service's pipeline.
func (p *Plane) deployPipeline(ctx context.Context, tx *store.Tx, s proton.Scope, service string, w wanted) (*proton.Pipeline, proton.Deployment, error) {
	var d proton.Deployment
	if err := readyForPart(ctx, tx, s, service); err != nil {
		return nil, d, err
	}
	if err := recheckWanted(ctx, tx, w); err != nil {
		return nil, d, err
	}
	pipeline, err := tx.Pipeline(ctx, s, service)
	if err == nil && pipeline == nil {
		err = proton.NoPipeline(s, service)
	}
	if err != nil {
		return nil, d, err
	}
	next, d, err := proton.PlanApply(s, proton.TargetPipeline, pipeline.ARN(), pipeline.Deployable, w.target, p.newID, p.now())
	if err != nil {
		return nil, d, err
	}
	d.ServiceName, pipeline.Deployable = service, next
	if err := tx.SavePipeline(ctx, *pipeline); err != nil {
		return nil, d, err
	}
	return pipeline, d, tx.InsertDeployments(ctx, d)
}

func (p *Plane) pipelineFacts(ctx context.Context, s proton.Scope, service string) (pipeline *proton.Pipeline, settings proton.AccountSettings, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Service(ctx, s, service); err != nil {
			return err
		}
		if pipeline, err = tx.Pipeline(ctx, s, service); err != nil {
			return err
		}
		if pipeline == nil {
			return proton.NoPipeline(s, service)
		}
		settings, err = tx.AccountSettings(ctx, s)
		return err
	})
	return pipeline, settings, err
}

func (p *Plane) checkPipelineDeployment(ctx context.Context, pipeline *proton.Pipeline, r proton.UpdateRequest, spec string, settings proton.AccountSettings) (wanted, error) {
	w := wanted{target: proton.State{TemplateName: pipeline.TemplateName}}
	v, b, err := p.updated(ctx, pipeline.Scope, proton.ServiceTemplate, pipeline.TemplateName, pipeline.CurrentVersion(), r)
	if err != nil {
		return w, err
	}
	if err := p.checkPipelineMethod(proton.ServiceRequest{Version: v}, settings); err != nil {
		return w, err
	}
	current, err := p.currentSpec(ctx, pipeline.Scope, pipeline.Deployable)
	if err != nil {
		return w, err
	}
	if w.target.Spec, err = bundle.ResolveServiceSpec(spec, current); err != nil {
		return w, invalidSpec(err)
	}
	w.version, w.target.Version = v, v.Version
	parsed, err := bundle.ParseServiceSpec(w.target.Spec, p.strictness()...)
	if err != nil {
		return w, invalidSpec(err)
	}
	_, _, err = b.PipelineInputs(parsed, p.strictness()...)
	return w, invalidSpec(err)
}

// CreateServiceInstance adds an instance to a service and starts to deploy it.
// Invalid, NotFound, Conflict, QuotaExceeded.
func (p *Plane) CreateServiceInstance(ctx context.Context, in *api.CreateServiceInstanceInput) (*api.CreateServiceInstanceOutput, error) {
	s := scopeOf(ctx)
	arn := s.ServiceInstanceARN(*in.ServiceName, *in.Name)
	if err := p.authorize(ctx, "CreateServiceInstance", arn); err != nil {
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
	if existing, err := p.existingInstance(ctx, in, hash); err != nil || existing != nil {
		return &api.CreateServiceInstanceOutput{ServiceInstance: existing}, err
	}
	i, v, err := p.checkNewInstance(ctx, in)
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if err := p.readyForInstance(ctx, tx, i, wanted{version: v}); err != nil {
			return err
		}
		siblings, err := tx.InstancesOfService(ctx, s, i.ServiceName)
		if err != nil {
			return err
		}
		if err := p.roomForInstances(len(siblings) + 1); err != nil {
			return err
		}
		for _, other := range siblings {
			i.Position = max(i.Position, other.Position+1)
		}
		planned, d := proton.PlanInstance(i, proton.State{TemplateName: i.TemplateName, Version: v.Version, Spec: *in.Spec}, p.newID, p.now())
		i = planned
		if err := tx.InsertServiceInstance(ctx, i); err != nil {
			return err
		}
		if err := inheritTags(ctx, tx, s.ServiceARN(i.ServiceName), i.ARN(), in.Tags); err != nil {
			return err
		}
		if err := p.remember(ctx, tx, s, "CreateServiceInstance", in.ClientToken, hash, string(i.ARN())); err != nil {
			return err
		}
		if err := p.block(ctx, tx, s, i.ServiceName, i.Name, d.ID, "The service instance was created by hand."); err != nil {
			return err
		}
		return tx.InsertDeployments(ctx, d)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceInstanceOutput{ServiceInstance: toServiceInstance(i)}, nil
}

// existingInstance answers the instance that the same call made before, nil if
// the name is free. Conflict if another call made it.
func (p *Plane) existingInstance(ctx context.Context, in *api.CreateServiceInstanceInput, hash string) (*api.ServiceInstance, error) {
	s := scopeOf(ctx)
	var i proton.ServiceInstance
	repeated := false
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if i, err = tx.ServiceInstance(ctx, s, *in.ServiceName, *in.Name); err != nil {
			return err
		}
		repeated, err = p.repeat(ctx, tx, s, "CreateServiceInstance", in.ClientToken, hash, func(arn string) (bool, error) {
			return arn == string(i.ARN()), nil
		})
		return err
	})
	switch {
	case proton.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !repeated:
		return nil, proton.Errorf(proton.Conflict, "Service instance %s already exists.", i.ARN())
	}
	return toServiceInstance(i), nil
}

// checkNewInstance makes the checks of a create call that need no transaction
// of their own.
func (p *Plane) checkNewInstance(ctx context.Context, in *api.CreateServiceInstanceInput) (proton.ServiceInstance, proton.TemplateVersion, error) {
	s := scopeOf(ctx)
	i := proton.ServiceInstance{Scope: s, ServiceName: *in.ServiceName, Name: *in.Name, LastClientToken: api.Value(in.ClientToken)}
	var v proton.TemplateVersion
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		service, err := tx.Service(ctx, s, i.ServiceName)
		if err != nil {
			return err
		}
		i.TemplateName = service.TemplateName
		t, err := tx.Template(ctx, s, proton.ServiceTemplate, service.TemplateName)
		if err != nil {
			return err
		}
		major, minor := in.TemplateMajorVersion, in.TemplateMinorVersion
		switch {
		case major == nil && minor != nil:
			return proton.Errorf(proton.Invalid, "templateMinorVersion can't be specified without templateMajorVersion.")
		case major == nil && t.Recommended.IsZero():
			return proton.Errorf(proton.Invalid, "No published version of template %s is available.", t.Name)
		case major == nil:
			major = api.Ptr(t.Recommended.MajorString())
		}
		v, err = deployableVersion(ctx, tx, t, *major, minor)
		return err
	})
	if err != nil {
		return i, v, err
	}
	b, err := p.Bundles.Bundle(ctx, v.BundleDigest)
	if err != nil {
		return i, v, err
	}
	spec, err := bundle.ParseServiceSpec(*in.Spec)
	if err != nil {
		return i, v, invalidSpec(err)
	}
	if paths := spec.CurrentValues(); len(paths) > 0 {
		return i, v, noCurrentValue(paths)
	}
	if err := checkEntry(b, *in.Spec, i.Name, "", p.strictness()); err != nil {
		return i, v, err
	}
	entry, _ := spec.Instance(i.Name)
	i.EnvironmentName = entry.Environment
	return i, v, p.checkInstanceMethod(ctx, v, i.EnvironmentName)
}
