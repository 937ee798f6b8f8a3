package proton

import (
	"slices"
	"strings"
	"time"
)

// WantedInstance is one entry of a service spec that is to be deployed.
type WantedInstance struct {
	Name            string
	EnvironmentName string
}

// ServiceRequest is a CreateService call whose spec has been checked.
type ServiceRequest struct {
	Service   Service // names, repository, description, spec, creation hash; no status or times
	Version   TemplateVersion
	Instances []WantedInstance
}

// ServicePlan is all that a new service writes at once.
type ServicePlan struct {
	Service   Service
	Instances []ServiceInstance
	Pipeline  *Pipeline
	// Deployments of the instances, ready to work on, then the pipeline's,
	// which is ready only if there are no instances to wait for.
	Deployments []Deployment
}

// PlanService decides what a CreateService call makes. environments are those
// the instances name; every one must be there (the caller has refused the rest).
func PlanService(r ServiceRequest, environments map[string]Environment, newID func() string, now time.Time) (ServicePlan, error) {
	s := r.Service
	s.Status, s.CreatedAt, s.LastModifiedAt = ServiceCreateInProgress, now, now
	s.TemplateMajor = r.Version.Major
	plan := ServicePlan{Service: s}
	target := State{TemplateName: s.TemplateName, Version: r.Version.Version, Spec: s.Spec}
	for n, want := range r.Instances {
		if err := AcceptsInstances(environments[want.EnvironmentName], r.Version); err != nil {
			return ServicePlan{}, err
		}
		i, d := PlanInstance(ServiceInstance{
			Scope: s.Scope, ServiceName: s.Name, Name: want.Name, EnvironmentName: want.EnvironmentName,
			TemplateName: s.TemplateName, Position: int64(n),
		}, target, newID, now)
		plan.Instances, plan.Deployments = append(plan.Instances, i), append(plan.Deployments, d)
	}
	if s.HasPipeline {
		d := newDeployment(s.Scope, TargetPipeline, target, newID, now)
		d.ServiceName = s.Name
		d.Ready = len(r.Instances) == 0
		plan.Deployments = append(plan.Deployments, d)
		plan.Pipeline = &Pipeline{Scope: s.Scope, ServiceName: s.Name, TemplateName: s.TemplateName, Deployable: NewDeployable(d)}
	}
	if len(plan.Deployments) == 0 {
		plan.Service.Status = ServiceActive
	}
	return plan, nil
}

// PlanInstance is a new instance and its first deployment.
func PlanInstance(i ServiceInstance, target State, newID func() string, now time.Time) (ServiceInstance, Deployment) {
	d := newDeployment(i.Scope, TargetServiceInstance, target, newID, now)
	d.ServiceName, d.InstanceName, d.EnvironmentName = i.ServiceName, i.Name, i.EnvironmentName
	i.Deployable = NewDeployable(d)
	return i, d
}

// AcceptsInstances says why version can't be deployed in environment, or nil.
func AcceptsInstances(e Environment, v TemplateVersion) error {
	switch {
	case e.Status == DeleteInProgress || e.Status == DeleteFailed:
		return Errorf(Conflict, "Environment %s is being deleted.", e.ARN())
	case e.LastSucceededDeploymentID == "":
		return Errorf(Invalid, "Environment %s has not been deployed successfully; its deployment status is %s.", e.Name, e.Status)
	case !slices.Contains(v.Compatible, CompatibleTemplate{Name: e.TemplateName, Major: e.Version.Major}):
		return Errorf(Invalid, "Environment %s is not compatible with service template version %s.", e.Name, v.ARN())
	}
	return nil
}

// PlanEnvironment decides what a CreateEnvironment call makes: the
// environment and its first deployment. A customer-managed one is done at
// once; outputs are the values its spec gives.
func PlanEnvironment(e Environment, spec string, v TemplateVersion, outputs []Output, newID func() string, now time.Time) (Environment, Deployment, error) {
	target := State{TemplateName: e.TemplateName, Version: v.Version, Spec: spec}
	d := newDeployment(e.Scope, TargetEnvironment, target, newID, now)
	d.EnvironmentName = e.Name
	e.Deployable = NewDeployable(d)
	if !e.CustomerManaged {
		return e, d, nil
	}
	d.Ready = false
	d, err := d.End(Outcome{Outputs: outputs}, now)
	if err != nil {
		return e, d, err
	}
	e.Deployable = e.Deployable.Finish(d)
	return e, d, nil
}

