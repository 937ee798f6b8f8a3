package control

import (
	"context"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// firstSync is how long a call that starts a template sync waits for it: the
// stock waiters look for the new version right after the answer, and give up
// if it is not there yet.
const firstSync = 10 * time.Second

// CreateTemplateSyncConfig has a template's versions made of what a branch
// holds, and begins at once. A repeat answers the existing config. Invalid,
// Conflict.
func (p *Plane) CreateTemplateSyncConfig(ctx context.Context, in *api.CreateTemplateSyncConfigInput) (*api.CreateTemplateSyncConfigOutput, error) {
	if err := p.authorize(ctx, "CreateTemplateSyncConfig", anyResource); err != nil {
		return nil, err
	}
	c := proton.TemplateSyncConfig{
		Scope: scopeOf(ctx), Kind: proton.TemplateKind(*in.TemplateType), TemplateName: *in.TemplateName,
		Provider: string(*in.RepositoryProvider), Repository: *in.RepositoryName, Branch: *in.Branch, AsGiven: api.Value(in.Subdirectory),
	}
	r, round, err := p.startTemplateSync(ctx, &c, func(tx *store.Tx) (bool, error) {
		_, err := tx.Template(ctx, c.Scope, c.Kind, c.TemplateName)
		if proton.IsNotFound(err) {
			return false, proton.Errorf(proton.Invalid, "Template %s of type %s does not exist.", c.TemplateName, c.Kind)
		}
		if err != nil {
			return false, err
		}
		existing, ok, err := tx.TemplateSync(ctx, c.Scope, c.Kind, c.TemplateName)
		if err != nil || !ok {
			return false, err
		}
		repeated := existing
		repeated.Revision = 0
		if wanted := c; repeated != wanted {
			return false, proton.Errorf(proton.Conflict, "Template %s of type %s is synced already, from branch %s of repository %s:%s.",
				c.TemplateName, c.Kind, existing.Branch, existing.Provider, existing.Repository)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	p.awaitSync(ctx, r, round)
	return &api.CreateTemplateSyncConfigOutput{TemplateSyncConfig: toTemplateSync(c)}, nil
}

// UpdateTemplateSyncConfig replaces where a template is synced from, and syncs
// it at once; without subdirectory it is the root. NotFound, Invalid.
func (p *Plane) UpdateTemplateSyncConfig(ctx context.Context, in *api.UpdateTemplateSyncConfigInput) (*api.UpdateTemplateSyncConfigOutput, error) {
	if err := p.authorize(ctx, "UpdateTemplateSyncConfig", anyResource); err != nil {
		return nil, err
	}
	c := proton.TemplateSyncConfig{
		Scope: scopeOf(ctx), Kind: proton.TemplateKind(*in.TemplateType), TemplateName: *in.TemplateName,
		Provider: string(*in.RepositoryProvider), Repository: *in.RepositoryName, Branch: *in.Branch, AsGiven: api.Value(in.Subdirectory),
	}
	r, round, err := p.startTemplateSync(ctx, &c, func(tx *store.Tx) (bool, error) {
		existing, ok, err := tx.TemplateSync(ctx, c.Scope, c.Kind, c.TemplateName)
		if err == nil && !ok {
			err = noTemplateSync(c.Kind, c.TemplateName)
		}
		if err == nil {
			_, err = tx.Repository(ctx, c.Scope, c.Provider, c.Repository)
		}
		c.Revision = existing.Revision
		return false, err
	})
	if err != nil {
		return nil, err
	}
	p.awaitSync(ctx, r, round)
	return &api.UpdateTemplateSyncConfigOutput{TemplateSyncConfig: toTemplateSync(c)}, nil
}

// startTemplateSync writes a config and asks for its first sync. judge looks
// at what is there and answers true if there is nothing to write.
func (p *Plane) startTemplateSync(ctx context.Context, c *proton.TemplateSyncConfig, judge func(*store.Tx) (done bool, err error)) (r proton.Repository, round int64, err error) {
	if c.Subdirectory, err = cleanPath("subdirectory", c.AsGiven); err != nil {
		return r, 0, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		done, err := judge(tx)
		if err != nil {
			return err
		}
		if r, err = linked(ctx, tx, c.Scope, c.Provider, c.Repository); err != nil || done {
			return err
		}
		if err := tx.SaveTemplateSync(ctx, *c); err != nil {
			return err
		}
		round, err = tx.RequestSync(ctx, r.ID, proton.HeadKey(proton.TemplateSync, c.Branch))
		return err
	})
	return r, round, err
}

// awaitSync waits until a round of syncing has been answered, but not for long.
func (p *Plane) awaitSync(ctx context.Context, r proton.Repository, round int64) {
	ctx, cancel := context.WithTimeout(ctx, firstSync)
	defer cancel()
	for {
		var work proton.RepositorySync
		var ok bool
		err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
			work, ok, err = tx.RepositorySync(ctx, r.ID)
			return err
		})
		if err != nil || !ok || work.Done >= round {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cleanPath is a path in a repository without slashes at its ends and "./" at
// its start. Invalid if it leads anywhere else.
func cleanPath(member, given string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(given, "/") {
		switch {
		case part == "" || part == ".":
		case part == ".." || strings.EqualFold(part, ".git") || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }):
			return "", proton.Errorf(proton.Invalid, "%s %q is no path in a repository.", member, given)
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), nil
}

// GetTemplateSyncConfig reads where a template is synced from. NotFound.
func (p *Plane) GetTemplateSyncConfig(ctx context.Context, in *api.GetTemplateSyncConfigInput) (*api.GetTemplateSyncConfigOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetTemplateSyncConfig", anyResource); err != nil {
		return nil, err
	}
	out := &api.GetTemplateSyncConfigOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		c, ok, err := tx.TemplateSync(ctx, s, proton.TemplateKind(*in.TemplateType), *in.TemplateName)
		if err == nil && !ok {
			err = noTemplateSync(proton.TemplateKind(*in.TemplateType), *in.TemplateName)
		}
		out.TemplateSyncConfig = toTemplateSync(c)
		return err
	})
	return out, err
}

