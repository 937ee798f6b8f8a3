package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// requestAll asks for everything that is synced from a repository to be synced
// anew, also what did not change.
func requestAll(ctx context.Context, tx *store.Tx, r proton.Repository) error {
	var heads []string
	templates, err := tx.TemplateSyncsFrom(ctx, r.Scope, r.Provider, r.Name)
	if err != nil {
		return err
	}
	for _, c := range templates {
		heads = append(heads, proton.HeadKey(proton.TemplateSync, c.Branch))
	}
	services, err := tx.ServiceSyncsFrom(ctx, r.Scope, r.Provider, r.Name)
	if err != nil {
		return err
	}
	for _, c := range services {
		heads = append(heads, proton.HeadKey(proton.ServiceSync, c.Branch))
	}
	if len(heads) == 0 {
		return nil
	}
	_, err = tx.RequestSync(ctx, r.ID, heads...)
	return err
}

func toRevision(r *proton.SyncRevision) *api.Revision {
	if r == nil {
		return nil
	}
	return &api.Revision{
		RepositoryProvider: api.Ptr(api.RepositoryProvider(r.Provider)), RepositoryName: &r.Repository,
		Branch: &r.Branch, Directory: &r.Directory, Sha: &r.SHA,
	}
}

func toResourceSync(a *proton.SyncAttempt) *api.ResourceSyncAttempt {
	if a == nil {
		return nil
	}
	return &api.ResourceSyncAttempt{
		StartedAt: timestamp(a.StartedAt), Status: api.Ptr(api.ResourceSyncStatus(a.Status)), Target: &a.Subject,
		InitialRevision: toRevision(&a.Initial), TargetRevision: toRevision(&a.Target),
		Events: toList(a.Events, func(e proton.SyncEvent) api.ResourceSyncEvent {
			return api.ResourceSyncEvent{Type: &e.Type, Event: &e.Text, Time: timestamp(e.Time), ExternalId: text(e.ExternalID)}
		}),
	}
}

func toRepositorySync(a *proton.SyncAttempt) *api.RepositorySyncAttempt {
	return &api.RepositorySyncAttempt{
		StartedAt: timestamp(a.StartedAt), Status: api.Ptr(api.RepositorySyncStatus(a.Status)),
		Events: toList(a.Events, func(e proton.SyncEvent) api.RepositorySyncEvent {
			return api.RepositorySyncEvent{Type: &e.Type, Event: &e.Text, Time: timestamp(e.Time), ExternalId: text(e.ExternalID)}
		}),
	}
}

// GetRepositorySyncStatus reads how the last sync of a branch went: the branch
// was read and the syncs of what is in it were started. NotFound.
func (p *Plane) GetRepositorySyncStatus(ctx context.Context, in *api.GetRepositorySyncStatusInput) (*api.GetRepositorySyncStatusOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetRepositorySyncStatus", anyResource); err != nil {
		return nil, err
	}
	key := proton.RepositoryStateKey(string(*in.RepositoryProvider), *in.RepositoryName, *in.Branch, proton.SyncType(*in.SyncType))
	out := &api.GetRepositorySyncStatusOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		state, ok, err := tx.SyncState(ctx, s, proton.SubjectRepository, key)
		if err == nil && !ok {
			err = proton.Errorf(proton.NotFound, "No sync of branch %s of repository %s:%s is known.", *in.Branch, *in.RepositoryProvider, *in.RepositoryName)
		}
		if err == nil {
			out.LatestSync = toRepositorySync(state.Latest)
		}
		return err
	})
	return out, err
}

// ListRepositorySyncDefinitions lists what is synced from a repository.
func (p *Plane) ListRepositorySyncDefinitions(ctx context.Context, in *api.ListRepositorySyncDefinitionsInput) (*api.ListRepositorySyncDefinitionsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListRepositorySyncDefinitions", anyResource); err != nil {
		return nil, err
	}
	provider, name := string(*in.RepositoryProvider), *in.RepositoryName
	out := &api.ListRepositorySyncDefinitionsOutput{SyncDefinitions: []api.RepositorySyncDefinition{}}
	add := func(branch, directory string, target proton.ARN) {
		out.SyncDefinitions = append(out.SyncDefinitions, api.RepositorySyncDefinition{
			Branch: &branch, Directory: &directory, Parent: text(s.RepositoryARN(provider, name)), Target: text(target),
		})
	}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		if proton.SyncType(*in.SyncType) == proton.ServiceSync {
			return addServiceDefinitions(ctx, tx, s, provider, name, add)
		}
		configs, err := tx.TemplateSyncsFrom(ctx, s, provider, name)
		for _, c := range configs {
			directory := c.Subdirectory
			if directory == "" {
				directory = "/"
			}
			add(c.Branch, directory, s.TemplateARN(c.Kind, c.TemplateName))
		}
		return err
	})
	return out, err
}

// addServiceDefinitions adds each instance that a sync has seen, with the spec
// it comes from.
func addServiceDefinitions(ctx context.Context, tx *store.Tx, s proton.Scope, provider, name string, add func(branch, directory string, target proton.ARN)) error {
	configs, err := tx.ServiceSyncsFrom(ctx, s, provider, name)
	if err != nil {
		return err
	}
	for _, c := range configs {
		states, err := tx.SyncStatesOf(ctx, s, c.ServiceName)
		if err != nil {
			return err
		}
		for _, state := range states {
			if state.Subject == proton.SubjectInstance && state.Desired != nil {
				add(state.Desired.Branch, state.Desired.Directory, proton.ARN(state.Latest.Subject))
			}
		}
	}
	return nil
}
