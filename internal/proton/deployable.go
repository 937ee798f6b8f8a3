package proton

import (
	"fmt"
	"strings"
	"time"
)

// Deployable is what environments, service instances, pipelines and
// components have in common: the state of their last deployment, and what the
// last good one left in force.
type Deployable struct {
	Status        DeploymentStatus
	StatusMessage string
	// Version and Spec are those of the last succeeded deployment. Until
	// there is one they are empty and Attempted holds what was tried.
	Version   Version
	Spec      string
	Attempted Version

	CreatedAt                 time.Time
	LastAttemptedAt           time.Time
	LastSucceededAt           time.Time // the start of that deployment, not its end
	LastAttemptedDeploymentID string
	LastSucceededDeploymentID string
}

// Begin is the resource once deployment d is accepted.
func (r Deployable) Begin(d Deployment) (Deployable, error) {
	event := DeploymentRequested
	if d.Goal == GoalDestroy {
		event = DeleteRequested
	}
	next, err := r.Status.On(event)
	if err != nil {
		return r, err
	}
	r.Status, r.StatusMessage = next, ""
	r.LastAttemptedDeploymentID = d.ID
	if d.Goal == GoalApply {
		r.LastAttemptedAt = d.CreatedAt
		r.Attempted = d.Target.Version
	}
	return r, nil
}

// NewDeployable is a resource whose first deployment d was just accepted.
func NewDeployable(d Deployment) Deployable {
	return Deployable{
		Status:                    InProgress,
		Attempted:                 d.Target.Version,
		CreatedAt:                 d.CreatedAt,
		LastAttemptedAt:           d.CreatedAt,
		LastAttemptedDeploymentID: d.ID,
	}
}

// Finish is the resource once its running deployment d has ended as d says.
// A status other than the ended ones is a bug and panics.
func (r Deployable) Finish(d Deployment) Deployable {
	r.Status, r.StatusMessage = d.Status, d.StatusMessage
	switch d.Status {
	case Succeeded:
		r.Version, r.Spec = d.Target.Version, d.Target.Spec
		r.LastSucceededAt = d.CreatedAt
		r.LastSucceededDeploymentID = d.ID
		r.StatusMessage = ""
	case Failed, Cancelled, DeleteFailed:
	default:
		panic(fmt.Sprintf("proton: a deployment cannot end as %s", d.Status))
	}
	return r
}

// CurrentVersion is the version that updates start from: the deployed one,
// or the attempted one while nothing was ever deployed.
func (r Deployable) CurrentVersion() Version {
	if !r.Version.IsZero() {
		return r.Version
	}
	return r.Attempted
}

// ProvisioningRepository is where self-managed provisioning opens pull requests.
type ProvisioningRepository struct {
	Provider string `json:"provider"`
	Name     string `json:"name"`
	Branch   string `json:"branch"`
}

// Environment is shared infrastructure that service instances are deployed in.
type Environment struct {
	Scope
	Name         string
	TemplateName string
	Description  string
	Deployable
	// CustomerManaged: the template only describes outputs; nothing is provisioned.
	CustomerManaged        bool
	ServiceRoleARN         string
	CodebuildRoleARN       string
	ComponentRoleARN       string
	AccountConnectionID    string
	AccountID              string // of the connection; empty without one
	ProvisioningRepository *ProvisioningRepository
	Creation               Creation
	Revision               int64
}

func (e Environment) ARN() ARN { return e.EnvironmentARN(e.Name) }

// RefuseBusy refuses what may not be done while the environment is being
// deployed or removed.
func (e Environment) RefuseBusy() error {
	if e.Status.Running() {
		return busy(TargetEnvironment.noun(), e.ARN())
	}
	return nil
}

// ProvisioningAccount is the account the environment's infrastructure is in.
func (e Environment) ProvisioningAccount() string {
	if e.AccountID != "" {
		return e.AccountID
	}
	return e.Account
}

// Service is a developer's application: instances in environments, and by its
// template a pipeline. It has no template version of its own; TemplateMajor is
// the one it was created with.
type Service struct {
	Scope
	Name                    string
	TemplateName            string
	TemplateMajor           int64
	Description             string
	BranchName              string
	RepositoryConnectionARN string
	RepositoryID            string
	Spec                    string
	Status                  ServiceStatus
	StatusMessage           string
	HasPipeline             bool
	Update                  *ServiceUpdate // nil while no update of instances is going on
	CreatedAt               time.Time
	LastModifiedAt          time.Time
	Creation                Creation
	Revision                int64
}

func (s Service) ARN() ARN { return s.ServiceARN(s.Name) }

// ServiceInstance is a service deployed in one environment.
type ServiceInstance struct {
	Scope
	ServiceName     string
	Name            string
	EnvironmentName string
	TemplateName    string
	Position        int64 // in the spec's list
	Deployable
	LastClientToken string
	Revision        int64
}

func (i ServiceInstance) ARN() ARN { return i.ServiceInstanceARN(i.ServiceName, i.Name) }

// Pipeline is the delivery pipeline of a service.
type Pipeline struct {
	Scope
	ServiceName  string
	TemplateName string
	Deployable
	Revision int64
}

func (p Pipeline) ARN() ARN { return p.PipelineARN(p.ServiceName) }

// StackName is the stable name of a resource's infrastructure: Proton's stack
// name without the random part, parts cut to 15 characters.
func StackName(names ...string) string {
	var b strings.Builder
	b.WriteString("AWSProton-")
	for _, name := range names {
		b.WriteString(strings.ReplaceAll(name[:min(len(name), 15)], "_", "-"))
		b.WriteByte('-')
	}
	return b.String() + "cloudformation"
}

// AccountSettings are what an account's pipelines are provisioned with.
type AccountSettings struct {
	Scope
	PipelineServiceRoleARN   string
	PipelineCodebuildRoleARN string
	PipelineRepository       *ProvisioningRepository
	Revision                 int64
}

// CanProvision says why a pipeline can't be provisioned with a method, or nil:
// CloudFormation needs the account's role.
func (a AccountSettings) CanProvision(method string) error {
	if method == "CLOUDFORMATION" && a.PipelineServiceRoleARN == "" {
		return Errorf(Invalid, "Operation cannot be run until pipeline roles have been configured")
	}
	return nil
}

// CurrentVersionShown is the version that Get answers with. Proton shows none
// while a first deployment runs; after a first deployment that did not succeed
// the attempted version is shown, so that the resource can be updated.
func (r Deployable) CurrentVersionShown() Version {
	if r.Status == InProgress || r.Status == Cancelling {
		return r.Version
	}
	return r.CurrentVersion()
}
