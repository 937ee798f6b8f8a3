package proton

// RefuseRetry says why a deployment can't be tried again, or nil. Conflict.
func (d Deployment) RefuseRetry(s Standing) error {
	switch {
	case s.Latest == "":
		return Errorf(Conflict, "Deployment %s can't be tried again: %s does not exist any more.", d.ID, d.TargetARN())
	case !s.Current:
		return Errorf(Conflict, "Deployment %s can't be tried again: it is not the last one of %s, which is %s.", d.ID, d.TargetARN(), s.Latest)
	case d.Status.Running():
		return Errorf(Conflict, "Deployment %s can't be tried again while its status is %s.", d.ID, d.Status)
	case d.Status == Succeeded:
		return Errorf(Conflict, "Deployment %s has succeeded: there is nothing to try again. Deploy it anew with an update.", d.ID)
	}
	return nil
}

// RefuseRollback says why what a deployment deployed can't be gone back to, or
// nil. Conflict.
func (d Deployment) RefuseRollback() error {
	switch {
	case d.Status == Succeeded:
		return nil
	case d.PrecedingSucceededID != "":
		return Errorf(Conflict, "Deployment %s did not succeed, so it can't be gone back to. The last one before it that did is %s.", d.ID, d.PrecedingSucceededID)
	}
	return Errorf(Conflict, "Deployment %s did not succeed, so it can't be gone back to, and none before it did.", d.ID)
}

// RefusePartRemoval says why an instance or the pipeline of a service can't be
// removed or forgotten by itself, or nil. instances is how many there are. Conflict.
func RefusePartRemoval(s Service, part Resource, instances int) error {
	deleting := s.Status == ServiceDeleteFailed
	switch {
	case s.Status.Running():
		return Errorf(Conflict, "Service %s is at work, its status is %s: wait for its end, or name the service as a whole.", s.ARN(), s.Status)
	case part.Type == ResourcePipeline && !deleting:
		return Errorf(Conflict, "Pipeline %s is removed with its service only: name service/%s.", part.ARN(), s.Name)
	case part.Type == ResourceServiceInstance && instances == 1 && !deleting:
		return Errorf(Conflict, "Service instance %s is the last of its service: name service/%s.", part.ARN(), s.Name)
	}
	return nil
}
