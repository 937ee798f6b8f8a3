package control

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateConnection makes a way to a git server. The credentials and the secret
// that webhooks are signed with are kept sealed; the secret is answered once.
// Invalid, Conflict, Denied.
func (p *Plane) CreateConnection(ctx context.Context, in *api.CreateConnectionInput) (*api.CreateConnectionOutput, error) {
	s := scopeOf(ctx)
	c := proton.Connection{
		Scope: s, ID: p.newID(), Name: *in.Name, Provider: string(*in.Provider), Kind: proton.ConnectionKind(*in.Kind), CreatedAt: p.now(),
	}
	c.ARN = s.ConnectionARN(c.ID)
	if in.ConnectionArn != nil {
		c.ARN = *in.ConnectionArn
	}
	if err := p.authorize(ctx, "CreateConnection", proton.ARN(c.ARN)); err != nil {
		return nil, err
	}
	token := auth.Secret(strings.TrimSpace(api.Value(in.Token)))
	var err error
	if c.URL, err = connectionURL(ctx, c.Kind, api.Value(in.Url)); err != nil {
		return nil, err
	}
	if err := p.checkToken(c, token); err != nil {
		return nil, err
	}
	c.Token = p.sealToken(c, token)
	secret := base64.RawURLEncoding.EncodeToString(random(24))
	c.WebhookSecret = p.Sealer.Seal(auth.Secret(secret), WebhookSecretName(c))
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if _, taken, err := tx.ConnectionNamed(ctx, s, c.Name); err != nil || taken {
			if taken {
				err = proton.Errorf(proton.Conflict, "A connection named %s already exists.", c.Name)
			}
			return err
		}
		return tx.InsertConnection(ctx, c)
	})
	if proton.KindOf(err) == proton.Conflict && in.ConnectionArn != nil && !strings.Contains(err.Error(), "named") {
		err = proton.Errorf(proton.Conflict, "Connection %s is bound already.", c.ARN)
	}
	if err != nil {
		return nil, err
	}
	out := p.toConnection(c)
	return &api.CreateConnectionOutput{
		ConnectionArn: out.ConnectionArn, Name: out.Name, Provider: out.Provider, Kind: out.Kind, Url: out.Url,
		WebhookUrl: out.WebhookUrl, CreatedAt: out.CreatedAt, WebhookSecret: &secret,
	}, nil
}

// TokenName and WebhookSecretName are what a connection's secrets are sealed as.
func TokenName(c proton.Connection) string         { return "connection/" + c.ID + "/token" }
func WebhookSecretName(c proton.Connection) string { return "connection/" + c.ID + "/webhook" }

func (p *Plane) sealToken(c proton.Connection, token auth.Secret) string {
	if token == "" {
		return ""
	}
	return p.Sealer.Seal(token, TokenName(c))
}

// publicServers are where the kinds live that have a public server.
var publicServers = map[proton.ConnectionKind]string{
	proton.KindGitHub: "https://github.com", proton.KindGitLab: "https://gitlab.com", proton.KindBitbucket: "https://bitbucket.org",
}

