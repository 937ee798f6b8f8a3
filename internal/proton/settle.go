package proton

import (
	"slices"
	"time"
)

// Settlement is what becomes of a service after one of its parts has ended a
// deployment. The zero value: nothing, yet.
type Settlement struct {
	Status        ServiceStatus // empty: unchanged
	StatusMessage string
	Remove        bool // the service and all its parts are gone
	// StartPipeline: every instance is there, the waiting pipeline can go.
	StartPipeline bool
	// FailPipeline is why the waiting pipeline will not be started; empty: it will.
	FailPipeline string
	// StartInstances: the pipeline is out of the way, the waiting removals can go.
	StartInstances bool
	// StartRemovals: every added instance is there, the removed ones can go.
	StartRemovals bool
	// Revert: an added instance failed. All added ones are to be removed and
	// everything else put back as it was.
	Revert bool
	// EndUpdate: the update is over, its record can be forgotten.
	EndUpdate bool
}

// Settle decides what becomes of a service once one of its parts has ended a
// deployment. instances and pipeline are the parts as they are now; those
// already removed are not among them. pipelineWaiting: its deployment was
// accepted and never started.
func Settle(s Service, instances []ServiceInstance, pipeline *Pipeline, pipelineWaiting bool) (Settlement, error) {
	switch {
	case s.Status == ServiceCreateInProgress:
		return settleCreate(s, instances, pipeline, pipelineWaiting)
	case s.Status == ServiceDeleteInProgress:
		return settleDelete(s, instances, pipeline)
	case s.Status == ServiceUpdateInProgress && s.Update != nil:
		return settleUpdate(s, instances, pipeline, pipelineWaiting)
	case s.Status == ServiceUpdateFailedCleanupInProgress && s.Update != nil:
		return settleCleanup(s, instances)
	case s.Status.repairable() && allSucceeded(instances, pipeline):
		return change(s, Repaired, "")
	case s.Status == ServiceUpdateFailedCleanupFailed && !anyLeft(instances):
		return change(s, CleanupSucceeded, "")
	}
	return Settlement{}, nil
}

func settleCreate(s Service, instances []ServiceInstance, pipeline *Pipeline, waiting bool) (Settlement, error) {
	var failed []ARN
	for _, i := range instances {
		switch {
		case i.Status.Running():
			return Settlement{}, nil // the others run to their own end first
		case i.Status != Succeeded:
			failed = append(failed, i.ARN())
		}
	}
	if len(failed) > 0 {
		settled, err := change(s, DeploymentFailed, "Service Instance(s): "+listARNs(failed)+" failed to deploy")
		if pipeline != nil && waiting {
			settled.FailPipeline = "Service Instance(s): " + listARNs(failed) + " failed to deploy - canceling pipeline deployment"
		}
		return settled, err
	}
	switch {
	case pipeline == nil || pipeline.Status == Succeeded:
		return change(s, DeploymentSucceeded, "")
	case waiting:
		return Settlement{StartPipeline: true}, nil
	case pipeline.Status.Running():
		return Settlement{}, nil
	}
	return change(s, DeploymentFailed, "Service pipeline "+string(pipeline.ARN())+" failed to deploy")
}

func settleDelete(s Service, instances []ServiceInstance, pipeline *Pipeline) (Settlement, error) {
	if pipeline != nil && pipeline.Status.Running() {
		return Settlement{}, nil
	}
	var failed []ARN
	running := false
	for _, i := range instances {
		running = running || i.Status.Running()
		if i.Status == DeleteFailed {
			failed = append(failed, i.ARN())
		}
	}
	if running {
		return Settlement{StartInstances: true}, nil
	}
	if pipeline != nil {
		failed = append(failed, pipeline.ARN())
	}
	if len(failed) > 0 {
		return change(s, DeleteHasFailed, "Not everything could be deleted: "+listARNs(failed))
	}
	return Settlement{Remove: true}, nil
}

// anyLeft reports whether an instance is still to be removed.
func anyLeft(instances []ServiceInstance) bool {
	return slices.ContainsFunc(instances, func(i ServiceInstance) bool {
		return i.Status == DeleteFailed || i.Status == DeleteInProgress
	})
}

func allSucceeded(instances []ServiceInstance, pipeline *Pipeline) bool {
	for _, i := range instances {
		if i.Status != Succeeded {
			return false
		}
	}
	return pipeline == nil || pipeline.Status == Succeeded
}

func change(s Service, e Event, message string) (Settlement, error) {
	next, err := s.Status.On(e)
	return Settlement{Status: next, StatusMessage: message}, err
}

// Apply is the service with a settlement's status.
func (s Service) Apply(t Settlement, now time.Time) Service {
	if t.Status != "" {
		s.Status, s.StatusMessage, s.LastModifiedAt = t.Status, t.StatusMessage, now
	}
	if t.EndUpdate {
		s.Update = nil
	}
	return s
}