// newDeployment is a first deployment of something made at the same instant.
func newDeployment(s Scope, t TargetType, target State, newID func() string, now time.Time) Deployment {
	return Deployment{
		Scope: s, ID: newID(), RunID: newID(), TargetType: t, Goal: GoalApply, Status: InProgress,
		CreatedAt: now, LastModifiedAt: now, TargetCreatedAt: now, Target: target, Ready: true,
	}
}

// PlanDestroy is the deployment that removes a resource, and the resource
// while that goes on. Conflict if it has a deployment in progress.
func PlanDestroy(s Scope, t TargetType, r Deployable, templateName string, newID func() string, now time.Time) (Deployable, Deployment, error) {
	d := Deployment{
		Scope: s, ID: newID(), RunID: newID(), TargetType: t, Goal: GoalDestroy, Status: DeleteInProgress,
		CreatedAt: now, LastModifiedAt: now, TargetCreatedAt: r.CreatedAt, Ready: true,
		Target:               State{TemplateName: templateName, Version: r.CurrentVersion(), Spec: r.Spec},
		PrecedingAttemptedID: r.LastAttemptedDeploymentID, PrecedingSucceededID: r.LastSucceededDeploymentID,
	}
	if !r.Version.IsZero() {
		d.Initial = d.Target
	}
	next, err := r.Begin(d)
	return next, d, err
}

// RefuseEnvironmentDelete says why an environment can't be deleted, or nil.
// dependents are the ARNs of instances and components that live in it.
func RefuseEnvironmentDelete(e Environment, instances, components []ARN) error {
	if err := e.RefuseBusy(); err != nil {
		return err
	}
	switch {
	case len(instances) > 0:
		return Errorf(Conflict, "Environment %s can't be deleted because it has service instances: %s", e.ARN(), listARNs(instances))
	case len(components) > 0:
		return Errorf(Conflict, "Environment %s can't be deleted because it has components: %s", e.ARN(), listARNs(components))
	}
	return nil
}

// ServiceDeletePlan is all that a DeleteService call writes at once.
type ServiceDeletePlan struct {
	Service   Service
	Instances []ServiceInstance // those that changed
	Pipeline  *Pipeline
	// Deployments: the pipeline's, ready; the instances', ready only if there
	// is no pipeline to remove first.
	Deployments []Deployment
}

// PlanServiceDelete decides what a DeleteService call starts.
func PlanServiceDelete(s Service, instances []ServiceInstance, pipeline *Pipeline, newID func() string, now time.Time) (ServiceDeletePlan, error) {
	if s.Status.Running() {
		return ServiceDeletePlan{}, Errorf(Conflict, "Service %s can't be deleted while its status is %s.", s.ARN(), s.Status)
	}
	status, err := s.Status.On(DeleteRequested)
	if err != nil {
		return ServiceDeletePlan{}, err
	}
	s.Status, s.StatusMessage, s.LastModifiedAt = status, "", now
	plan := ServiceDeletePlan{Service: s}
	if pipeline != nil {
		if pipeline.Status.Running() {
			return ServiceDeletePlan{}, busy(TargetPipeline.noun(), pipeline.ARN())
		}
		next, d, err := PlanDestroy(s.Scope, TargetPipeline, pipeline.Deployable, s.TemplateName, newID, now)
		if err != nil {
			return ServiceDeletePlan{}, err
		}
		p := *pipeline
		p.Deployable = next
		d.ServiceName = s.Name
		plan.Pipeline, plan.Deployments = &p, append(plan.Deployments, d)
	}
	for _, i := range instances {
		if i.Status.Running() {
			return ServiceDeletePlan{}, busy(TargetServiceInstance.noun(), i.ARN())
		}
		next, d, err := PlanDestroy(s.Scope, TargetServiceInstance, i.Deployable, s.TemplateName, newID, now)
		if err != nil {
			return ServiceDeletePlan{}, err
		}
		i.Deployable = next
		d.ServiceName, d.InstanceName, d.EnvironmentName = s.Name, i.Name, i.EnvironmentName
		d.Ready = plan.Pipeline == nil
		plan.Instances, plan.Deployments = append(plan.Instances, i), append(plan.Deployments, d)
	}
	return plan, nil
}

func busy(what string, arn ARN) error {
	return Errorf(Conflict, "%s %s has a deployment in progress.", what, arn)
}

func listARNs(arns []ARN) string {
	texts := make([]string, len(arns))
	for n, arn := range arns {
		texts[n] = string(arn)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
