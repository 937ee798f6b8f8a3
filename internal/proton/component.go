package proton

import "time"

// Attachment names the service instance that a component is attached to; the
// zero Attachment is that of a detached component.
type Attachment struct {
	ServiceName  string
	InstanceName string
}

// Detached reports whether there is no instance.
func (a Attachment) Detached() bool { return a == Attachment{} }

// ComponentState is what a deployment of a component makes of it.
type ComponentState struct {
	ServiceName  string `json:"serviceName,omitempty"`
	InstanceName string `json:"instanceName,omitempty"`
	ServiceSpec  string `json:"serviceSpec,omitempty"`
	TemplateFile string `json:"templateFile"`
}

// Attachment is the instance that the component is attached to in this state.
func (s ComponentState) Attachment() Attachment { return Attachment{s.ServiceName, s.InstanceName} }

// Component is infrastructure that a developer defines beside a template: in
// an environment, and perhaps attached to one service instance, which then
// sees its outputs.
type Component struct {
	Scope
	Name            string
	EnvironmentName string
	Description     string
	// Attachment, ServiceSpec and TemplateFile are those in force. While nothing
	// has succeeded yet they are those last tried.
	Attachment
	ServiceSpec  string
	TemplateFile string
	// Wanted is the attachment once the running deployment has succeeded; the
	// one in force while none runs.
	Wanted   Attachment
	Manifest string
	Deployable
	LastClientToken string
	LastModifiedAt  time.Time
	Revision        int64
}

func (c Component) ARN() ARN { return c.ComponentARN(c.Name) }

// State is what is in force.
func (c Component) State() ComponentState {
	return ComponentState{c.ServiceName, c.InstanceName, c.ServiceSpec, c.TemplateFile}
}

// adopt puts a state in force.
func (c Component) adopt(s ComponentState) Component {
	c.Attachment, c.ServiceSpec, c.TemplateFile = s.Attachment(), s.ServiceSpec, s.TemplateFile
	return c
}

// NoComponent says that a component is missing.
func NoComponent(s Scope, name string) error {
	return Errorf(NotFound, "The requested component does not exist: %s", s.ComponentARN(name))
}

// AcceptsComponents says why a component provisioned with a method can't be
// deployed in an environment, or nil. role is the component role that the
// environment, or its connection, gives.
func AcceptsComponents(e Environment, method, role string) error {
	switch {
	case e.Status == DeleteInProgress || e.Status == DeleteFailed:
		return Errorf(Conflict, "Environment %s is being deleted.", e.ARN())
	case e.LastSucceededDeploymentID == "":
		return Errorf(Invalid, "Environment %s has not been deployed successfully; its deployment status is %s.", e.Name, e.Status)
	case method == "CLOUDFORMATION" && e.ProvisioningRepository != nil:
		return Errorf(Invalid, "Environment %s is self-managed: its components must be provisioned with Terraform.", e.Name)
	case method == "CLOUDFORMATION" && role == "":
		return Errorf(Invalid, "Environment %s doesn't allow directly defined components because it has no component role.", e.Name)
	}
	return nil
}

// Attach says why component c can't be attached to an instance now, or nil.
// v is the version that the instance runs, service its service, other the
// component that is attached to it already.
func (c Component) Attach(i ServiceInstance, service Service, v TemplateVersion, other *Component) error {
	if err := i.RefuseBusy(); err != nil {
		return err
	}
	switch {
	case i.Status == DeleteFailed || service.Status == ServiceDeleteInProgress || service.Status == ServiceDeleteFailed:
		return Errorf(Conflict, "Service instance %s is being deleted.", i.ARN())
	case service.Update != nil && service.Update.adds(i.Name): // a failure elsewhere takes it away again
		return Errorf(Conflict, "Service %s can't be changed while its status is %s.", service.ARN(), service.Status)
	case c.EnvironmentName != i.EnvironmentName:
		return Errorf(Invalid, "Service instance %s is in environment %s, and component %s in %s.", i.ARN(), i.EnvironmentName, c.Name, c.EnvironmentName)
	case !v.SupportsComponents():
		return Errorf(Invalid, "Service instance %s doesn't support directly defined components.", i.ARN())
	case other != nil && other.Name != c.Name:
		return Errorf(Conflict, "Service instance %s already has an attached component: %s", i.ARN(), other.ARN())
	}
	return nil
}

