package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateEnvironmentAccountConnection asks a management account to provision an
// environment in the caller's account. Invalid, Conflict, QuotaExceeded.
func (p *Plane) CreateEnvironmentAccountConnection(ctx context.Context, in *api.CreateEnvironmentAccountConnectionInput) (*api.CreateEnvironmentAccountConnectionOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "CreateEnvironmentAccountConnection", anyResource); err != nil {
		return nil, err
	}
	if err := p.authorizeTags(ctx, in.Tags, anyResource); err != nil {
		return nil, err
	}
	if err := p.authorizeRoles(ctx, in.RoleArn, in.ComponentRoleArn, in.CodebuildRoleArn); err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	now := p.now()
	c := proton.AccountConnection{
		ID: p.newID(), Region: s.Region, ManagementAccount: *in.ManagementAccountId, EnvironmentAccount: s.Account,
		EnvironmentName: *in.EnvironmentName, RoleARN: api.Value(in.RoleArn), ComponentRoleARN: api.Value(in.ComponentRoleArn),
		CodebuildRoleARN: api.Value(in.CodebuildRoleArn), Status: proton.ConnectionPending, RequestedAt: now, LastModifiedAt: now,
	}
	if err := c.CheckRoles(); err != nil {
		return nil, err
	}
	request := *in
	request.ClientToken, request.Tags = nil, nil
	hash := requestHash(request, in.Tags)
	const operation = "CreateEnvironmentAccountConnection"
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		repeated, err := p.repeat(ctx, tx, s, operation, in.ClientToken, hash, func(id string) (bool, error) {
			existing, ok, err := tx.AccountConnection(ctx, id)
			if ok {
				c = existing
			}
			return ok, err
		})
		if err != nil || repeated {
			return err
		}
		if err := p.checkNewConnection(ctx, tx, s, c); err != nil {
			return err
		}
		if err := tx.InsertAccountConnection(ctx, c); err != nil {
			return err
		}
		if err := tx.PutTags(ctx, c.ARN(), fromTags(in.Tags)); err != nil {
			return err
		}
		return p.remember(ctx, tx, s, operation, in.ClientToken, hash, c.ID)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateEnvironmentAccountConnectionOutput{EnvironmentAccountConnection: toAccountConnection(c)}, nil
}

func (p *Plane) checkNewConnection(ctx context.Context, tx *store.Tx, s proton.Scope, c proton.AccountConnection) error {
	open, err := tx.AccountConnections(ctx, s.Region, store.ConnectionFilter{
		ManagementAccount: c.ManagementAccount, EnvironmentAccount: s.Account, EnvironmentName: c.EnvironmentName,
		Statuses: []proton.ConnectionStatus{proton.ConnectionPending, proton.ConnectionConnected},
	}, nil, 1)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return proton.Errorf(proton.Conflict, "Environment account connection %s to account %s for environment %s exists already.", open[0].ARN(), c.ManagementAccount, c.EnvironmentName)
	}
	n, err := tx.CountAccountConnections(ctx, s)
	if err != nil {
		return err
	}
	if n >= p.Quotas.AccountConnections {
		return proton.Errorf(proton.QuotaExceeded, "The maximum number of environment account connections for this account has been reached.")
	}
	return nil
}

// side is which of a connection's two accounts a caller must be.
type side int

const (
	eitherSide side = iota
	managementSide
	environmentSide
)

// connection reads a connection for a caller: NotFound if it is none of the
// caller's, Denied if the other party alone may do what is asked for.
func (p *Plane) connection(ctx context.Context, tx *store.Tx, operation, id string, must side) (proton.AccountConnection, error) {
	s := scopeOf(ctx)
	c, ok, err := tx.AccountConnection(ctx, id)
	if err != nil {
		return c, err
	}
	if !ok || c.Region != s.Region || (c.ManagementAccount != s.Account && c.EnvironmentAccount != s.Account) {
		return c, proton.NoAccountConnection(s, id)
	}
	if must == managementSide && c.ManagementAccount != s.Account || must == environmentSide && c.EnvironmentAccount != s.Account {
		return c, denied(ctx, operation, c.ARN())
	}
	return c, nil
}

