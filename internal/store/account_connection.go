package store

import (
	"cmp"
	"context"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

var accountConnections = newTable("account_connections", 1, func(c *proton.AccountConnection) []column {
	return []column{
		{"id", &c.ID}, {"region", &c.Region}, {"management_account", &c.ManagementAccount},
		{"environment_account", &c.EnvironmentAccount}, {"environment_name", &c.EnvironmentName},
		{"role_arn", &c.RoleARN}, {"component_role_arn", &c.ComponentRoleARN}, {"codebuild_role_arn", &c.CodebuildRoleARN},
		{"status", &c.Status}, {"requested_at", (*instant)(&c.RequestedAt)}, {"last_modified_at", (*instant)(&c.LastModifiedAt)},
		{"revision", &c.Revision},
	}
}, func(c *proton.AccountConnection) *int64 { return &c.Revision }).announced(4, (*proton.AccountConnection).ARN)

// AccountConnection reads a connection; ok is false without it. It belongs to
// two accounts, so the caller checks whose it is.
func (tx *Tx) AccountConnection(ctx context.Context, id string) (proton.AccountConnection, bool, error) {
	return accountConnections.get(ctx, tx, id)
}

// ConnectionFilter selects connections; empty fields do not restrict.
type ConnectionFilter struct {
	ManagementAccount, EnvironmentAccount, EnvironmentName string
	Statuses                                               []proton.ConnectionStatus
}

// ConnectionPosition is where a page of connections ended.
type ConnectionPosition struct {
	RequestedAt time.Time
	ID          string
}

// AccountConnections lists connections of a Region, newest first, from behind
// a position.
func (tx *Tx) AccountConnections(ctx context.Context, region string, f ConnectionFilter, after *ConnectionPosition, limit int) ([]proton.AccountConnection, error) {
	if f.EnvironmentName != "" || len(f.Statuses) < 2 {
		return tx.accountConnections(ctx, region, f, after, limit)
	}
	var lists [][]proton.AccountConnection
	for _, status := range distinct(f.Statuses) {
		f.Statuses = []proton.ConnectionStatus{status}
		list, err := tx.accountConnections(ctx, region, f, after, limit)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return merge(lists, limit, func(a, b proton.AccountConnection) int {
		return cmp.Or(b.RequestedAt.Compare(a.RequestedAt), cmp.Compare(b.ID, a.ID))
	}), nil
}

// accountConnections reads connections along one index: of an environment's
// name, of which there are few, of a status, or of an account.
func (tx *Tx) accountConnections(ctx context.Context, region string, f ConnectionFilter, after *ConnectionPosition, limit int) ([]proton.AccountConnection, error) {
	w := &where{}
	w.and("region = ?", region)
	if f.ManagementAccount != "" {
		w.and("management_account = ?", f.ManagementAccount)
		w.equal([2]string{"environment_name", f.EnvironmentName}, [2]string{"environment_account", f.EnvironmentAccount})
	} else {
		w.and("environment_account = ?", f.EnvironmentAccount)
		w.equal([2]string{"environment_name", f.EnvironmentName})
	}
	status := "status"
	if f.EnvironmentName != "" {
		status = "(status || '')" // not another index
	}
	w.meets(oneOf(status, f.Statuses))
	if after != nil {
		w.and("(requested_at, id) < (?, ?)", micros(after.RequestedAt), after.ID)
	}
	return accountConnections.list(ctx, tx, w.clause()+" ORDER BY requested_at DESC, id DESC LIMIT ?", append(w.args, limit)...)
}

// CountAccountConnections counts the connections of an environment account.
func (tx *Tx) CountAccountConnections(ctx context.Context, s proton.Scope) (int, error) {
	return tx.count(ctx, "account_connections WHERE region = ? AND environment_account = ?", s.Region, s.Account)
}

// ConnectionUsed reports whether an environment is provisioned through a connection.
func (tx *Tx) ConnectionUsed(ctx context.Context, c proton.AccountConnection) (bool, error) {
	n, err := tx.count(ctx, "environments WHERE account = ? AND region = ? AND name = ? AND account_connection_id = ?",
		c.ManagementAccount, c.Region, c.EnvironmentName, c.ID)
	return n > 0, err
}

// InsertAccountConnection adds a connection.
func (tx *Tx) InsertAccountConnection(ctx context.Context, c proton.AccountConnection) error {
	return accountConnections.add(ctx, tx, c)
}

// SaveAccountConnection writes a connection back. Conflict if it changed meanwhile.
func (tx *Tx) SaveAccountConnection(ctx context.Context, c proton.AccountConnection) error {
	return accountConnections.save(ctx, tx, c)
}

// DeleteAccountConnection removes a connection with its tags.
func (tx *Tx) DeleteAccountConnection(ctx context.Context, c proton.AccountConnection) error {
	if err := tx.DeleteTags(ctx, c.ARN()); err != nil {
		return err
	}
	return accountConnections.delete(ctx, tx, c.ID)
}
