package proton

// Exit is a call that leaves a status, with the event that it causes. Calls
// without an event forget the record.
type Exit struct {
	Call  string
	Event Event
}

// partCalls are the calls of each kind of what is deployed.
var partCalls = map[TargetType]struct{ update, cancel, remove string }{
	TargetEnvironment:     {"UpdateEnvironment", "CancelEnvironmentDeployment", "DeleteEnvironment"},
	TargetServiceInstance: {"UpdateServiceInstance", "CancelServiceInstanceDeployment", "ForceDeleteResource"},
	TargetPipeline:        {"UpdateServicePipeline", "CancelServicePipelineDeployment", "DeleteService"},
	TargetComponent:       {"UpdateComponent", "CancelComponentDeployment", "DeleteComponent"},
}

// Exits are the calls that leave a status of something deployed. While work
// goes on it leaves the status by itself too.
func (s DeploymentStatus) Exits(t TargetType) []Exit {
	calls, abandon := partCalls[t], Exit{"AbandonResource", ""}
	if t == TargetPipeline { // it goes with its service
		abandon = Exit{"AbandonResource of the service", ""}
	}
	switch s {
	case InProgress:
		return []Exit{{calls.cancel, CancelRequested}, abandon}
	case Succeeded:
		return []Exit{{calls.update, DeploymentRequested}, {"RollBackDeployment", DeploymentRequested}, {calls.remove, DeleteRequested}, abandon}
	case Failed, Cancelled:
		return []Exit{{"RetryDeployment", DeploymentRequested}, {calls.update, DeploymentRequested}, {"RollBackDeployment", DeploymentRequested},
			{calls.remove, DeleteRequested}, abandon}
	case DeleteFailed:
		return []Exit{{"RetryDeployment", DeleteRequested}, {calls.remove, DeleteRequested}, {"ForceDeleteResource", DeleteRequested}, abandon}
	case Cancelling, DeleteInProgress:
		return []Exit{abandon}
	}
	return nil
}

// Exits are the calls that leave a status of a service.
func (s ServiceStatus) Exits() []Exit {
	abandon := Exit{"AbandonResource", ""}
	if s.Running() {
		return []Exit{abandon}
	}
	exits := []Exit{{"DeleteService", DeleteRequested}, {"ForceDeleteResource", DeleteRequested}, abandon}
	if _, err := s.On(UpdateRequested); err == nil {
		exits = append([]Exit{{"UpdateService", UpdateRequested}}, exits...)
	}
	if s.repairable() {
		exits = append([]Exit{{"RetryDeployment of what failed", Repaired}}, exits...)
	}
	if s == ServiceUpdateFailedCleanupFailed {
		exits = append([]Exit{{"RetryDeployment of what failed", CleanupSucceeded}}, exits...)
	}
	return exits
}

func (s ServiceStatus) repairable() bool {
	_, ok := serviceMoves.on(s, Repaired)
	return ok
}