// changeConnection reads a connection, changes it and writes it back.
func (p *Plane) changeConnection(ctx context.Context, operation, id string, must side, change func(*store.Tx, proton.AccountConnection) (proton.AccountConnection, error)) (c proton.AccountConnection, err error) {
	if err := p.authorize(ctx, operation, scopeOf(ctx).AccountConnectionARN(id)); err != nil {
		return c, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if c, err = p.connection(ctx, tx, operation, id, must); err != nil {
			return err
		}
		if c, err = change(tx, c); err != nil {
			return err
		}
		return tx.SaveAccountConnection(ctx, c)
	})
	return c, err
}

// AcceptEnvironmentAccountConnection connects; only the management account
// can. NotFound, Denied, Conflict.
func (p *Plane) AcceptEnvironmentAccountConnection(ctx context.Context, in *api.AcceptEnvironmentAccountConnectionInput) (*api.AcceptEnvironmentAccountConnectionOutput, error) {
	c, err := p.changeConnection(ctx, "AcceptEnvironmentAccountConnection", *in.Id, managementSide,
		func(tx *store.Tx, c proton.AccountConnection) (proton.AccountConnection, error) {
			c, err := c.Accept(p.now())
			if err != nil {
				return c, err
			}
			return c, takePlace(ctx, tx, c)
		})
	if err != nil {
		return nil, err
	}
	return &api.AcceptEnvironmentAccountConnectionOutput{EnvironmentAccountConnection: toAccountConnection(c)}, nil
}

// takePlace binds an accepted connection to the environment it names, if that
// is provisioned in the same account through one that was deleted.
func takePlace(ctx context.Context, tx *store.Tx, c proton.AccountConnection) error {
	e, err := tx.Environment(ctx, proton.Scope{Account: c.ManagementAccount, Region: c.Region}, c.EnvironmentName)
	switch {
	case proton.IsNotFound(err):
		return nil
	case err != nil || e.AccountConnectionID == "" || e.AccountID != c.EnvironmentAccount:
		return err
	}
	if _, ok, err := tx.AccountConnection(ctx, e.AccountConnectionID); ok || err != nil {
		return err
	}
	e.AccountConnectionID = c.ID
	return tx.SaveEnvironment(ctx, e)
}

// RejectEnvironmentAccountConnection rejects, for good; only the management
// account can, and only what no environment uses. NotFound, Denied, Conflict.
func (p *Plane) RejectEnvironmentAccountConnection(ctx context.Context, in *api.RejectEnvironmentAccountConnectionInput) (*api.RejectEnvironmentAccountConnectionOutput, error) {
	c, err := p.changeConnection(ctx, "RejectEnvironmentAccountConnection", *in.Id, managementSide,
		func(tx *store.Tx, c proton.AccountConnection) (proton.AccountConnection, error) {
			used, err := tx.ConnectionUsed(ctx, c)
			if err != nil {
				return c, err
			}
			return c.Reject(used, p.now())
		})
	if err != nil {
		return nil, err
	}
	return &api.RejectEnvironmentAccountConnectionOutput{EnvironmentAccountConnection: toAccountConnection(c)}, nil
}

