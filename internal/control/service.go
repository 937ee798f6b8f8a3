package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateService makes a service, its instances in their environments and, if
// its template has one, its pipeline, and starts to deploy them: the instances
// side by side, then the pipeline with their outputs. All of them exist when
// the call is answered. A repeat answers the existing service. Invalid,
// NotFound, Conflict, QuotaExceeded.
func (p *Plane) CreateService(ctx context.Context, in *api.CreateServiceInput) (*api.CreateServiceOutput, error) {
	s := scopeOf(ctx)
	arn := s.ServiceARN(*in.Name)
	if err := p.authorize(ctx, "CreateService", arn); err != nil {
		return nil, err
	}
	if err := p.authorizeTags(ctx, in.Tags, arn); err != nil {
		return nil, err
	}
	if err := p.authorizeConnection(ctx, in.RepositoryConnectionArn); err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	request := *in
	request.Tags = nil
	service := proton.Service{
		Scope: s, Name: *in.Name, TemplateName: *in.TemplateName, Description: api.Value(in.Description),
		BranchName: api.Value(in.BranchName), RepositoryConnectionARN: api.Value(in.RepositoryConnectionArn),
		RepositoryID: api.Value(in.RepositoryId), Spec: *in.Spec,
		Creation: proton.Creation{RequestHash: requestHash(request, in.Tags)},
	}
	r, existing, err := p.checkService(ctx, service, *in.TemplateMajorVersion, in.TemplateMinorVersion)
	if err != nil {
		return nil, err
	}
	if existing != nil {
		return &api.CreateServiceOutput{Service: toService(*existing)}, nil
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		existing, err := tx.Service(ctx, s, service.Name)
		if err == nil { // made since it was looked for
			service = existing
			return judgeService(existing, r.Service)
		}
		if !proton.IsNotFound(err) {
			return err
		}
		service, err = p.insertService(ctx, tx, r, in.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceOutput{Service: toService(service)}, nil
}

func judgeService(existing, wanted proton.Service) error {
	if existing.Status == proton.ServiceDeleteInProgress || existing.Status == proton.ServiceDeleteFailed {
		return proton.Errorf(proton.Conflict, "Service %s is being deleted.", existing.ARN())
	}
	return proton.JudgeRepeat(existing.Creation, wanted.Creation.RequestHash, existing.ARN(), false)
}

// checkService makes all checks of a create call that can be made before the
// transaction: the template and its bundle, the spec, the account's settings.
// If the same call was made before it answers the service that was made.
func (p *Plane) checkService(ctx context.Context, service proton.Service, major string, minor *string) (proton.ServiceRequest, *proton.Service, error) {
	r := proton.ServiceRequest{Service: service}
	spec, unreadable := bundle.ParseServiceSpec(service.Spec, p.strictness()...)
	f, err := readFoundation(ctx, p.Store, &r, spec, major, minor)
	if err != nil {
		return r, nil, err
	}
	if f.existing != nil {
		return r, f.existing, judgeService(*f.existing, service)
	}
	r.Service.HasPipeline = !f.template.CustomerManaged
	if err := checkRepository(r.Service); err != nil {
		return r, nil, err
	}
	if unreadable != nil {
		return r, nil, invalidSpec(unreadable)
	}
	if r.Instances, err = p.checkServiceSpec(ctx, r, spec); err != nil {
		return r, nil, err
	}
	for _, i := range r.Instances {
		repository := f.environments[i.EnvironmentName].ProvisioningRepository
		if err := p.checkMethod(r.Version.Methods.Infrastructure, r.Version.ARN(), repository); err != nil {
			return r, nil, err
		}
	}
	return r, nil, p.checkPipelineMethod(r, f.settings)
}

// foundation is what a create call is held against.
type foundation struct {
	existing     *proton.Service // that has the name already; nothing else is read then
	template     proton.Template
	settings     proton.AccountSettings
	environments map[string]proton.Environment // that the spec names, if they are there
}

// readFoundation reads, all at once, what a create call is held against, and the
// version that is asked for.
func readFoundation(ctx context.Context, s *store.Store, r *proton.ServiceRequest, spec *bundle.ServiceSpec, major string, minor *string) (f foundation, err error) {
	err = s.View(ctx, func(tx *store.Tx) error {
		f = foundation{environments: map[string]proton.Environment{}}
		existing, err := tx.Service(ctx, r.Service.Scope, r.Service.Name)
		if err == nil {
			f.existing = &existing
		}
		if !proton.IsNotFound(err) {
			return err
		}
		if f.template, err = tx.Template(ctx, r.Service.Scope, proton.ServiceTemplate, r.Service.TemplateName); err != nil {
			return err
		}
		if r.Version, err = deployableVersion(ctx, tx, f.template, major, minor); err != nil {
			return err
		}
		if f.settings, err = tx.AccountSettings(ctx, r.Service.Scope); err != nil {
			return err
		}
		for _, i := range spec.Instances {
			if _, read := f.environments[i.Environment]; read {
				continue
			}
			f.environments[i.Environment], err = tx.Environment(ctx, r.Service.Scope, i.Environment)
			if err != nil && !proton.IsNotFound(err) { // which is refused elsewhere
				return err
			}
		}
		return nil
	})
	return f, err
}

// checkRepository holds the code repository against the template: all of it
// is needed for a pipeline, none of it may be given without one.
func checkRepository(s proton.Service) error {
	given := 0
	for _, value := range []string{s.RepositoryConnectionARN, s.RepositoryID, s.BranchName} {
		if value != "" {
			given++
		}
	}
	switch {
	case s.HasPipeline && given < 3:
		return proton.Errorf(proton.Invalid, "repositoryConnectionArn, repositoryId and branchName are required for a service with a pipeline.")
	case !s.HasPipeline && given > 0:
		return proton.Errorf(proton.Invalid, "repositoryConnectionArn, repositoryId and branchName can't be specified: service template %s has no pipeline.", s.TemplateName)
	}
	return nil
}

// checkServiceSpec holds the spec against the bundle's schema and answers the
// instances it asks for.
func (p *Plane) checkServiceSpec(ctx context.Context, r proton.ServiceRequest, spec *bundle.ServiceSpec) ([]proton.WantedInstance, error) {
	b, err := p.Bundles.Bundle(ctx, r.Version.BundleDigest)
	if err != nil {
		return nil, err
	}
	if paths := spec.CurrentValues(); len(paths) > 0 {
		return nil, noCurrentValue(paths)
	}
	if _, err := b.ServiceProblems(spec, p.strictness()...); err != nil {
		return nil, invalidSpec(err)
	}
	var wanted []proton.WantedInstance
	for _, i := range spec.Instances {
		wanted = append(wanted, proton.WantedInstance{Name: i.Name, EnvironmentName: i.Environment})
	}
	return wanted, nil
}

// checkPipelineMethod refuses a pipeline that AWS could not be asked for
// without a role, and what no engine of this server can provision.
func (p *Plane) checkPipelineMethod(r proton.ServiceRequest, settings proton.AccountSettings) error {
	methods := r.Version.Methods
	if err := settings.CanProvision(methods.Pipeline); err != nil {
		return err
	}
	var repository *proton.ProvisioningRepository
	if methods.Pipeline == "TERRAFORM" { // other pipelines do not know it
		repository = settings.PipelineRepository
	}
	return p.checkMethod(methods.Pipeline, r.Version.ARN(), repository)
}

// checkInstanceMethod refuses an instance that can't be provisioned in its
// environment. Environments that are not there are refused elsewhere.
func (p *Plane) checkInstanceMethod(ctx context.Context, v proton.TemplateVersion, environment string) error {
	var e proton.Environment
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		e, err = tx.Environment(ctx, v.Scope, environment)
		return err
	})
	if err != nil && !proton.IsNotFound(err) {
		return err
	}
	return p.checkMethod(v.Methods.Infrastructure, v.ARN(), e.ProvisioningRepository)
}

