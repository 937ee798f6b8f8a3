package store

import (
	"context"

	"github.com/hadronhq/hadron/internal/proton"
)

var services = newTable("services", 3, func(s *proton.Service) []column {
	return []column{
		{"account", &s.Account}, {"region", &s.Region}, {"name", &s.Name},
		{"template_name", &s.TemplateName}, {"template_major", &s.TemplateMajor}, {"description", &s.Description},
		{"branch_name", &s.BranchName}, {"repository_connection_arn", &s.RepositoryConnectionARN},
		{"repository_id", &s.RepositoryID}, {"spec", &s.Spec},
		{"status", &s.Status}, {"status_message", &s.StatusMessage}, {"has_pipeline", (*flag)(&s.HasPipeline)},
		{"update_json", document{&s.Update}},
		{"created_at", (*instant)(&s.CreatedAt)}, {"last_modified_at", (*instant)(&s.LastModifiedAt)},
		{"request_hash", &s.Creation.RequestHash}, {"modified", (*flag)(&s.Creation.Modified)},
		{"revision", &s.Revision},
	}
}, func(s *proton.Service) *int64 { return &s.Revision }).counted("template_name, lowest_major, lowest_minor, status").announced(3, (*proton.Service).ARN).long("spec", "update_json")

var serviceInstances = newTable("service_instances", 4, func(i *proton.ServiceInstance) []column {
	return append([]column{
		{"account", &i.Account}, {"region", &i.Region}, {"service_name", &i.ServiceName}, {"name", &i.Name},
		{"environment_name", &i.EnvironmentName}, {"template_name", &i.TemplateName}, {"position", &i.Position},
		{"last_client_token", &i.LastClientToken}, {"revision", &i.Revision},
	}, deployableColumns(&i.Deployable)...)
}, func(i *proton.ServiceInstance) *int64 { return &i.Revision }).counted("template_name, major, minor, status").ofServices().
	announced(4, (*proton.ServiceInstance).ARN).long("spec")

var pipelines = newTable("pipelines", 3, func(p *proton.Pipeline) []column {
	return append([]column{
		{"account", &p.Account}, {"region", &p.Region}, {"service_name", &p.ServiceName},
		{"template_name", &p.TemplateName}, {"revision", &p.Revision},
	}, deployableColumns(&p.Deployable)...)
}, func(p *proton.Pipeline) *int64 { return &p.Revision }).counted("template_name, major, minor, status").ofServices().announced(3, (*proton.Pipeline).ARN)

// Service reads a service. NotFound without it.
func (tx *Tx) Service(ctx context.Context, s proton.Scope, name string) (proton.Service, error) {
	service, ok, err := services.get(ctx, tx, s.Account, s.Region, name)
	if err == nil && !ok {
		err = proton.NoService(s, name)
	}
	return service, err
}

// Services lists services by name, from the one behind after, without spec.
func (tx *Tx) Services(ctx context.Context, s proton.Scope, after string, limit int) ([]proton.Service, error) {
	return services.listBriefly(ctx, tx, "WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?", s.Account, s.Region, after, limit)
}

// CountServices counts services in any state.
func (tx *Tx) CountServices(ctx context.Context, s proton.Scope) (int, error) {
	return tx.total(ctx, s, services.name)
}

// InsertService writes all that a plan makes, and queues the deployments that
// are ready. Conflict if the name is taken.
func (tx *Tx) InsertService(ctx context.Context, plan proton.ServicePlan) error {
	if err := services.add(ctx, tx, plan.Service); err != nil {
		return err
	}
	for _, i := range plan.Instances {
		if err := serviceInstances.add(ctx, tx, i); err != nil {
			return err
		}
	}
	if plan.Pipeline != nil {
		if err := pipelines.add(ctx, tx, *plan.Pipeline); err != nil {
			return err
		}
	}
	return tx.InsertDeployments(ctx, plan.Deployments...)
}

// SaveService writes a service back. Conflict if it changed meanwhile.
func (tx *Tx) SaveService(ctx context.Context, s proton.Service) error {
	return services.save(ctx, tx, s)
}

// DeleteService removes a service with its tags. Its parts must be gone.
func (tx *Tx) DeleteService(ctx context.Context, s proton.Service) error {
	if err := tx.DeleteTags(ctx, s.ARN()); err != nil {
		return err
	}
	if err := tx.DeleteServiceSync(ctx, s.Scope, s.Name); err != nil {
		return err
	}
	return services.delete(ctx, tx, s.Account, s.Region, s.Name)
}

// ServiceInstance reads an instance. NotFound without it.
func (tx *Tx) ServiceInstance(ctx context.Context, s proton.Scope, service, name string) (proton.ServiceInstance, error) {
	i, ok, err := serviceInstances.get(ctx, tx, s.Account, s.Region, service, name)
	if err == nil && !ok {
		err = proton.NoServiceInstance(s, service, name)
	}
	return i, err
}

// InstancesOfService lists a service's instances in the order of its spec.
func (tx *Tx) InstancesOfService(ctx context.Context, s proton.Scope, service string) ([]proton.ServiceInstance, error) {
	return serviceInstances.list(ctx, tx, "WHERE account = ? AND region = ? AND service_name = ? ORDER BY position, name",
		s.Account, s.Region, service)
}

// InstancesInEnvironment lists the first limit instances deployed in an environment.
func (tx *Tx) InstancesInEnvironment(ctx context.Context, s proton.Scope, environment string, limit int) ([]proton.ServiceInstance, error) {
	return serviceInstances.listBriefly(ctx, tx, "WHERE account = ? AND region = ? AND environment_name = ? ORDER BY service_name, name LIMIT ?",
		s.Account, s.Region, environment, limit)
}

// InsertServiceInstance adds an instance. Conflict if the name is taken.
func (tx *Tx) InsertServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	return serviceInstances.add(ctx, tx, i)
}

// SaveServiceInstance writes an instance back. Conflict if it changed meanwhile.
func (tx *Tx) SaveServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	return serviceInstances.save(ctx, tx, i)
}

// DeleteServiceInstance removes an instance with its tags.
func (tx *Tx) DeleteServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	if err := tx.DeleteTags(ctx, i.ARN()); err != nil {
		return err
	}
	return serviceInstances.delete(ctx, tx, i.Account, i.Region, i.ServiceName, i.Name)
}

// Pipeline reads a service's pipeline; nil without one.
func (tx *Tx) Pipeline(ctx context.Context, s proton.Scope, service string) (*proton.Pipeline, error) {
	p, ok, err := pipelines.get(ctx, tx, s.Account, s.Region, service)
	if err != nil || !ok {
		return nil, err
	}
	return &p, nil
}

// SavePipeline writes a pipeline back. Conflict if it changed meanwhile.
func (tx *Tx) SavePipeline(ctx context.Context, p proton.Pipeline) error {
	return pipelines.save(ctx, tx, p)
}

// DeletePipeline removes a pipeline.
func (tx *Tx) DeletePipeline(ctx context.Context, p proton.Pipeline) error {
	return pipelines.delete(ctx, tx, p.Account, p.Region, p.ServiceName)
}
