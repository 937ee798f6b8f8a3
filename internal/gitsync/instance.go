package gitsync

import (
	"context"
	"fmt"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// instanceUpdate is the sync of one service instance.
type instanceUpdate struct {
	*serviceUpdate
	name string
	doc  *document
}

func (i *instanceUpdate) change(ctx context.Context, change func(*proton.SyncState)) error {
	return i.record(ctx, proton.SubjectInstance, proton.InstanceStateKey(i.config.ServiceName, i.name), i.config.ServiceName, change)
}

// begin starts an attempt, or carries on with one that was cut short.
func (i *instanceUpdate) begin(s *proton.SyncState, digest string) {
	if s.Latest != nil && s.Latest.Status == proton.SyncInitiated && s.Digest == digest && s.Latest.Target.SHA == i.doc.sha {
		s.Waiting = false
		return
	}
	s.Begin(newID(), string(i.repository.ServiceInstanceARN(i.config.ServiceName, i.name)), i.revision(i.doc), now())
	s.Digest = digest
}

// do makes the instance, or deploys it anew, if its spec says other than what
// is in force.
func (i *instanceUpdate) do(ctx context.Context) error {
	f, err := i.facts(ctx, i.name)
	if proton.IsNotFound(err) { // the service was deleted meanwhile
		return nil
	}
	if err != nil || i.quiet && !f.state.Waiting {
		return err
	}
	if i.doc.problem != nil {
		return i.fail(ctx, f, i.doc.problem)
	}
	entry, ok := i.doc.spec.Instance(i.name)
	if !ok {
		return i.fail(ctx, f, fmt.Errorf("it has no instance named %s", i.name))
	}
	digest := entry.Fingerprint()
	latest := f.state.Latest
	switch {
	case f.blocked:
		return i.blocked(ctx, f)
	case f.exists && inForce(f.instance) == digest:
		return i.unchanged(ctx, f, digest)
	case latest != nil && latest.Status == proton.SyncInProgress:
		if f.state.Digest == digest {
			return nil // it is being deployed
		}
		return i.change(ctx, func(s *proton.SyncState) { s.Waiting = true })
	case latest != nil && latest.Status == proton.SyncFailed && f.state.Digest == digest && !i.asked && !f.state.Waiting:
		return nil // it failed as it is, and would again
	}
	return i.deploy(ctx, f, digest)
}

// inForce identifies what an instance's last deployment made; empty if that
// did not succeed.
func inForce(i proton.ServiceInstance) string {
	if i.Status != proton.Succeeded {
		return ""
	}
	spec, err := bundle.ParseServiceSpec(i.Spec)
	if err != nil {
		return ""
	}
	entry, ok := spec.Instance(i.Name)
	if !ok {
		return ""
	}
	return entry.Fingerprint()
}

// fail records why the instance can't be synced. The same again is no new
// attempt.
func (i *instanceUpdate) fail(ctx context.Context, f serviceFacts, problem error) error {
	text := fmt.Sprintf("Commit %s: %s: %s", i.doc.sha, i.doc.path, problem)
	if l := f.state.Latest; l != nil && l.Status == proton.SyncFailed && l.Refers(proton.EventSyncFailed, i.doc.sha) && !i.asked && l.Events[len(l.Events)-1].Text == text {
		return nil
	}
	return i.change(ctx, func(s *proton.SyncState) {
		i.begin(s, "")
		s.End(proton.SyncFailed, proton.EventSyncFailed, text, i.doc.sha, now())
	})
}

func (i *instanceUpdate) blocked(ctx context.Context, f serviceFacts) error {
	if l := f.state.Latest; l != nil && l.Target.SHA == i.doc.sha && l.Refers(proton.EventSyncBlocked, f.blocker.ID) {
		return nil
	}
	return i.change(ctx, func(s *proton.SyncState) {
		i.begin(s, "")
		s.End(proton.SyncFailed, proton.EventSyncBlocked, "Blocked: "+f.blocker.CreatedReason, f.blocker.ID, now())
	})
}

func (i *instanceUpdate) unchanged(ctx context.Context, f serviceFacts, digest string) error {
	if l := f.state.Latest; l != nil && l.Target.SHA == i.doc.sha && l.Status == proton.SyncSucceeded {
		return nil
	}
	return i.change(ctx, func(s *proton.SyncState) {
		i.begin(s, digest)
		s.End(proton.SyncSucceeded, proton.EventSpecUnchanged, "The spec is in force already", "", now())
	})
}

// deploy calls the API's own operations. The attempt is written first: its id
// is the call's token, so a call that is repeated after a crash is answered
// what the first one made.
func (i *instanceUpdate) deploy(ctx context.Context, f serviceFacts, digest string) error {
	token, made := "", false // made: an earlier call of this attempt made the instance
	err := i.change(ctx, func(s *proton.SyncState) {
		i.begin(s, digest)
		token = s.Latest.ID
		made = f.exists && f.instance.LastClientToken == token && !f.instance.CreatedAt.Before(s.Latest.StartedAt)
	})
	if err != nil {
		return err
	}
	client, calls := i.client(ctx)
	var id *string
	if f.exists && !made {
		out, failed := client.UpdateServiceInstance(calls, &api.UpdateServiceInstanceInput{
			Name: &i.name, ServiceName: &i.config.ServiceName, Spec: &i.doc.text, ClientToken: &token,
			DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion),
		})
		if err = failed; err == nil {
			id = out.ServiceInstance.LastAttemptedDeploymentId
		}
	} else {
		out, failed := client.CreateServiceInstance(calls, &api.CreateServiceInstanceInput{
			Name: &i.name, ServiceName: &i.config.ServiceName, Spec: &i.doc.text, ClientToken: &token,
		})
		if err = failed; err == nil {
			id = out.ServiceInstance.LastAttemptedDeploymentId
		}
	}
	return i.started(ctx, err, api.Value(id), i.doc, i.change)
}

// started records what a call of the API came to: a deployment, which may have
// ended by now, or a refusal. What is busy is waited for.
func (s *serviceUpdate) started(ctx context.Context, failed error, deployment string, doc *document, change func(context.Context, func(*proton.SyncState)) error) error {
	switch kind := proton.KindOf(failed); {
	case failed == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kind == proton.Conflict || kind == proton.Throttled:
		return change(ctx, func(s *proton.SyncState) { s.Waiting = true })
	case kind != proton.Internal || isValidation(failed):
		text := fmt.Sprintf("Commit %s: %s: %s", doc.sha, doc.path, refusal(failed))
		return change(ctx, func(s *proton.SyncState) {
			s.End(proton.SyncFailed, proton.EventSyncFailed, text, doc.sha, now())
		})
	default:
		return failed
	}
	err := change(ctx, func(state *proton.SyncState) {
		state.Latest.Status = proton.SyncInProgress
		state.Latest.Note(proton.EventDeploymentStarted, "Deployment "+deployment+" started", deployment, now())
	})
	if err != nil {
		return err
	}
	// Only now: from here on, who ends the deployment ends the attempt too.
	var d proton.Deployment
	err = s.Store.View(ctx, func(tx *store.Tx) (err error) {
		d, _, err = tx.DeploymentByID(ctx, deployment)
		return err
	})
	if err != nil || d.CompletedAt.IsZero() {
		return err
	}
	return change(ctx, func(state *proton.SyncState) {
		if state.Latest.Status.Ended() {
			return
		}
		status, event, text := d.SyncResult()
		state.End(status, event, text, deployment, now())
	})
}
