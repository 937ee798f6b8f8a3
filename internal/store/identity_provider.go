package store

import (
	"context"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// IdentityProvider is an OpenID Connect provider that an account admits tokens
// of, if they are for one of its clients.
type IdentityProvider struct {
	Account   string
	URL       string // as its tokens say under iss
	Clients   []string
	CreatedAt time.Time
	Revision  int64
}

var identityProviders = newTable("identity_providers", 2, func(p *IdentityProvider) []column {
	return []column{
		{"account", &p.Account}, {"url", &p.URL}, {"clients_json", document{&p.Clients}},
		{"created_at", (*instant)(&p.CreatedAt)}, {"revision", &p.Revision},
	}
}, func(p *IdentityProvider) *int64 { return &p.Revision })

// IdentityProvider reads a provider. NotFound without it.
func (tx *Tx) IdentityProvider(ctx context.Context, account, url string) (IdentityProvider, error) {
	p, ok, err := identityProviders.get(ctx, tx, account, url)
	if err == nil && !ok {
		err = proton.Errorf(proton.NotFound, "The identity provider with URL %s cannot be found.", url)
	}
	return p, err
}

// IdentityProviders lists an account's providers by URL, from the one behind after.
func (tx *Tx) IdentityProviders(ctx context.Context, account, after string, limit int) ([]IdentityProvider, error) {
	return identityProviders.list(ctx, tx, "WHERE account = ? AND url > ? ORDER BY url LIMIT ?", account, after, limit)
}

// InsertIdentityProvider adds a provider. Conflict if the URL is taken.
func (tx *Tx) InsertIdentityProvider(ctx context.Context, p IdentityProvider) error {
	return identityProviders.add(ctx, tx, p)
}

// SaveIdentityProvider writes a provider back. Conflict if it changed meanwhile.
func (tx *Tx) SaveIdentityProvider(ctx context.Context, p IdentityProvider) error {
	return identityProviders.save(ctx, tx, p)
}

// DeleteIdentityProvider removes a provider.
func (tx *Tx) DeleteIdentityProvider(ctx context.Context, p IdentityProvider) error {
	return identityProviders.delete(ctx, tx, p.Account, p.URL)
}
