package proton

import (
	"slices"
	"time"
)

// ServiceUpdate is an UpdateService call that is being carried out. It is kept
// with the service, so that its steps find it after a crash, and so that all it
// touched can be put back if an added instance fails.
type ServiceUpdate struct {
	PreviousSpec string             `json:"previousSpec"`
	Spec         string             `json:"spec"`
	Added        []string           `json:"added,omitempty"`
	Removed      []InstanceSnapshot `json:"removed,omitempty"`
	Pipeline     *Deployable        `json:"pipeline,omitempty"` // as it was; nil without one
}

// InstanceSnapshot is an instance as it was before an update.
type InstanceSnapshot struct {
	Name       string     `json:"name"`
	Deployable Deployable `json:"deployable"`
}

func (u *ServiceUpdate) adds(name string) bool { return slices.Contains(u.Added, name) }

func (u *ServiceUpdate) removes(name string) bool {
	return slices.ContainsFunc(u.Removed, func(s InstanceSnapshot) bool { return s.Name == name })
}

// RefuseUpdate refuses a deployment of an instance that its service, being
// deleted, or its part in an update of the service does not allow. Instances
// that an update leaves alone are not blocked by it.
func (i ServiceInstance) RefuseUpdate(s Service) error {
	switch {
	case s.Status == ServiceDeleteInProgress || s.Status == ServiceDeleteFailed, s.Update != nil && s.Update.adds(i.Name):
		return Errorf(Conflict, "Service %s can't be changed while its status is %s.", s.ARN(), s.Status)
	}
	return nil
}

// AddedInstance is an instance that an update adds, with the version it gets.
type AddedInstance struct {
	WantedInstance
	Version TemplateVersion
}

// ServiceUpdatePlan is all that an UpdateService call with a spec writes.
type ServiceUpdatePlan struct {
	Service     Service
	Added       []ServiceInstance
	Removed     []ServiceInstance // marked; their deployments wait for the additions
	Pipeline    *Pipeline
	Deployments []Deployment // the additions' are ready, the others wait
}

// RefuseServiceUpdate refuses to change a service, be it only its description,
// while it or its pipeline is being deployed or removed.
func RefuseServiceUpdate(s Service, pipeline *Pipeline) error {
	switch {
	case s.Status.Running():
		return Errorf(Conflict, "Service %s can't be updated while its status is %s.", s.ARN(), s.Status)
	case pipeline != nil && pipeline.Status.Running():
		return busy(TargetPipeline.noun(), pipeline.ARN())
	}
	return nil
}