// UpdateEnvironmentAccountConnection changes the roles, for deployments from
// then on; only the environment account can. Invalid, NotFound, Denied, Conflict.
func (p *Plane) UpdateEnvironmentAccountConnection(ctx context.Context, in *api.UpdateEnvironmentAccountConnectionInput) (*api.UpdateEnvironmentAccountConnectionOutput, error) {
	if err := p.authorizeRoles(ctx, in.RoleArn, in.ComponentRoleArn, in.CodebuildRoleArn); err != nil {
		return nil, err
	}
	c, err := p.changeConnection(ctx, "UpdateEnvironmentAccountConnection", *in.Id, environmentSide,
		func(_ *store.Tx, c proton.AccountConnection) (proton.AccountConnection, error) {
			if c.Status == proton.ConnectionRejected {
				return c, proton.Errorf(proton.Conflict, "Environment account connection %s was rejected and can't be changed.", c.ARN())
			}
			for _, role := range []struct{ field, value *string }{
				{&c.RoleARN, in.RoleArn}, {&c.ComponentRoleARN, in.ComponentRoleArn}, {&c.CodebuildRoleARN, in.CodebuildRoleArn},
			} {
				if role.value != nil {
					*role.field = *role.value
				}
			}
			c.LastModifiedAt = p.now()
			return c, c.CheckRoles()
		})
	if err != nil {
		return nil, err
	}
	return &api.UpdateEnvironmentAccountConnectionOutput{EnvironmentAccountConnection: toAccountConnection(c)}, nil
}

// GetEnvironmentAccountConnection reads a connection, for both of its accounts. NotFound.
func (p *Plane) GetEnvironmentAccountConnection(ctx context.Context, in *api.GetEnvironmentAccountConnectionInput) (*api.GetEnvironmentAccountConnectionOutput, error) {
	const operation = "GetEnvironmentAccountConnection"
	if err := p.authorize(ctx, operation, scopeOf(ctx).AccountConnectionARN(*in.Id)); err != nil {
		return nil, err
	}
	out := &api.GetEnvironmentAccountConnectionOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		c, err := p.connection(ctx, tx, operation, *in.Id, eitherSide)
		out.EnvironmentAccountConnection = toAccountConnection(c)
		return err
	})
	return out, err
}

// DeleteEnvironmentAccountConnection removes a connection, also one that is in
// use: its environment can't be deployed until another is accepted. Only the
// environment account can; a missing one answers an empty object. Denied.
func (p *Plane) DeleteEnvironmentAccountConnection(ctx context.Context, in *api.DeleteEnvironmentAccountConnectionInput) (*api.DeleteEnvironmentAccountConnectionOutput, error) {
	const operation = "DeleteEnvironmentAccountConnection"
	if err := p.authorize(ctx, operation, scopeOf(ctx).AccountConnectionARN(*in.Id)); err != nil {
		return nil, err
	}
	out := &api.DeleteEnvironmentAccountConnectionOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := p.connection(ctx, tx, operation, *in.Id, environmentSide)
		if err != nil {
			return err
		}
		out.EnvironmentAccountConnection = toAccountConnection(c)
		return tx.DeleteAccountConnection(ctx, c)
	})
	if proton.IsNotFound(err) {
		return &api.DeleteEnvironmentAccountConnectionOutput{}, nil
	}
	return out, err
}

// ListEnvironmentAccountConnections lists the connections that the caller's
// account has been asked for, or has asked for, newest first.
func (p *Plane) ListEnvironmentAccountConnections(ctx context.Context, in *api.ListEnvironmentAccountConnectionsInput) (*api.ListEnvironmentAccountConnectionsOutput, error) {
	const operation = "ListEnvironmentAccountConnections"
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, anyResource); err != nil {
		return nil, err
	}
	filter := store.ConnectionFilter{EnvironmentName: api.Value(in.EnvironmentName)}
	if *in.RequestedBy == api.EnvironmentAccountConnectionRequesterAccountTypeManagementAccount {
		filter.ManagementAccount = s.Account
	} else {
		filter.EnvironmentAccount = s.Account
	}
	for _, status := range in.Statuses {
		filter.Statuses = append(filter.Statuses, proton.ConnectionStatus(status))
	}
	var position store.ConnectionPosition
	after := &position
	if paged, err := p.pagePosition(s, operation, filter, in.NextToken, &position); err != nil {
		return nil, err
	} else if !paged {
		after = nil
	}
	out := &api.ListEnvironmentAccountConnectionsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		size := pageSize(in.MaxResults)
		position := func(c proton.AccountConnection) *store.ConnectionPosition {
			return &store.ConnectionPosition{RequestedAt: c.RequestedAt, ID: c.ID}
		}
		rows, err := seen(ctx, func(after *store.ConnectionPosition, limit int) ([]proton.AccountConnection, error) {
			return tx.AccountConnections(ctx, s.Region, filter, after, limit)
		}, position, func(c proton.AccountConnection) (bool, error) {
			return p.sees(ctx, tx, "proton:GetEnvironmentAccountConnection", s.AccountConnectionARN(c.ID))
		})(after, size+1)
		if err != nil {
			return err
		}
		rows, out.NextToken, err = page(p, s, operation, filter, rows, size, func(c proton.AccountConnection) any { return position(c) })
		out.EnvironmentAccountConnections = toList(rows, toAccountConnectionSummary)
		return err
	})
	return out, err
}

