package gitsync

import (
	"context"
	"fmt"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// syncPipeline deploys the service's pipeline anew, after its instances, if the
// spec says other of it than what is in force.
func (s *serviceUpdate) syncPipeline(ctx context.Context, doc *document) error {
	f, err := s.facts(ctx, "")
	if proton.IsNotFound(err) {
		return nil
	}
	if err != nil || !f.service.HasPipeline || s.quiet && !f.state.Waiting {
		return err
	}
	change := func(ctx context.Context, change func(*proton.SyncState)) error {
		return s.record(ctx, proton.SubjectPipeline, s.config.ServiceName, s.config.ServiceName, change)
	}
	digest := doc.spec.PipelineFingerprint()
	current, err := bundle.ParseServiceSpec(f.service.Spec)
	same := err == nil && current.PipelineFingerprint() == digest
	latest := f.state.Latest
	switch {
	case f.blocked || same && latest == nil:
		return nil
	case same && latest.Status != proton.SyncInProgress:
		return change(ctx, func(state *proton.SyncState) { state.Waiting = false })
	case latest != nil && latest.Status == proton.SyncInProgress && f.state.Digest == digest:
		return nil
	case latest != nil && latest.Status == proton.SyncFailed && f.state.Digest == digest && !s.asked && !f.state.Waiting:
		return nil
	}
	busy, err := s.busy(ctx)
	if err != nil {
		return err
	}
	err = change(ctx, func(state *proton.SyncState) {
		if latest == nil || latest.Status != proton.SyncInitiated {
			state.Begin(newID(), string(s.repository.PipelineARN(s.config.ServiceName)), s.revision(doc), now())
			state.Digest = digest
		}
		state.Waiting = busy
	})
	if err != nil || busy {
		return err
	}
	client, calls := s.client(ctx)
	out, err := client.UpdateServicePipeline(calls, &api.UpdateServicePipelineInput{
		ServiceName: &s.config.ServiceName, Spec: &doc.text, DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion),
	})
	id := ""
	if err == nil {
		id = api.Value(out.Pipeline.LastAttemptedDeploymentId)
	}
	return s.started(ctx, err, id, doc, change)
}

// busy reports whether an instance of the service is still being synced: the
// pipeline comes after them, for their outputs.
func (s *serviceUpdate) busy(ctx context.Context) (busy bool, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		states, err := tx.SyncStatesOf(ctx, s.repository.Scope, s.config.ServiceName)
		for _, state := range states {
			if state.Subject == proton.SubjectInstance && (state.Waiting || state.Latest != nil && !state.Latest.Status.Ended()) {
				busy = true
			}
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look at the instances of %s: %w", s.config.ServiceName, err)
	}
	return busy, nil
}