// PlanServiceUpdate decides what an UpdateService call starts: instances are
// added first, then the removed ones go, then the pipeline is deployed again.
// spec is the whole new spec. Conflict if anything of that is busy.
func PlanServiceUpdate(s Service, instances []ServiceInstance, pipeline *Pipeline, spec string, added []AddedInstance, removed []string,
	environments map[string]Environment, newID func() string, now time.Time) (ServiceUpdatePlan, error) {
	var plan ServiceUpdatePlan
	if err := RefuseServiceUpdate(s, pipeline); err != nil {
		return plan, err
	}
	status, err := s.Status.On(UpdateRequested)
	if err != nil {
		return plan, err
	}
	u := &ServiceUpdate{PreviousSpec: s.Spec, Spec: spec}
	s.Status, s.StatusMessage, s.LastModifiedAt, s.Update, s.Creation.Modified = status, "", now, u, true
	position := int64(0)
	for _, i := range instances {
		position = max(position, i.Position+1)
		if !slices.Contains(removed, i.Name) {
			continue
		}
		if i.Status.Running() {
			return plan, busy(TargetServiceInstance.noun(), i.ARN())
		}
		u.Removed = append(u.Removed, InstanceSnapshot{i.Name, i.Deployable})
		next, d, err := PlanDestroy(s.Scope, TargetServiceInstance, i.Deployable, i.TemplateName, newID, now)
		if err != nil {
			return plan, err
		}
		d.ServiceName, d.InstanceName, d.EnvironmentName, d.Ready = s.Name, i.Name, i.EnvironmentName, len(added) == 0
		i.Deployable = next
		plan.Removed, plan.Deployments = append(plan.Removed, i), append(plan.Deployments, d)
	}
	for n, a := range added {
		if err := AcceptsInstances(environments[a.EnvironmentName], a.Version); err != nil {
			return plan, err
		}
		target := State{TemplateName: s.TemplateName, Version: a.Version.Version, Spec: spec}
		i, d := PlanInstance(ServiceInstance{
			Scope: s.Scope, ServiceName: s.Name, Name: a.Name, EnvironmentName: a.EnvironmentName,
			TemplateName: s.TemplateName, Position: position + int64(n),
		}, target, newID, now)
		u.Added = append(u.Added, a.Name)
		plan.Added, plan.Deployments = append(plan.Added, i), append(plan.Deployments, d)
	}
	if pipeline != nil {
		was := pipeline.Deployable
		u.Pipeline = &was
		target := State{TemplateName: s.TemplateName, Version: was.CurrentVersion(), Spec: spec}
		next, d, err := PlanApply(s.Scope, TargetPipeline, pipeline.ARN(), was, target, newID, now)
		if err != nil {
			return plan, err
		}
		d.ServiceName, d.Ready = s.Name, false
		p := *pipeline
		p.Deployable = next
		plan.Pipeline, plan.Deployments = &p, append(plan.Deployments, d)
	}
	plan.Service = s
	return plan, nil
}

// settleUpdate decides how an update goes on after one of its steps has ended.
func settleUpdate(s Service, instances []ServiceInstance, pipeline *Pipeline, pipelineWaiting bool) (Settlement, error) {
	u := s.Update
	running, failed, left := false, []ARN(nil), []ARN(nil)
	for _, i := range instances {
		switch {
		case u.adds(i.Name) && i.Status == InProgress, u.adds(i.Name) && i.Status == Cancelling:
			running = true
		case u.adds(i.Name) && i.Status != Succeeded:
			failed = append(failed, i.ARN())
		}
	}
	if running {
		return Settlement{}, nil
	}
	if len(failed) > 0 {
		t, err := change(s, InstanceAddFailed, "Service Instance(s): "+listARNs(failed)+" failed to deploy")
		t.Revert = true
		return t, err
	}
	removing := false
	for _, i := range instances {
		if u.removes(i.Name) {
			removing = removing || i.Status == DeleteInProgress
			left = append(left, i.ARN())
		}
	}
	switch {
	case removing:
		return Settlement{StartRemovals: true}, nil
	case pipeline != nil && pipelineWaiting:
		return Settlement{StartPipeline: true}, nil
	case pipeline != nil && pipeline.Status.Running():
		return Settlement{}, nil
	case pipeline != nil && pipeline.Status != Succeeded:
		return endUpdate(change(s, DeploymentFailed, "Service pipeline "+string(pipeline.ARN())+" failed to deploy"))
	case len(left) > 0:
		return endUpdate(change(s, CleanupFailed, "Not everything could be deleted: "+listARNs(left)))
	}
	return endUpdate(change(s, DeploymentSucceeded, ""))
}

func endUpdate(t Settlement, err error) (Settlement, error) {
	t.EndUpdate = true
	return t, err
}

// settleCleanup decides how the removal of a failed update's additions goes on.
func settleCleanup(s Service, instances []ServiceInstance) (Settlement, error) {
	var left []ARN
	for _, i := range instances {
		if !s.Update.adds(i.Name) {
			continue
		}
		if i.Status.Running() {
			return Settlement{}, nil
		}
		left = append(left, i.ARN())
	}
	if len(left) > 0 {
		return endUpdate(change(s, CleanupFailed, "Not everything could be deleted: "+listARNs(left)))
	}
	return endUpdate(change(s, CleanupSucceeded, s.StatusMessage))
}