// readyForPipeline refuses to begin what will deploy or remove a service's
// pipeline where its engine needs a role that is not there.
func readyForPipeline(ctx context.Context, tx *store.Tx, pipeline *proton.Pipeline) error {
	if pipeline == nil {
		return nil
	}
	v, err := tx.TemplateVersion(ctx, pipeline.Scope, proton.ServiceTemplate, pipeline.TemplateName, pipeline.CurrentVersion())
	if proton.IsNotFound(err) { // deleted since: the deployment will tell
		return nil
	}
	if err != nil {
		return err
	}
	settings, err := tx.AccountSettings(ctx, pipeline.Scope)
	if err != nil {
		return err
	}
	return settings.CanProvision(v.Methods.Pipeline)
}

// insertService writes a checked service with all its parts and deployments.
func (p *Plane) insertService(ctx context.Context, tx *store.Tx, r proton.ServiceRequest, tags []api.Tag) (proton.Service, error) {
	if err := recheckVersion(ctx, tx, r.Version); err != nil {
		return r.Service, err
	}
	environments := map[string]proton.Environment{}
	for _, i := range r.Instances {
		var err error
		if environments[i.EnvironmentName], err = tx.Environment(ctx, r.Service.Scope, i.EnvironmentName); err != nil {
			return r.Service, err
		}
	}
	plan, err := proton.PlanService(r, environments, p.newID, p.now())
	if err != nil {
		return r.Service, err
	}
	if err := p.roomForService(ctx, tx, r); err != nil {
		return r.Service, err
	}
	if err := tx.InsertService(ctx, plan); err != nil {
		return r.Service, err
	}
	arns := []proton.ARN{plan.Service.ARN()}
	for _, i := range plan.Instances {
		arns = append(arns, i.ARN())
	}
	for _, arn := range arns { // instances get a copy of the service's tags
		if err := tx.PutTags(ctx, arn, fromTags(tags)); err != nil {
			return r.Service, err
		}
	}
	return plan.Service, nil
}

