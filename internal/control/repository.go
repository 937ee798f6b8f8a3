package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateRepository links a repository through a connection. A repeat answers
// the existing link. Invalid, Conflict.
func (p *Plane) CreateRepository(ctx context.Context, in *api.CreateRepositoryInput) (*api.CreateRepositoryOutput, error) {
	s := scopeOf(ctx)
	r := proton.Repository{
		Scope: s, ID: p.newID(), Provider: string(*in.Provider), Name: *in.Name,
		ConnectionARN: *in.ConnectionArn, EncryptionKey: api.Value(in.EncryptionKey),
	}
	if err := p.authorize(ctx, "CreateRepository", r.ARN()); err != nil {
		return nil, err
	}
	if err := p.authorizeConnection(ctx, in.ConnectionArn); err != nil {
		return nil, err
	}
	if err := p.authorizeTags(ctx, in.Tags, r.ARN()); err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	if err := proton.CheckRepositoryName(r.Name); err != nil {
		return nil, err
	}
	request := *in
	request.Tags = nil
	r.RequestHash = requestHash(request, in.Tags)
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		existing, err := tx.Repository(ctx, s, r.Provider, r.Name)
		switch {
		case err == nil && existing.RequestHash == r.RequestHash:
			r = existing
			return nil
		case err == nil:
			return proton.Errorf(proton.Conflict, "Repository %s is linked already, with other parameters.", existing.ARN())
		case !proton.IsNotFound(err):
			return err
		}
		if err := usableConnection(ctx, tx, r); err != nil {
			return err
		}
		if err := tx.InsertRepository(ctx, r); err != nil {
			return err
		}
		return tx.PutTags(ctx, r.ARN(), fromTags(in.Tags))
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRepositoryOutput{Repository: toRepository(r)}, nil
}

func usableConnection(ctx context.Context, tx *store.Tx, r proton.Repository) error {
	c, ok, err := tx.Connection(ctx, r.Scope, r.ConnectionARN)
	switch {
	case err != nil:
		return err
	case !ok:
		return proton.Errorf(proton.Invalid, "Connection %s is not known. Bind it to a git server with: hadron connection create --arn %s", r.ConnectionARN, r.ConnectionARN)
	case c.Provider != r.Provider:
		return proton.Errorf(proton.Invalid, "Connection %s is of provider %s, not %s.", r.ConnectionARN, c.Provider, r.Provider)
	}
	return nil
}

// GetRepository reads a linked repository. NotFound.
func (p *Plane) GetRepository(ctx context.Context, in *api.GetRepositoryInput) (*api.GetRepositoryOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetRepository", s.RepositoryARN(string(*in.Provider), *in.Name)); err != nil {
		return nil, err
	}
	out := &api.GetRepositoryOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Repository(ctx, s, string(*in.Provider), *in.Name)
		out.Repository = toRepository(r)
		return err
	})
	return out, err
}

// ListRepositories lists linked repositories by provider and name.
func (p *Plane) ListRepositories(ctx context.Context, in *api.ListRepositoriesInput) (*api.ListRepositoriesOutput, error) {
	const operation = "ListRepositories"
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, anyResource); err != nil {
		return nil, err
	}
	var after store.RepositoryPosition
	if _, err := p.pagePosition(s, operation, nil, in.NextToken, &after); err != nil {
		return nil, err
	}
	out := &api.ListRepositoriesOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		size := pageSize(in.MaxResults)
		position := func(r proton.Repository) store.RepositoryPosition {
			return store.RepositoryPosition{Provider: r.Provider, Name: r.Name}
		}
		rows, err := seen(ctx, func(after store.RepositoryPosition, limit int) ([]proton.Repository, error) {
			return tx.Repositories(ctx, s, after, limit)
		}, position, func(r proton.Repository) (bool, error) { return p.sees(ctx, tx, "proton:GetRepository", r.ARN()) })(after, size+1)
		if err != nil {
			return err
		}
		rows, out.NextToken, err = page(p, s, operation, nil, rows, size, func(r proton.Repository) any { return position(r) })
		out.Repositories = toList(rows, toRepositorySummary)
		return err
	})
	return out, err
}

// DeleteRepository removes the link to a repository that nothing uses; the
// repository itself stays. A missing one answers an empty object. Conflict.
func (p *Plane) DeleteRepository(ctx context.Context, in *api.DeleteRepositoryInput) (*api.DeleteRepositoryOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteRepository", s.RepositoryARN(string(*in.Provider), *in.Name)); err != nil {
		return nil, err
	}
	out := &api.DeleteRepositoryOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Repository(ctx, s, string(*in.Provider), *in.Name)
		if err != nil {
			return err
		}
		used, err := tx.RepositoryUsed(ctx, r)
		if err != nil {
			return err
		}
		if used {
			return proton.Errorf(proton.Conflict, "Repository %s can't be deleted because it is in use.", r.ARN())
		}
		out.Repository = toRepository(r)
		return tx.DeleteRepository(ctx, r)
	})
	if proton.IsNotFound(err) {
		return &api.DeleteRepositoryOutput{}, nil
	}
	return out, err
}

// linked finds the repository of a call that does not know "not found". Invalid.
func linked(ctx context.Context, tx *store.Tx, s proton.Scope, provider, name string) (proton.Repository, error) {
	r, err := tx.Repository(ctx, s, provider, name)
	if proton.IsNotFound(err) {
		err = proton.NotLinked(provider, name)
	}
	return r, err
}

func toRepository(r proton.Repository) *api.Repository {
	return &api.Repository{
		Arn: text(r.ARN()), Name: &r.Name, Provider: api.Ptr(api.RepositoryProvider(r.Provider)),
		ConnectionArn: &r.ConnectionARN, EncryptionKey: text(r.EncryptionKey),
	}
}

func toRepositorySummary(r proton.Repository) api.RepositorySummary {
	return api.RepositorySummary{
		Arn: text(r.ARN()), Name: &r.Name, Provider: api.Ptr(api.RepositoryProvider(r.Provider)), ConnectionArn: &r.ConnectionARN,
	}
}
