package proton

import (
	"slices"
	"time"
)

// Goal is what a deployment is to achieve.
type Goal string

const (
	GoalApply   Goal = "APPLY"
	GoalDestroy Goal = "DESTROY"
)

// TargetType is what a deployment deploys, as the API names it.
type TargetType string

const (
	TargetEnvironment     TargetType = "ENVIRONMENT"
	TargetServiceInstance TargetType = "SERVICE_INSTANCE"
	TargetPipeline        TargetType = "SERVICE_PIPELINE"
	TargetComponent       TargetType = "COMPONENT"
)

// noun is the type as messages spell it at the start of a sentence.
func (t TargetType) noun() string {
	switch t {
	case TargetServiceInstance:
		return "Service instance"
	case TargetPipeline:
		return "Service pipeline"
	case TargetComponent:
		return "Component"
	}
	return "Environment"
}

// State is a version and spec of a target: what a deployment started from, or
// what it makes.
type State struct {
	TemplateName string  `json:"templateName,omitempty"`
	Version      Version `json:"version,omitzero"`
	Spec         string  `json:"spec,omitempty"`
	// BundleDigest is the very bundle to render; empty: that of the version.
	BundleDigest string `json:"bundleDigest,omitempty"`
	// The deployments whose outputs were inputs of this one; instances only.
	EnvironmentDeploymentID string   `json:"environmentDeploymentId,omitempty"`
	PipelineDeploymentID    string   `json:"pipelineDeploymentId,omitempty"`
	ComponentDeploymentIDs  []string `json:"componentDeploymentIds,omitempty"`
	// Component is the state of a component, which has no template and version.
	Component *ComponentState `json:"component,omitempty"`
}

// Output is one value that a deployment offers to what is built on it.
type Output struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// ProvisionedResource is one entry of the provisioned resources lists.
type ProvisionedResource struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
	Engine     string `json:"engine"`
}

// Report is what NotifyResourceDeploymentStatusChange told about a running
// deployment. Outputs of a later call replace those of an earlier one as a set.
type Report struct {
	Status     string   `json:"status,omitempty"`
	Message    string   `json:"message,omitempty"`
	HasOutputs bool     `json:"hasOutputs,omitempty"`
	Outputs    []Output `json:"outputs,omitempty"`
}

// Deployment is one attempt to make a target real or to remove it, and its
// record afterwards.
type Deployment struct {
	Scope
	ID              string // UUID
	RunID           string // UUID; the idempotency key towards engines
	TargetType      TargetType
	EnvironmentName string // of environments, instances and components
	ServiceName     string // of instances, pipelines and attached components
	InstanceName    string
	ComponentName   string
	Goal            Goal
	Status          DeploymentStatus
	StatusMessage   string
	CreatedAt       time.Time
	LastModifiedAt  time.Time
	CompletedAt     time.Time
	TargetCreatedAt time.Time
	Initial         State // zero for a first deployment
	Target          State // of a delete: what is being removed
	// The target's last deployments when this one was made.
	PrecedingAttemptedID string
	PrecedingSucceededID string

	// Ready is false while the deployment waits for others to end first (a
	// new service's pipeline for its instances).
	Ready bool
	// Begun is set once a driver may have touched the world.
	Begun bool
	// Inputs are the facts rendered from, taken when work starts.
	Inputs     *Inputs
	Report     Report
	Outputs    []Output
	Resources  []ProvisionedResource
	Attempt    int64 // the fence: rises at each claim
	LeaseOwner string
	LeaseUntil time.Time // zero while nobody works on it
	Woken      bool      // since it was claimed, something happened that it may wait for
	Checkpoint string
	Failures   int64 // steps that could not be taken, in a row
	Cause      Cause // of a failure
	// Forced: the target of a removal is forgotten even if the removal fails.
	Forced bool
	// Engine carries it out; empty until it was first rendered and saved.
	Engine string
	// RequestID and TraceParent are of the call that asked for it.
	RequestID, TraceParent string
}

func (d Deployment) ARN() ARN { return d.DeploymentARN(d.ID) }

// TargetARN is the resource that is deployed.
func (d Deployment) TargetARN() ARN {
	switch d.TargetType {
	case TargetEnvironment:
		return d.EnvironmentARN(d.EnvironmentName)
	case TargetServiceInstance:
		return d.ServiceInstanceARN(d.ServiceName, d.InstanceName)
	case TargetPipeline:
		return d.PipelineARN(d.ServiceName)
	}
	return d.ComponentARN(d.ComponentName)
}

// StackName is the stable name of the target's infrastructure.
func (d Deployment) StackName() string {
	switch d.TargetType {
	case TargetEnvironment:
		return StackName(d.EnvironmentName)
	case TargetServiceInstance:
		return StackName(d.ServiceName, d.InstanceName)
	case TargetPipeline:
		return StackName(d.ServiceName)
	}
	return StackName(d.EnvironmentName, d.ComponentName)
}

// Cause says in a word what a deployment failed by, so that people can be told
// what to do about it.
type Cause string

const (
	CauseRun        Cause = "RUN"        // the engine did its work, and that failed
	CauseTemplate   Cause = "TEMPLATE"   // the template can't be rendered
	CauseSpec       Cause = "SPEC"       // the spec does not fit the template
	CauseEngine     Cause = "ENGINE"     // this server has no engine for the template
	CauseConnection Cause = "CONNECTION" // the environment's account connection is gone
	CauseRole       Cause = "ROLE"       // a role that it needs is not given
	CauseStep       Cause = "STEP"       // the engine could not be brought to work
	CausePrecedent  Cause = "PRECEDENT"  // what it waited for has failed
	CauseCancel     Cause = "CANCEL"     // it could not be cancelled
	CauseAbandoned  Cause = "ABANDONED"  // a caller gave its target up
	CauseInternal   Cause = "INTERNAL"   // a fault of this server
)

