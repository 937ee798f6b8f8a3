package store

import (
	"context"

	"github.com/hadronhq/hadron/internal/proton"
)

var connections = newTable("connections", 3, func(c *proton.Connection) []column {
	return []column{
		{"account", &c.Account}, {"region", &c.Region}, {"arn", &c.ARN}, {"id", &c.ID}, {"name", &c.Name},
		{"provider", &c.Provider}, {"kind", &c.Kind}, {"url", &c.URL}, {"token", &c.Token},
		{"webhook_secret", &c.WebhookSecret}, {"created_at", (*instant)(&c.CreatedAt)}, {"revision", &c.Revision},
	}
}, func(c *proton.Connection) *int64 { return &c.Revision })

var repositories = newTable("repositories", 4, func(r *proton.Repository) []column {
	return []column{
		{"account", &r.Account}, {"region", &r.Region}, {"provider", &r.Provider}, {"name", &r.Name}, {"id", &r.ID},
		{"connection_arn", &r.ConnectionARN}, {"encryption_key", &r.EncryptionKey}, {"request_hash", &r.RequestHash},
		{"revision", &r.Revision},
	}
}, func(r *proton.Repository) *int64 { return &r.Revision })

// Connection reads the connection that an ARN names; ok is false without one.
func (tx *Tx) Connection(ctx context.Context, s proton.Scope, arn string) (proton.Connection, bool, error) {
	return connections.get(ctx, tx, s.Account, s.Region, arn)
}

// ConnectionNamed reads the connection of a name; ok is false without one.
func (tx *Tx) ConnectionNamed(ctx context.Context, s proton.Scope, name string) (proton.Connection, bool, error) {
	return connections.one(ctx, tx, "WHERE account = ? AND region = ? AND name = ?", s.Account, s.Region, name)
}

// ConnectionByID reads the connection with an id; ok is false without it.
func (tx *Tx) ConnectionByID(ctx context.Context, id string) (proton.Connection, bool, error) {
	return connections.one(ctx, tx, "WHERE id = ?", id)
}

// Connections lists connections by name, from the one behind after.
func (tx *Tx) Connections(ctx context.Context, s proton.Scope, after string, limit int) ([]proton.Connection, error) {
	return connections.list(ctx, tx, "WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?", s.Account, s.Region, after, limit)
}

// InsertConnection adds a connection. Conflict if its ARN or name is taken.
func (tx *Tx) InsertConnection(ctx context.Context, c proton.Connection) error {
	return connections.add(ctx, tx, c)
}

// SaveConnection writes a connection back. Conflict if it changed meanwhile.
func (tx *Tx) SaveConnection(ctx context.Context, c proton.Connection) error {
	return connections.save(ctx, tx, c)
}

// DeleteConnection removes a connection.
func (tx *Tx) DeleteConnection(ctx context.Context, c proton.Connection) error {
	return connections.delete(ctx, tx, c.Account, c.Region, c.ARN)
}

// Repository reads a linked repository. NotFound without it.
func (tx *Tx) Repository(ctx context.Context, s proton.Scope, provider, name string) (proton.Repository, error) {
	r, ok, err := repositories.get(ctx, tx, s.Account, s.Region, provider, name)
	if err == nil && !ok {
		err = proton.NoRepository(s, provider, name)
	}
	return r, err
}

// RepositoryByID reads the repository with an id; ok is false without it.
func (tx *Tx) RepositoryByID(ctx context.Context, id string) (proton.Repository, bool, error) {
	return repositories.one(ctx, tx, "WHERE id = ?", id)
}

// RepositoryPosition is where a page of repositories ended.
type RepositoryPosition struct{ Provider, Name string }

// Repositories lists repositories by provider and name, from behind a position.
func (tx *Tx) Repositories(ctx context.Context, s proton.Scope, after RepositoryPosition, limit int) ([]proton.Repository, error) {
	return repositories.list(ctx, tx, "WHERE account = ? AND region = ? AND (provider, name) > (?, ?) ORDER BY provider, name LIMIT ?",
		s.Account, s.Region, after.Provider, after.Name, limit)
}

// RepositoriesOf lists the repositories that use a connection.
func (tx *Tx) RepositoriesOf(ctx context.Context, c proton.Connection) ([]proton.Repository, error) {
	return repositories.list(ctx, tx, "WHERE account = ? AND region = ? AND connection_arn = ? ORDER BY name, provider", c.Account, c.Region, c.ARN)
}

// InsertRepository links a repository. Conflict if it is linked already.
func (tx *Tx) InsertRepository(ctx context.Context, r proton.Repository) error {
	if err := repositories.add(ctx, tx, r); err != nil {
		return err
	}
	return repositorySyncs.add(ctx, tx, proton.RepositorySync{ID: r.ID, Scope: r.Scope, Provider: r.Provider, Repository: r.Name})
}

// DeleteRepository removes a link with its tags and the memory of its syncs.
func (tx *Tx) DeleteRepository(ctx context.Context, r proton.Repository) error {
	if err := tx.DeleteTags(ctx, r.ARN()); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "DELETE FROM sync_states WHERE repository_id = ?", r.ID); err != nil {
		return err
	}
	if err := repositorySyncs.delete(ctx, tx, r.ID); err != nil {
		return err
	}
	return repositories.delete(ctx, tx, r.Account, r.Region, r.Provider, r.Name)
}

// RepositoryUsed reports whether a sync config, an environment or the account
// settings name a repository.
func (tx *Tx) RepositoryUsed(ctx context.Context, r proton.Repository) (bool, error) {
	for _, table := range []string{"template_syncs", "service_syncs"} {
		n, err := tx.count(ctx, table+" WHERE account = ? AND region = ? AND provider = ? AND repository = ?", r.Account, r.Region, r.Provider, r.Name)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	settings, err := tx.AccountSettings(ctx, r.Scope)
	if err != nil || uses(settings.PipelineRepository, r) {
		return err == nil, err
	}
	users, err := environments.list(ctx, tx, "WHERE account = ? AND region = ? AND provisioning_repository_json <> ''", r.Account, r.Region)
	for _, e := range users {
		if uses(e.ProvisioningRepository, r) {
			return true, err
		}
	}
	return false, err
}

func uses(p *proton.ProvisioningRepository, r proton.Repository) bool {
	return p != nil && p.Provider == r.Provider && p.Name == r.Name
}
