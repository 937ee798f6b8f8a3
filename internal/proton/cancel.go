package proton

import "time"

// PlanCancel is a resource and its running deployment once a cancel call is
// accepted: CANCELLING, until the worker that has the deployment has stopped
// it; CANCELLED at once if nobody works on it because it waits for others.
// Conflict if no deployment is in progress.
func PlanCancel(r Deployable, d Deployment, now time.Time) (Deployable, Deployment, error) {
	if r.Status != InProgress || d.Status != InProgress {
		return r, d, Errorf(Conflict, "No deployment in progress for %s.", d.TargetARN())
	}
	next, err := d.Status.On(CancelRequested)
	if err != nil {
		return r, d, err
	}
	d.Status, d.LastModifiedAt, r.Status = next, now, next
	if d.Ready {
		return r, d, nil
	}
	if d, err = d.End(Outcome{Cancelled: true}, now); err != nil {
		return r, d, err
	}
	return r.Finish(d), d, nil
}