// Outcome is how an engine's run ended.
type Outcome struct {
	Failure   string // why; empty on success
	Cause     Cause  // of a failure
	Cancelled bool   // by the caller or, as Failure says, by somebody outside
	Untouched bool   // no driver was ever stepped: nothing can have been made
	Outputs   []Output
	Resources []ProvisionedResource
}

// End is the deployment once its run has ended. A cancelled or failed
// deployment leaves no outputs: those of the last good one stay in force.
func (d Deployment) End(o Outcome, now time.Time) (Deployment, error) {
	event := DeploymentSucceeded
	switch {
	case d.Goal == GoalDestroy && (o.Failure != "" || o.Cancelled):
		event = DeleteHasFailed // what was cut short is not known to be gone
	case d.Goal == GoalDestroy:
		event = DeleteSucceeded
	case o.Cancelled:
		event = DeploymentCancelled
	case o.Failure != "":
		event = DeploymentFailed
	}
	next, err := d.Status.On(event)
	if err != nil {
		return d, err
	}
	d.Status, d.StatusMessage, d.Cause = next, o.Failure, o.Cause
	if o.Cancelled && o.Failure == "" {
		d.StatusMessage = "User initiated cancellation."
	}
	d.LastModifiedAt, d.CompletedAt = now, now
	d.LeaseOwner, d.LeaseUntil, d.Checkpoint = "", time.Time{}, ""
	d.Begun = d.Begun && !o.Untouched
	if next == Succeeded {
		d.Outputs, d.Resources = o.Outputs, o.Resources
	}
	return d, nil
}

// RemovesTarget reports whether the target of an ended deployment is gone, or
// forgotten because its removal was forced.
func (d Deployment) RemovesTarget() bool {
	return d.Status == DeleteComplete || d.Forced && d.Status == DeleteFailed
}

// EndedAs reports whether a deployment has ended as a notified status says.
func (d Deployment) EndedAs(status string) bool {
	switch d.Status {
	case Succeeded, DeleteComplete:
		return status == string(Succeeded)
	case Failed, DeleteFailed:
		return status == string(Failed)
	}
	return false
}

// Force is a removal that forgets its target even if it fails.
func (d Deployment) Force() Deployment {
	d.Forced = true
	return d
}

// Abandon is a running deployment whose target was given up: it ends at once,
// and whatever its worker did stays as it is.
func (d Deployment) Abandon(now time.Time) (Deployment, error) {
	d.Attempt++ // its worker can write no more
	return d.End(Outcome{Failure: "The resource was abandoned: what it has provisioned was left as it is.", Cause: CauseAbandoned}, now)
}

// Inputs are the facts a deployment renders from. They are recorded when its
// work starts, so that a repeat after a crash renders the same files, and a
// later delete the files that were deployed.
type Inputs struct {
	BundleDigest string            `json:"bundle,omitempty"` // not of components
	Environment  *EnvironmentFacts `json:"environment,omitempty"`
	Service      *ServiceFacts     `json:"service,omitempty"`
	Instances    []InstanceFacts   `json:"instances,omitempty"` // of a pipeline: every instance; of an instance: itself; of a component: the one it is attached to
	Component    *ComponentFacts   `json:"component,omitempty"` // of a component: itself; of an instance: the attached one
	Spec         string            `json:"spec"`
	// Repository is where pull requests are opened for it; nil: it is
	// provisioned directly.
	Repository *ProvisioningRepository `json:"repository,omitempty"`
}

// Clone is a copy whose lists can be changed one by one; nil of nil.
func (in *Inputs) Clone() *Inputs {
	if in == nil {
		return nil
	}
	next := *in
	next.Instances = slices.Clone(in.Instances)
	if in.Environment != nil {
		e := *in.Environment
		next.Environment = &e
	}
	if in.Component != nil {
		c := *in.Component
		next.Component = &c
	}
	return &next
}

// ComponentFacts are what rendering sees of a component: its own texts, or as
// one that is attached its outputs.
type ComponentFacts struct {
	Name         string   `json:"name"`
	Manifest     string   `json:"manifest,omitempty"`
	TemplateFile string   `json:"templateFile,omitempty"`
	Outputs      []Output `json:"outputs,omitempty"`
}

// EnvironmentFacts are what others see of an environment.
type EnvironmentFacts struct {
	Name         string   `json:"name"`
	AccountID    string   `json:"accountId"`
	DeploymentID string   `json:"deploymentId,omitempty"`
	Outputs      []Output `json:"outputs,omitempty"`
}

// ServiceFacts are what rendering sees of a service.
type ServiceFacts struct {
	Name                    string `json:"name"`
	RepositoryConnectionARN string `json:"repositoryConnectionArn"`
	RepositoryID            string `json:"repositoryId"`
	BranchName              string `json:"branchName"`
}

// InstanceFacts are what rendering sees of a service instance. Its inputs
// come of Spec and the bundle.
type InstanceFacts struct {
	Name         string           `json:"name"`
	BundleDigest string           `json:"bundle"`
	Spec         string           `json:"spec"`
	Environment  EnvironmentFacts `json:"environment"`
	Outputs      []Output         `json:"outputs,omitempty"`
}
