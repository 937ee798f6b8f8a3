package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateServiceSyncConfig has a service's instances made of the specs that an
// ops file names, and begins at once. A repeat answers the existing config.
// Invalid, Conflict.
func (p *Plane) CreateServiceSyncConfig(ctx context.Context, in *api.CreateServiceSyncConfigInput) (*api.CreateServiceSyncConfigOutput, error) {
	if err := p.authorize(ctx, "CreateServiceSyncConfig", anyResource); err != nil {
		return nil, err
	}
	c := proton.ServiceSyncConfig{
		Scope: scopeOf(ctx), ServiceName: *in.ServiceName, Provider: string(*in.RepositoryProvider),
		Repository: *in.RepositoryName, Branch: *in.Branch, FilePath: *in.FilePath,
	}
	if _, err := FilePath(c.FilePath); err != nil {
		return nil, err
	}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Service(ctx, c.Scope, c.ServiceName)
		if proton.IsNotFound(err) {
			return proton.Errorf(proton.Invalid, "Service %s does not exist.", c.ServiceName)
		}
		if err != nil {
			return err
		}
		r, err := linked(ctx, tx, c.Scope, c.Provider, c.Repository)
		if err != nil {
			return err
		}
		existing, ok, err := tx.ServiceSync(ctx, c.Scope, c.ServiceName)
		if err != nil {
			return err
		}
		if ok {
			existing.Revision = 0
			if existing == c {
				return nil
			}
			return proton.Errorf(proton.Conflict, "Service %s is synced already, by %s of branch %s of repository %s:%s.",
				c.ServiceName, existing.FilePath, existing.Branch, existing.Provider, existing.Repository)
		}
		return startServiceSync(ctx, tx, c, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceSyncConfigOutput{ServiceSyncConfig: toServiceSync(c)}, nil
}

// FilePath is the path of a file in a repository, as git has it. Invalid.
func FilePath(given string) (string, error) {
	clean, err := cleanPath("filePath", given)
	if err == nil && clean == "" {
		err = proton.Errorf(proton.Invalid, "filePath %q names no file.", given)
	}
	return clean, err
}

func startServiceSync(ctx context.Context, tx *store.Tx, c proton.ServiceSyncConfig, r proton.Repository) error {
	if err := tx.SaveServiceSync(ctx, c); err != nil {
		return err
	}
	_, err := tx.RequestSync(ctx, r.ID, proton.HeadKey(proton.ServiceSync, c.Branch))
	return err
}

// UpdateServiceSyncConfig replaces where the ops file of a service is, and
// syncs it at once. NotFound, Invalid.
func (p *Plane) UpdateServiceSyncConfig(ctx context.Context, in *api.UpdateServiceSyncConfigInput) (*api.UpdateServiceSyncConfigOutput, error) {
	if err := p.authorize(ctx, "UpdateServiceSyncConfig", anyResource); err != nil {
		return nil, err
	}
	if _, err := FilePath(*in.FilePath); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.UpdateServiceSyncConfigOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := serviceSync(ctx, tx, s, *in.ServiceName)
		if err != nil {
			return err
		}
		c.Provider, c.Repository, c.Branch, c.FilePath = string(*in.RepositoryProvider), *in.RepositoryName, *in.Branch, *in.FilePath
		r, err := tx.Repository(ctx, s, c.Provider, c.Repository)
		if err != nil {
			return err
		}
		out.ServiceSyncConfig = toServiceSync(c)
		return startServiceSync(ctx, tx, c, r)
	})
	return out, err
}

// serviceSync reads the sync config of a service. NotFound.
func serviceSync(ctx context.Context, tx *store.Tx, s proton.Scope, service string) (proton.ServiceSyncConfig, error) {
	c, ok, err := tx.ServiceSync(ctx, s, service)
	if err == nil && !ok {
		err = proton.Errorf(proton.NotFound, "Service %s has no sync config.", service)
	}
	return c, err
}

// GetServiceSyncConfig reads where the ops file of a service is. NotFound.
func (p *Plane) GetServiceSyncConfig(ctx context.Context, in *api.GetServiceSyncConfigInput) (*api.GetServiceSyncConfigOutput, error) {
	if err := p.authorize(ctx, "GetServiceSyncConfig", anyResource); err != nil {
		return nil, err
	}
	out := &api.GetServiceSyncConfigOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		c, err := serviceSync(ctx, tx, scopeOf(ctx), *in.ServiceName)
		out.ServiceSyncConfig = toServiceSync(c)
		return err
	})
	return out, err
}

// DeleteServiceSyncConfig ends the sync of a service; its instances stay. A
// missing one answers an empty object.
func (p *Plane) DeleteServiceSyncConfig(ctx context.Context, in *api.DeleteServiceSyncConfigInput) (*api.DeleteServiceSyncConfigOutput, error) {
	if err := p.authorize(ctx, "DeleteServiceSyncConfig", anyResource); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.DeleteServiceSyncConfigOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, ok, err := tx.ServiceSync(ctx, s, *in.ServiceName)
		if err != nil || !ok {
			return err
		}
		out.ServiceSyncConfig = toServiceSync(c)
		return tx.DeleteServiceSync(ctx, s, c.ServiceName)
	})
	return out, err
}

// GetServiceInstanceSyncStatus reads how the syncs of an instance went. NotFound.
func (p *Plane) GetServiceInstanceSyncStatus(ctx context.Context, in *api.GetServiceInstanceSyncStatusInput) (*api.GetServiceInstanceSyncStatusOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetServiceInstanceSyncStatus", anyResource); err != nil {
		return nil, err
	}
	out := &api.GetServiceInstanceSyncStatusOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := serviceSync(ctx, tx, s, *in.ServiceName); err != nil {
			return err
		}
		state, known, err := tx.SyncState(ctx, s, proton.SubjectInstance, proton.InstanceStateKey(*in.ServiceName, *in.ServiceInstanceName))
		if err != nil {
			return err
		}
		if !known { // a sync may have failed to make it
			if _, err := tx.ServiceInstance(ctx, s, *in.ServiceName, *in.ServiceInstanceName); err != nil {
				return err
			}
		}
		out.LatestSync, out.LatestSuccessfulSync, out.DesiredState = toResourceSync(state.Latest), toResourceSync(state.Succeeded), toRevision(state.Desired)
		return nil
	})
	return out, err
}

func toServiceSync(c proton.ServiceSyncConfig) *api.ServiceSyncConfig {
	return &api.ServiceSyncConfig{
		ServiceName: &c.ServiceName, Branch: &c.Branch, FilePath: &c.FilePath,
		RepositoryName: &c.Repository, RepositoryProvider: api.Ptr(api.RepositoryProvider(c.Provider)),
	}
}