// useConnection holds an environment's connection against it and takes over
// the account. One that was deleted is replaced by another for the same
// environment and account if there is one. NotFound, Invalid.
func (p *Plane) useConnection(ctx context.Context, tx *store.Tx, e *proton.Environment) error {
	if e.AccountConnectionID == "" {
		return nil
	}
	c, ok, err := tx.AccountConnection(ctx, e.AccountConnectionID)
	if err != nil {
		return err
	}
	if !ok && e.AccountID != "" {
		return p.replaceConnection(ctx, tx, e)
	}
	if !ok {
		return proton.NoAccountConnection(e.Scope, e.AccountConnectionID)
	}
	if err := c.CheckUse(e.Scope, e.Name); err != nil {
		return err
	}
	if e.AccountID != "" && e.AccountID != c.EnvironmentAccount {
		return proton.Errorf(proton.Invalid, "Environment account connection %s is of another account than %s, which environment %s is provisioned in.", c.ARN(), e.AccountID, e.Name)
	}
	e.AccountID = c.EnvironmentAccount
	return nil
}

func (p *Plane) replaceConnection(ctx context.Context, tx *store.Tx, e *proton.Environment) error {
	others, err := tx.AccountConnections(ctx, e.Region, store.ConnectionFilter{
		ManagementAccount: e.Account, EnvironmentAccount: e.AccountID, EnvironmentName: e.Name,
		Statuses: []proton.ConnectionStatus{proton.ConnectionConnected},
	}, nil, 1)
	if err != nil {
		return err
	}
	if len(others) == 0 {
		return proton.Errorf(proton.Invalid, "The environment account connection of environment %s was deleted: a new one from account %s for this environment must be accepted first.", e.Name, e.AccountID)
	}
	e.AccountConnectionID = others[0].ID
	return nil
}

func toAccountConnection(c proton.AccountConnection) *api.EnvironmentAccountConnection {
	return &api.EnvironmentAccountConnection{
		Arn: text(c.ARN()), Id: &c.ID, ManagementAccountId: &c.ManagementAccount, EnvironmentAccountId: &c.EnvironmentAccount,
		EnvironmentName: &c.EnvironmentName, RoleArn: text(c.RoleARN), ComponentRoleArn: text(c.ComponentRoleARN),
		CodebuildRoleArn: text(c.CodebuildRoleARN), Status: api.Ptr(api.EnvironmentAccountConnectionStatus(c.Status)),
		RequestedAt: timestamp(c.RequestedAt), LastModifiedAt: timestamp(c.LastModifiedAt),
	}
}

func toAccountConnectionSummary(c proton.AccountConnection) api.EnvironmentAccountConnectionSummary {
	return api.EnvironmentAccountConnectionSummary{
		Arn: text(c.ARN()), Id: &c.ID, ManagementAccountId: &c.ManagementAccount, EnvironmentAccountId: &c.EnvironmentAccount,
		EnvironmentName: &c.EnvironmentName, RoleArn: text(c.RoleARN), ComponentRoleArn: text(c.ComponentRoleARN),
		Status: api.Ptr(api.EnvironmentAccountConnectionStatus(c.Status)), RequestedAt: timestamp(c.RequestedAt), LastModifiedAt: timestamp(c.LastModifiedAt),
	}
}
