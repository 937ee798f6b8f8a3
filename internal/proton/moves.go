package proton

// Event is what can happen to a resource. Moves say which events a status
// takes and where they lead.
type Event string

const (
	DeploymentRequested Event = "deployment requested"
	DeploymentSucceeded Event = "deployment succeeded"
	DeploymentFailed    Event = "deployment failed"
	CancelRequested     Event = "cancel requested"
	DeploymentCancelled Event = "deployment cancelled"
	CancelFailed        Event = "cancel failed"
	DeleteRequested     Event = "delete requested"
	DeleteSucceeded     Event = "delete succeeded"
	DeleteHasFailed     Event = "delete failed"

	UpdateRequested   Event = "update requested"
	InstanceAddFailed Event = "an added instance failed"
	CleanupSucceeded  Event = "cleanup succeeded"
	CleanupFailed     Event = "cleanup failed"
	Repaired          Event = "every part succeeded after a repair"

	RegistrationSucceeded Event = "registration succeeded"
	RegistrationRefused   Event = "registration refused"
	PublishRequested      Event = "publish requested"
)

// gone marks a move after which the record no longer exists.
const gone = "(gone)"

type moves[S ~string] map[S]map[Event]S

// on answers the status an event leads to, and whether it is allowed.
func (m moves[S]) on(s S, e Event) (S, bool) {
	next, ok := m[s][e]
	return next, ok
}

var deploymentMoves = moves[DeploymentStatus]{
	InProgress: {
		DeploymentSucceeded: Succeeded,
		DeploymentFailed:    Failed,
		CancelRequested:     Cancelling,
		DeploymentCancelled: Cancelled, // self-managed: the pull request was closed unmerged
	},
	Cancelling: {
		DeploymentCancelled: Cancelled,
		CancelFailed:        Failed,
		DeploymentFailed:    Failed,
		DeploymentSucceeded: Succeeded, // the deployment had already finished
	},
	Succeeded:        {DeploymentRequested: InProgress, DeleteRequested: DeleteInProgress},
	Failed:           {DeploymentRequested: InProgress, DeleteRequested: DeleteInProgress},
	Cancelled:        {DeploymentRequested: InProgress, DeleteRequested: DeleteInProgress},
	DeleteFailed:     {DeleteRequested: DeleteInProgress},
	DeleteInProgress: {DeleteSucceeded: DeleteComplete, DeleteHasFailed: DeleteFailed},
}

var serviceMoves = moves[ServiceStatus]{
	ServiceCreateInProgress: {DeploymentSucceeded: ServiceActive, DeploymentFailed: ServiceCreateFailed},
	ServiceCreateFailed: {
		Repaired:        ServiceActive,
		UpdateRequested: ServiceUpdateInProgress,
		DeleteRequested: ServiceDeleteInProgress,
	},
	ServiceActive: {UpdateRequested: ServiceUpdateInProgress, DeleteRequested: ServiceDeleteInProgress},
	ServiceUpdateInProgress: {
		DeploymentSucceeded: ServiceActive,
		DeploymentFailed:    ServiceUpdateFailed,
		InstanceAddFailed:   ServiceUpdateFailedCleanupInProgress,
		CleanupFailed:       ServiceUpdateCompleteCleanupFailed,
	},
	ServiceUpdateFailedCleanupInProgress: {
		CleanupSucceeded: ServiceUpdateFailedCleanupComplete,
		CleanupFailed:    ServiceUpdateFailedCleanupFailed,
	},
	ServiceUpdateFailed:                {UpdateRequested: ServiceUpdateInProgress, DeleteRequested: ServiceDeleteInProgress, Repaired: ServiceActive},
	ServiceUpdateFailedCleanupComplete: {UpdateRequested: ServiceUpdateInProgress, DeleteRequested: ServiceDeleteInProgress},
	ServiceUpdateFailedCleanupFailed: {
		UpdateRequested: ServiceUpdateInProgress, DeleteRequested: ServiceDeleteInProgress, CleanupSucceeded: ServiceUpdateFailedCleanupComplete,
	},
	ServiceUpdateCompleteCleanupFailed: {UpdateRequested: ServiceUpdateInProgress, DeleteRequested: ServiceDeleteInProgress, Repaired: ServiceActive},
	ServiceDeleteInProgress:            {DeleteSucceeded: gone, DeleteHasFailed: ServiceDeleteFailed},
	ServiceDeleteFailed:                {DeleteRequested: ServiceDeleteInProgress},

	// Reserved by the model and never entered here; a record that came from
	// elsewhere with one of them can still be left.
	ServiceCreateFailedCleanupInProgress: {CleanupSucceeded: ServiceCreateFailedCleanupComplete, CleanupFailed: ServiceCreateFailedCleanupFailed},
	ServiceCreateFailedCleanupComplete:   {DeleteRequested: ServiceDeleteInProgress},
	ServiceCreateFailedCleanupFailed:     {DeleteRequested: ServiceDeleteInProgress},
}

var templateVersionMoves = moves[TemplateVersionStatus]{
	RegistrationInProgress: {RegistrationSucceeded: Draft, RegistrationRefused: RegistrationFailed},
	Draft:                  {PublishRequested: Published, DeleteRequested: gone},
	Published:              {PublishRequested: Published, DeleteRequested: gone},
	RegistrationFailed:     {DeleteRequested: gone},
}

// On answers the status that e leads to; Conflict if s does not take e.
func (s DeploymentStatus) On(e Event) (DeploymentStatus, error) {
	if next, ok := deploymentMoves.on(s, e); ok {
		return next, nil
	}
	return s, Errorf(Conflict, "%s is not possible while the deployment status is %s.", e, s)
}

// On answers the status that e leads to; Conflict if s does not take e.
func (s ServiceStatus) On(e Event) (ServiceStatus, error) {
	if next, ok := serviceMoves.on(s, e); ok {
		return next, nil
	}
	return s, Errorf(Conflict, "%s is not possible while the service status is %s.", e, s)
}

// On answers the status that e leads to; Conflict if s does not take e.
func (s TemplateVersionStatus) On(e Event) (TemplateVersionStatus, error) {
	if next, ok := templateVersionMoves.on(s, e); ok {
		return next, nil
	}
	return s, Errorf(Conflict, "%s is not possible while the template version status is %s.", e, s)
}
