package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func ofProvider(url *string) func(string) string {
	return func(account string) string { return auth.ProviderARN(account, *url) }
}

// CreateIdentityProvider admits tokens of an OpenID Connect provider to an
// account. Whom they make whom is up to the roles that trust it. Invalid,
// Conflict.
func (p *Plane) CreateIdentityProvider(ctx context.Context, in *api.CreateIdentityProviderInput) (*api.CreateIdentityProviderOutput, error) {
	account, err := p.inAccount(ctx, "iam:CreateOpenIDConnectProvider", in.AccountId, ofProvider(in.Url))
	if err != nil {
		return nil, err
	}
	if err := oidc.CheckURL(*in.Url); err != nil {
		return nil, proton.Errorf(proton.Invalid, "The identity provider can't be used: %v.", err)
	}
	made := store.IdentityProvider{Account: account, URL: *in.Url, Clients: in.ClientIds, CreatedAt: p.now(), Revision: 1}
	err = p.Store.Update(ctx, func(tx *store.Tx) error { return tx.InsertIdentityProvider(ctx, made) })
	if proton.KindOf(err) == proton.Conflict {
		err = proton.Errorf(proton.Conflict, "Identity provider %s already exists.", auth.ProviderARN(account, *in.Url))
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateIdentityProviderOutput{IdentityProvider: api.Ptr(toProvider(made))}, nil
}

// ListIdentityProviders lists an account's identity providers by URL.
func (p *Plane) ListIdentityProviders(ctx context.Context, in *api.ListIdentityProvidersInput) (*api.ListIdentityProvidersOutput, error) {
	account, err := p.inAccount(ctx, "iam:ListOpenIDConnectProviders", in.AccountId, anyPrincipal)
	if err != nil {
		return nil, err
	}
	out := &api.ListIdentityProvidersOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		rows, next, err := listByName(p, proton.Scope{Account: account}, "ListIdentityProviders", nil, in.NextToken, in.MaxResults,
			func(after string, limit int) ([]store.IdentityProvider, error) {
				return tx.IdentityProviders(ctx, account, after, limit)
			}, func(r store.IdentityProvider) string { return r.URL })
		out.IdentityProviders, out.NextToken = toList(rows, toProvider), next
		return err
	})
	return out, err
}

// UpdateIdentityProvider replaces the clients that a provider's tokens may be
// for; it holds from the next token on. NotFound.
func (p *Plane) UpdateIdentityProvider(ctx context.Context, in *api.UpdateIdentityProviderInput) (*api.UpdateIdentityProviderOutput, error) {
	account, err := p.inAccount(ctx, "iam:AddClientIDToOpenIDConnectProvider", in.AccountId, ofProvider(in.Url))
	if err != nil {
		return nil, err
	}
	out := &api.UpdateIdentityProviderOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		kept, err := tx.IdentityProvider(ctx, account, *in.Url)
		if err != nil {
			return err
		}
		kept.Clients = in.ClientIds
		out.IdentityProvider = api.Ptr(toProvider(kept))
		return tx.SaveIdentityProvider(ctx, kept)
	})
	return out, err
}

// DeleteIdentityProvider admits no more tokens of a provider; sessions that
// were issued for some end when they end. NotFound.
func (p *Plane) DeleteIdentityProvider(ctx context.Context, in *api.DeleteIdentityProviderInput) (*api.DeleteIdentityProviderOutput, error) {
	account, err := p.inAccount(ctx, "iam:DeleteOpenIDConnectProvider", in.AccountId, ofProvider(in.Url))
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		kept, err := tx.IdentityProvider(ctx, account, *in.Url)
		if err != nil {
			return err
		}
		return tx.DeleteIdentityProvider(ctx, kept)
	})
	return &api.DeleteIdentityProviderOutput{}, err
}

func toProvider(p store.IdentityProvider) api.IdentityProvider {
	return api.IdentityProvider{
		Arn: api.Ptr(auth.ProviderARN(p.Account, p.URL)), Url: &p.URL, ClientIds: p.Clients, CreatedAt: timestamp(p.CreatedAt),
	}
}