// connectionURL checks the address of a server. The server's own files may only
// be named by who runs it.
func connectionURL(ctx context.Context, kind proton.ConnectionKind, address string) (string, error) {
	if address == "" {
		address = publicServers[kind]
	}
	if address == "" {
		return "", proton.Errorf(proton.Invalid, "url is missing: a connection of kind %s needs the address of its server, as in https://git.example.com.", kind)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", proton.Errorf(proton.Invalid, "url is not a URL, as in https://git.example.com.")
	}
	caller, _ := auth.PrincipalFrom(ctx)
	schemes := []string{"https", "http"}
	if kind == proton.KindGit {
		schemes = []string{"https", "http", "ssh", "file"}
	}
	_, password := u.User.Password()
	switch {
	case !slices.Contains(schemes, u.Scheme):
		return "", proton.Errorf(proton.Invalid, "url of a connection of kind %s must start with %s://.", kind, strings.Join(schemes, ":// or "))
	case u.Scheme == "file" && (u.Host != "" || !strings.HasPrefix(u.Path, "/")):
		return "", proton.Errorf(proton.Invalid, "url must name an absolute path, as in file:///srv/git.")
	case u.Scheme == "file" && caller.Policy != nil:
		return "", proton.Errorf(proton.Invalid, "url can't be a file:// URL: only the root key may name files of the server.")
	case u.Scheme != "file" && u.Hostname() == "":
		return "", proton.Errorf(proton.Invalid, "url names no host.")
	case password || u.User != nil && u.Scheme != "ssh":
		return "", proton.Errorf(proton.Invalid, "url must not hold credentials: give them as token.")
	case u.RawQuery != "" || u.Fragment != "" || strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' }):
		return "", proton.Errorf(proton.Invalid, "url must be scheme, host and path alone.")
	case strings.HasPrefix(u.Hostname(), "-"):
		return "", proton.Errorf(proton.Invalid, "url names no host.")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// checkToken refuses credentials that a connection can't use.
func (p *Plane) checkToken(c proton.Connection, token auth.Secret) error {
	isKey := strings.HasPrefix(string(token), "-----BEGIN ")
	switch ssh := strings.HasPrefix(c.URL, "ssh://"); {
	case strings.HasPrefix(c.URL, "file://") && token != "":
		return proton.Errorf(proton.Invalid, "token can't be specified for a file:// URL.")
	case ssh && token != "" && !isKey:
		return proton.Errorf(proton.Invalid, "token of an ssh:// URL must be a private key, as ssh-keygen writes it.")
	case !ssh && isKey:
		return proton.Errorf(proton.Invalid, "token is a private key, which only an ssh:// URL takes.")
	case !isKey && !strings.HasPrefix(string(token), "{") && strings.ContainsFunc(string(token), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return proton.Errorf(proton.Invalid, "token has more than one line.")
	}
	if p.CheckToken == nil {
		return nil
	}
	if err := p.CheckToken(c.Kind, token); err != nil {
		return proton.Errorf(proton.Invalid, "token can't be used: %v", err)
	}
	return nil
}

// UpdateConnection replaces the credentials of a connection, or removes them.
// Invalid, NotFound, Denied.
func (p *Plane) UpdateConnection(ctx context.Context, in *api.UpdateConnectionInput) (*api.UpdateConnectionOutput, error) {
	c, err := p.changeGitConnection(ctx, "UpdateConnection", *in.Name, func(tx *store.Tx, c *proton.Connection) error {
		token := auth.Secret(strings.TrimSpace(api.Value(in.Token)))
		if err := p.checkToken(*c, token); err != nil {
			return err
		}
		c.Token = p.sealToken(*c, token)
		return retry(ctx, tx, *c)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateConnectionOutput{Connection: p.toConnection(c)}, nil
}

// retry syncs what uses a connection anew: with other credentials that may succeed.
func retry(ctx context.Context, tx *store.Tx, c proton.Connection) error {
	if err := tx.SaveConnection(ctx, c); err != nil {
		return err
	}
	repositories, err := tx.RepositoriesOf(ctx, c)
	for _, r := range repositories {
		if err == nil {
			err = requestAll(ctx, tx, r)
		}
	}
	return err
}

// DeleteConnection removes a connection that no repository uses. A missing one
// answers an empty object. Conflict, Denied.
func (p *Plane) DeleteConnection(ctx context.Context, in *api.DeleteConnectionInput) (*api.DeleteConnectionOutput, error) {
	c, err := p.changeGitConnection(ctx, "DeleteConnection", *in.Name, func(tx *store.Tx, c *proton.Connection) error {
		used, err := tx.RepositoriesOf(ctx, *c)
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return proton.Errorf(proton.Conflict, "Connection %s can't be deleted because repositories use it, among them %s.", c.Name, used[0].ARN())
		}
		return tx.DeleteConnection(ctx, *c)
	})
	if proton.IsNotFound(err) {
		return &api.DeleteConnectionOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &api.DeleteConnectionOutput{Connection: p.toConnection(c)}, nil
}

// changeGitConnection reads a connection by name and has it changed.
func (p *Plane) changeGitConnection(ctx context.Context, operation, name string, change func(*store.Tx, *proton.Connection) error) (c proton.Connection, err error) {
	s := scopeOf(ctx)
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		found := false
		if c, found, err = tx.ConnectionNamed(ctx, s, name); err != nil {
			return err
		}
		arn := anyResource
		if found {
			arn = proton.ARN(c.ARN)
		}
		if err := p.authorize(ctx, operation, arn); err != nil {
			return err
		}
		if !found {
			return proton.Errorf(proton.NotFound, "There is no connection named %s.", name)
		}
		return change(tx, &c)
	})
	return c, err
}

// ListConnections lists connections by name, without their secrets.
func (p *Plane) ListConnections(ctx context.Context, in *api.ListConnectionsInput) (*api.ListConnectionsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListConnections", anyResource); err != nil {
		return nil, err
	}
	out := &api.ListConnectionsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		rows, next, err := listByName(p, s, "ListConnections", nil, in.NextToken, in.MaxResults,
			func(after string, limit int) ([]proton.Connection, error) {
				return tx.Connections(ctx, s, after, limit)
			},
			func(c proton.Connection) string { return c.Name })
		out.Connections, out.NextToken = toList(rows, func(c proton.Connection) api.Connection { return *p.toConnection(c) }), next
		return err
	})
	return out, err
}

func (p *Plane) toConnection(c proton.Connection) *api.Connection {
	return &api.Connection{
		ConnectionArn: &c.ARN, Name: &c.Name, Provider: api.Ptr(api.ConnectionProvider(c.Provider)),
		Kind: api.Ptr(api.ConnectionKind(c.Kind)), Url: &c.URL, CreatedAt: timestamp(c.CreatedAt),
		WebhookUrl: api.Ptr(p.URL + "/-/webhooks/" + c.ID),
	}
}