// DeleteTemplateSyncConfig ends a template's sync; its versions stay. A missing
// one answers an empty object.
func (p *Plane) DeleteTemplateSyncConfig(ctx context.Context, in *api.DeleteTemplateSyncConfigInput) (*api.DeleteTemplateSyncConfigOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteTemplateSyncConfig", anyResource); err != nil {
		return nil, err
	}
	out := &api.DeleteTemplateSyncConfigOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, ok, err := tx.TemplateSync(ctx, s, proton.TemplateKind(*in.TemplateType), *in.TemplateName)
		if err != nil || !ok {
			return err
		}
		out.TemplateSyncConfig = toTemplateSync(c)
		return tx.DeleteTemplateSync(ctx, s, c.Kind, c.TemplateName)
	})
	return out, err
}

// GetTemplateSyncStatus reads how the syncs of a major version went. NotFound.
func (p *Plane) GetTemplateSyncStatus(ctx context.Context, in *api.GetTemplateSyncStatusInput) (*api.GetTemplateSyncStatusOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetTemplateSyncStatus", anyResource); err != nil {
		return nil, err
	}
	kind, name := proton.TemplateKind(*in.TemplateType), *in.TemplateName
	major, _ := proton.ParseVersionPart(*in.TemplateVersion)
	out := &api.GetTemplateSyncStatusOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		_, ok, err := tx.TemplateSync(ctx, s, kind, name)
		if err == nil && !ok {
			err = noTemplateSync(kind, name)
		}
		if err != nil {
			return err
		}
		state, known, err := tx.SyncState(ctx, s, proton.SubjectTemplate, proton.TemplateStateKey(kind, name, major))
		if err != nil {
			return err
		}
		all, allKnown, err := tx.SyncState(ctx, s, proton.SubjectTemplate, proton.TemplateStateKey(kind, name, 0))
		if allKnown && all.Latest != nil && !(known && state.Latest.StartedAt.After(all.Latest.StartedAt)) {
			state.Latest, state.Desired = all.Latest, all.Desired // the template as a whole could not be synced
		}
		out.LatestSync, out.LatestSuccessfulSync, out.DesiredState = toResourceSync(state.Latest), toResourceSync(state.Succeeded), toRevision(state.Desired)
		return err
	})
	return out, err
}

func noTemplateSync(kind proton.TemplateKind, name string) error {
	return proton.Errorf(proton.NotFound, "Template %s of type %s has no sync config.", name, kind)
}

func toTemplateSync(c proton.TemplateSyncConfig) *api.TemplateSyncConfig {
	return &api.TemplateSyncConfig{
		TemplateName: &c.TemplateName, TemplateType: api.Ptr(api.TemplateType(c.Kind)), Branch: &c.Branch,
		RepositoryName: &c.Repository, RepositoryProvider: api.Ptr(api.RepositoryProvider(c.Provider)), Subdirectory: text(c.AsGiven),
	}
}

// ErrRegistering says that a version of the same major is being registered.
var ErrRegistering = proton.Errorf(proton.Conflict, "A version of the same major version is being registered.")

// RegisterSynced adds a version that was read from a repository, as the next
// minor of its major, which is made if it is not there, and queues its
// registration. within runs in the same transaction, before and after.
// NotFound for compatible templates that are not there, QuotaExceeded,
// ErrRegistering.
func (p *Plane) RegisterSynced(ctx context.Context, v proton.TemplateVersion, archive []byte, before func(*store.Tx) error, after func(*store.Tx, proton.TemplateVersion) error) error {
	return p.Store.Update(ctx, func(tx *store.Tx) error {
		if err := before(tx); err != nil {
			return err
		}
		siblings, err := tx.TemplateVersions(ctx, v.Scope, v.Kind, v.TemplateName, v.Major)
		if err != nil {
			return err
		}
		for _, other := range siblings {
			if other.Status == proton.RegistrationInProgress {
				return ErrRegistering
			}
		}
		if err := tx.InsertBundle(ctx, v.BundleDigest, archive, p.now()); err != nil {
			return err
		}
		major := v.Major
		v, err = p.insertVersion(ctx, tx, v, func(ctx context.Context, tx *store.Tx, t proton.Template, _ []proton.TemplateVersion) (proton.Version, error) {
			last, err := tx.LastMinor(ctx, t, major)
			return proton.Version{Major: major, Minor: last + 1}, err
		}, nil)
		if err != nil {
			return err
		}
		return after(tx, v)
	})
}
