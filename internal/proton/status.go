package proton

// DeploymentStatus is the state of an environment, a service instance, a
// pipeline, a component, and of each deployment of one.
type DeploymentStatus string

const (
	// InProgress: a deployment is accepted and not finished.
	InProgress DeploymentStatus = "IN_PROGRESS"
	// Failed: the last deployment ended badly; what it replaced may still run.
	Failed DeploymentStatus = "FAILED"
	// Succeeded: the last deployment is live.
	Succeeded DeploymentStatus = "SUCCEEDED"
	// DeleteInProgress: the infrastructure is being removed.
	DeleteInProgress DeploymentStatus = "DELETE_IN_PROGRESS"
	// DeleteFailed: removal failed; a delete may be tried again.
	DeleteFailed DeploymentStatus = "DELETE_FAILED"
	// DeleteComplete: removed. Only a deployment can show it; the resource is gone.
	DeleteComplete DeploymentStatus = "DELETE_COMPLETE"
	// Cancelling: a cancel call was accepted and the engine is being stopped.
	Cancelling DeploymentStatus = "CANCELLING"
	// Cancelled: stopped; the resource is what it was before.
	Cancelled DeploymentStatus = "CANCELLED"
)

// DeploymentStatuses lists all, in the model's order.
var DeploymentStatuses = []DeploymentStatus{InProgress, Failed, Succeeded, DeleteInProgress, DeleteFailed, DeleteComplete, Cancelling, Cancelled}

// Running reports whether work is going on, which forbids a second deployment.
func (s DeploymentStatus) Running() bool {
	return s == InProgress || s == Cancelling || s == DeleteInProgress
}

// ServiceStatus is the state of a service as a whole.
type ServiceStatus string

const (
	ServiceCreateInProgress              ServiceStatus = "CREATE_IN_PROGRESS"
	ServiceCreateFailedCleanupInProgress ServiceStatus = "CREATE_FAILED_CLEANUP_IN_PROGRESS" // reserved: never entered
	ServiceCreateFailedCleanupComplete   ServiceStatus = "CREATE_FAILED_CLEANUP_COMPLETE"    // reserved
	ServiceCreateFailedCleanupFailed     ServiceStatus = "CREATE_FAILED_CLEANUP_FAILED"      // reserved
	ServiceCreateFailed                  ServiceStatus = "CREATE_FAILED"
	ServiceActive                        ServiceStatus = "ACTIVE"
	ServiceDeleteInProgress              ServiceStatus = "DELETE_IN_PROGRESS"
	ServiceDeleteFailed                  ServiceStatus = "DELETE_FAILED"
	ServiceUpdateInProgress              ServiceStatus = "UPDATE_IN_PROGRESS"
	ServiceUpdateFailedCleanupInProgress ServiceStatus = "UPDATE_FAILED_CLEANUP_IN_PROGRESS"
	ServiceUpdateFailedCleanupComplete   ServiceStatus = "UPDATE_FAILED_CLEANUP_COMPLETE"
	ServiceUpdateFailedCleanupFailed     ServiceStatus = "UPDATE_FAILED_CLEANUP_FAILED"
	ServiceUpdateFailed                  ServiceStatus = "UPDATE_FAILED"
	ServiceUpdateCompleteCleanupFailed   ServiceStatus = "UPDATE_COMPLETE_CLEANUP_FAILED"
)

// ServiceStatuses lists all, in the model's order.
var ServiceStatuses = []ServiceStatus{
	ServiceCreateInProgress, ServiceCreateFailedCleanupInProgress, ServiceCreateFailedCleanupComplete,
	ServiceCreateFailedCleanupFailed, ServiceCreateFailed, ServiceActive, ServiceDeleteInProgress,
	ServiceDeleteFailed, ServiceUpdateInProgress, ServiceUpdateFailedCleanupInProgress,
	ServiceUpdateFailedCleanupComplete, ServiceUpdateFailedCleanupFailed, ServiceUpdateFailed,
	ServiceUpdateCompleteCleanupFailed,
}

// Running reports whether a workflow of the service is going on.
func (s ServiceStatus) Running() bool {
	switch s {
	case ServiceCreateInProgress, ServiceCreateFailedCleanupInProgress, ServiceDeleteInProgress,
		ServiceUpdateInProgress, ServiceUpdateFailedCleanupInProgress:
		return true
	}
	return false
}

// TemplateVersionStatus is the state of a template version.
type TemplateVersionStatus string

const (
	RegistrationInProgress TemplateVersionStatus = "REGISTRATION_IN_PROGRESS"
	RegistrationFailed     TemplateVersionStatus = "REGISTRATION_FAILED"
	Draft                  TemplateVersionStatus = "DRAFT"
	Published              TemplateVersionStatus = "PUBLISHED"
)

// TemplateVersionStatuses lists all, in the model's order.
var TemplateVersionStatuses = []TemplateVersionStatus{RegistrationInProgress, RegistrationFailed, Draft, Published}

// Deployable reports whether a version in this state can be deployed.
func (s TemplateVersionStatus) Deployable() bool { return s == Draft || s == Published }
