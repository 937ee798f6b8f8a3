package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

type bySyncKey struct{}

// BySync is ctx for calls that the sync of a service makes: they are no changes
// by hand.
func BySync(ctx context.Context) context.Context { return context.WithValue(ctx, bySyncKey{}, true) }

// block holds up the sync of what a call changes by hand: of an instance or,
// if none is named, of the service. A service that is not synced is left alone.
func (p *Plane) block(ctx context.Context, tx *store.Tx, s proton.Scope, service, instance, deployment, reason string) error {
	if ctx.Value(bySyncKey{}) != nil {
		return nil
	}
	_, synced, err := tx.ServiceSync(ctx, s, service)
	if err != nil || !synced {
		return err
	}
	return tx.InsertSyncBlocker(ctx, proton.SyncBlocker{
		Scope: s, ID: p.newID(), ServiceName: service, InstanceName: instance, CreatedReason: reason, CreatedAt: p.now(), DeploymentID: deployment,
	})
}

// latestBlockers is how many blockers a summary tells of.
const latestBlockers = 10

// GetServiceSyncBlockerSummary lists the latest blockers of an instance or, if
// none is named, those of the service alone, newest first. NotFound.
func (p *Plane) GetServiceSyncBlockerSummary(ctx context.Context, in *api.GetServiceSyncBlockerSummaryInput) (*api.GetServiceSyncBlockerSummaryOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetServiceSyncBlockerSummary", anyResource); err != nil {
		return nil, err
	}
	summary := &api.ServiceSyncBlockerSummary{ServiceName: in.ServiceName, ServiceInstanceName: in.ServiceInstanceName}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Service(ctx, s, *in.ServiceName); err != nil {
			return err
		}
		if in.ServiceInstanceName != nil {
			if _, err := tx.ServiceInstance(ctx, s, *in.ServiceName, *in.ServiceInstanceName); err != nil {
				return err
			}
		}
		rows, err := tx.SyncBlockers(ctx, s, *in.ServiceName, api.Value(in.ServiceInstanceName), latestBlockers)
		summary.LatestBlockers = toList(rows, toBlocker)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetServiceSyncBlockerSummaryOutput{ServiceSyncBlockerSummary: summary}, nil
}

// UpdateServiceSyncBlocker resolves a blocker; when nothing holds up the sync
// any more it runs at once. NotFound, Conflict.
func (p *Plane) UpdateServiceSyncBlocker(ctx context.Context, in *api.UpdateServiceSyncBlockerInput) (*api.UpdateServiceSyncBlockerOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateServiceSyncBlocker", anyResource); err != nil {
		return nil, err
	}
	var b proton.SyncBlocker
	err := p.Store.Update(ctx, func(tx *store.Tx) (err error) {
		ok := false
		b, ok, err = tx.SyncBlocker(ctx, s, *in.Id)
		switch {
		case err != nil:
			return err
		case !ok:
			return proton.Errorf(proton.NotFound, "The requested sync blocker does not exist: %s", *in.Id)
		case b.Resolved:
			return proton.Errorf(proton.Conflict, "Sync blocker %s is resolved already.", b.ID)
		}
		b.Resolved, b.ResolvedReason, b.ResolvedAt = true, *in.ResolvedReason, p.now()
		if err := tx.SaveSyncBlocker(ctx, b); err != nil {
			return err
		}
		c, synced, err := tx.ServiceSync(ctx, s, b.ServiceName)
		if err != nil || !synced {
			return err
		}
		r, err := tx.Repository(ctx, s, c.Provider, c.Repository)
		if err != nil {
			return err
		}
		_, err = tx.RequestSync(ctx, r.ID, proton.HeadKey(proton.ServiceSync, c.Branch))
		return err
	})
	if err != nil {
		return nil, err
	}
	blocker := toBlocker(b)
	return &api.UpdateServiceSyncBlockerOutput{ServiceName: &b.ServiceName, ServiceInstanceName: text(b.InstanceName), ServiceSyncBlocker: &blocker}, nil
}

func toBlocker(b proton.SyncBlocker) api.SyncBlocker {
	status := api.BlockerStatusActive
	if b.Resolved {
		status = api.BlockerStatusResolved
	}
	out := api.SyncBlocker{
		Id: &b.ID, Type: api.Ptr(api.BlockerTypeAutomated), Status: &status, CreatedReason: &b.CreatedReason, CreatedAt: timestamp(b.CreatedAt),
		ResolvedReason: text(b.ResolvedReason), ResolvedAt: timestamp(b.ResolvedAt),
	}
	for _, c := range []struct{ key, value string }{{"ServiceName", b.ServiceName}, {"ServiceInstanceName", b.InstanceName}, {"DeploymentId", b.DeploymentID}} {
		if c.value != "" {
			out.Contexts = append(out.Contexts, api.SyncBlockerContext{Key: api.Ptr(c.key), Value: api.Ptr(c.value)})
		}
	}
	return out
}