// roomForService refuses a service that is too much, or that has too many
// instances.
func (p *Plane) roomForService(ctx context.Context, tx *store.Tx, r proton.ServiceRequest) error {
	n, err := tx.CountServices(ctx, r.Service.Scope)
	if err != nil {
		return err
	}
	if n >= p.Quotas.Services {
		return proton.Errorf(proton.QuotaExceeded, "The maximum number of services for this account has been reached.")
	}
	return p.roomForInstances(len(r.Instances))
}

// roomForInstances refuses more instances than a service may have.
func (p *Plane) roomForInstances(n int) error {
	if n > p.Quotas.InstancesPerService {
		return proton.Errorf(proton.QuotaExceeded, "The maximum number of service instances per service has been reached.")
	}
	return nil
}

// GetService reads a service with its pipeline. NotFound.
func (p *Plane) GetService(ctx context.Context, in *api.GetServiceInput) (*api.GetServiceOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetService", s.ServiceARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.GetServiceOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		service, err := tx.Service(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		out.Service = toService(service)
		if !service.HasPipeline {
			return nil
		}
		pipeline, err := tx.Pipeline(ctx, s, *in.Name)
		out.Service.Pipeline = toPipeline(pipeline)
		return err
	})
	return out, err
}

// ListServices lists services by name.
func (p *Plane) ListServices(ctx context.Context, in *api.ListServicesInput) (*api.ListServicesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServices", anyResource); err != nil {
		return nil, err
	}
	out := &api.ListServicesOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		name := func(service proton.Service) string { return service.Name }
		rows, next, err := listByName(p, s, "ListServices", nil, in.NextToken, in.MaxResults,
			seenByName(ctx, p, tx, "proton:GetService", name, proton.Service.ARN, func(after string, limit int) ([]proton.Service, error) {
				return tx.Services(ctx, s, after, limit)
			}), name)
		out.Services, out.NextToken = toList(rows, toServiceSummary), next
		return err
	})
	return out, err
}

// DeleteService starts to remove a service with its pipeline and instances;
// while that goes on a repeat answers it, and afterwards an empty object. A
// repeat after a failure tries what is left. Conflict.
func (p *Plane) DeleteService(ctx context.Context, in *api.DeleteServiceInput) (*api.DeleteServiceOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteService", s.ServiceARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.DeleteServiceOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		service, err := tx.Service(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if service.Status != proton.ServiceDeleteInProgress {
			if service, err = p.beginServiceDelete(ctx, tx, service, nil); err != nil {
				return err
			}
		}
		out.Service = toService(service)
		return nil
	})
	if proton.IsNotFound(err) {
		return &api.DeleteServiceOutput{}, nil
	}
	return out, err
}

// beginServiceDelete starts to remove a service. Parts that forced names are
// forgotten even if they can't be removed.
func (p *Plane) beginServiceDelete(ctx context.Context, tx *store.Tx, service proton.Service, forced func(proton.Deployment) bool) (proton.Service, error) {
	instances, err := tx.InstancesOfService(ctx, service.Scope, service.Name)
	if err != nil {
		return service, err
	}
	pipeline, err := tx.Pipeline(ctx, service.Scope, service.Name)
	if err != nil {
		return service, err
	}
	if err := refuseAttached(ctx, tx, service, instances); err != nil {
		return service, err
	}
	if err := readyForPipeline(ctx, tx, pipeline); err != nil {
		return service, err
	}
	plan, err := proton.PlanServiceDelete(service, instances, pipeline, p.newID, p.now())
	if err != nil {
		return service, err
	}
	for n, d := range plan.Deployments {
		plan.Deployments[n].Forced = forced != nil && forced(d)
	}
	if len(plan.Deployments) == 0 {
		return plan.Service, tx.DeleteService(ctx, service)
	}
	if err := tx.SaveService(ctx, plan.Service); err != nil {
		return service, err
	}
	for _, i := range plan.Instances {
		if err := tx.SaveServiceInstance(ctx, i); err != nil {
			return service, err
		}
	}
	if plan.Pipeline != nil {
		if err := tx.SavePipeline(ctx, *plan.Pipeline); err != nil {
			return service, err
		}
	}
	return plan.Service, tx.InsertDeployments(ctx, plan.Deployments...)
}

// refuseAttached refuses to remove instances of a service that a component is
// attached to.
func refuseAttached(ctx context.Context, tx *store.Tx, service proton.Service, instances []proton.ServiceInstance) error {
	components, err := tx.AttachedComponents(ctx, service.Scope, service.Name)
	if err != nil {
		return err
	}
	attached := map[string]proton.ARN{}
	for instance, c := range components {
		attached[instance] = c.ARN()
	}
	return proton.RefuseAttached(instances, attached)
}