// Move is the attachment that an update call asks for: nil members keep what
// is, two empty ones detach, two names attach what is detached. Invalid,
// Conflict.
func (c Component) Move(service, instance *string) (Attachment, error) {
	if service == nil && instance == nil {
		return c.Attachment, nil
	}
	if service == nil || instance == nil || (*service == "") != (*instance == "") {
		return c.Attachment, Errorf(Invalid, "Specify both serviceName and serviceInstanceName, or neither.")
	}
	to := Attachment{*service, *instance}
	if !to.Detached() && !c.Detached() && to != c.Attachment {
		return to, Errorf(Conflict, "Component %s is attached to service instance %s: detach it first.", c.ARN(), c.ServiceInstanceARN(c.ServiceName, c.InstanceName))
	}
	return to, nil
}

// PlanComponent is a new component and its first deployment.
func PlanComponent(c Component, newID func() string, now time.Time) (Component, Deployment) {
	state := c.State()
	d := newDeployment(c.Scope, TargetComponent, State{Component: &state}, newID, now)
	d.of(c, state.Attachment())
	c.Deployable, c.Wanted, c.LastModifiedAt = NewDeployable(d), c.Attachment, now
	return c, d
}

// PlanComponentUpdate is a component and the deployment that brings it to a
// state. Conflict if one is in progress.
func PlanComponentUpdate(c Component, to ComponentState, newID func() string, now time.Time) (Component, Deployment, error) {
	next, d, err := PlanApply(c.Scope, TargetComponent, c.ARN(), c.Deployable, State{Component: &to}, newID, now)
	if err != nil {
		return c, d, err
	}
	d.of(c, to.Attachment())
	if c.LastSucceededDeploymentID == "" { // nothing is in force that could be kept
		c = c.adopt(to)
	} else {
		was := c.State()
		d.Initial = State{Component: &was}
	}
	c.Deployable, c.Wanted, c.LastModifiedAt = next, to.Attachment(), now
	return c, d, nil
}

// PlanComponentDelete is a component and the deployment that removes it.
// Conflict if it is attached or busy.
func PlanComponentDelete(c Component, newID func() string, now time.Time) (Component, Deployment, error) {
	if err := c.RefuseBusy(); err != nil {
		return c, Deployment{}, err
	}
	if !c.Detached() {
		return c, Deployment{}, Errorf(Conflict, "Component %s can't be deleted while it is attached to a service instance.", c.ARN())
	}
	next, d, err := PlanDestroy(c.Scope, TargetComponent, c.Deployable, "", newID, now)
	if err != nil {
		return c, d, err
	}
	d.of(c, Attachment{})
	state := c.State()
	d.Target = State{Component: &state}
	if c.LastSucceededDeploymentID != "" {
		d.Initial = d.Target
	}
	c.Deployable, c.LastModifiedAt = next, now
	return c, d, nil
}

// of names the component that a deployment is of, and what it is attached to.
func (d *Deployment) of(c Component, a Attachment) {
	d.ComponentName, d.EnvironmentName, d.ServiceName, d.InstanceName = c.Name, c.EnvironmentName, a.ServiceName, a.InstanceName
}

// Finish is the component once its running deployment d has ended.
func (c Component) Finish(d Deployment, now time.Time) Component {
	c.Deployable = c.Deployable.Finish(d)
	if d.Status == Succeeded {
		c = c.adopt(*d.Target.Component)
	}
	c.Wanted, c.LastModifiedAt = c.Attachment, now
	return c
}

// RefuseAttached refuses to remove instances that a component is attached to,
// or is being attached to. attached names the component of an instance.
func RefuseAttached(instances []ServiceInstance, attached map[string]ARN) error {
	for _, i := range instances {
		if component, ok := attached[i.Name]; ok {
			return Errorf(Conflict, "Service instance %s can't be deleted because it has an attached component: %s", i.ARN(), component)
		}
	}
	return nil
}

// RefuseBusy refuses what must wait for the component's own deployment to end.
func (c Component) RefuseBusy() error {
	if c.Status.Running() {
		return busy(TargetComponent.noun(), c.ARN())
	}
	return nil
}

// RefuseBusy refuses what must wait for the instance's own deployment to end.
func (i ServiceInstance) RefuseBusy() error {
	if i.Status.Running() {
		return busy(TargetServiceInstance.noun(), i.ARN())
	}
	return nil
}

// RefuseBeside refuses a deployment of an instance while that of the component
// attached to it goes on.
func RefuseBeside(c *Component) error {
	if c == nil {
		return nil
	}
	return c.RefuseBusy()
}
