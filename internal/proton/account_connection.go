package proton

import (
	"strings"
	"time"
)

// ConnectionStatus is the state of an environment account connection.
type ConnectionStatus string

const (
	ConnectionPending   ConnectionStatus = "PENDING"   // requested by the environment account
	ConnectionConnected ConnectionStatus = "CONNECTED" // accepted by the management account
	ConnectionRejected  ConnectionStatus = "REJECTED"  // final
)

// AccountConnection lets a management account provision one environment in
// another account, with that account's roles.
type AccountConnection struct {
	ID                 string
	Region             string
	ManagementAccount  string
	EnvironmentAccount string
	EnvironmentName    string
	RoleARN            string
	ComponentRoleARN   string
	CodebuildRoleARN   string
	Status             ConnectionStatus
	RequestedAt        time.Time
	LastModifiedAt     time.Time
	Revision           int64
}

// ARN is in the environment account.
func (c AccountConnection) ARN() ARN {
	return Scope{Account: c.EnvironmentAccount, Region: c.Region}.AccountConnectionARN(c.ID)
}

// NoAccountConnection is the refusal for a connection that is not there, or
// that is none of the caller's business.
func NoAccountConnection(s Scope, id string) error {
	return Errorf(NotFound, "The requested environment account connection does not exist: %s", s.AccountConnectionARN(id))
}

// Accept is the connection once its management account has accepted it.
func (c AccountConnection) Accept(now time.Time) (AccountConnection, error) {
	switch c.Status {
	case ConnectionRejected:
		return c, Errorf(Conflict, "Environment account connection %s was rejected and can't be accepted.", c.ARN())
	case ConnectionPending:
		c.Status, c.LastModifiedAt = ConnectionConnected, now
	}
	return c, nil
}

// Reject is the connection once its management account has rejected it; used
// reports whether an environment uses it.
func (c AccountConnection) Reject(used bool, now time.Time) (AccountConnection, error) {
	switch {
	case c.Status == ConnectionRejected:
	case used:
		return c, Errorf(Conflict, "Environment account connection %s can't be rejected because environment %s uses it: delete the environment first.", c.ARN(), c.EnvironmentName)
	default:
		c.Status, c.LastModifiedAt = ConnectionRejected, now
	}
	return c, nil
}

// CheckRoles refuses roles that are not the environment account's.
func (c AccountConnection) CheckRoles() error {
	for _, role := range []string{c.RoleARN, c.ComponentRoleARN, c.CodebuildRoleARN} {
		if parts := strings.SplitN(role, ":", 6); role != "" && (len(parts) < 6 || parts[4] != c.EnvironmentAccount) {
			return Errorf(Invalid, "Role %s is not a role of the environment account %s.", role, c.EnvironmentAccount)
		}
	}
	return nil
}

// CheckUse says why an environment of the management account can't be
// provisioned through the connection, or nil.
func (c AccountConnection) CheckUse(management Scope, environment string) error {
	switch {
	case c.Region != management.Region || c.ManagementAccount != management.Account:
		return NoAccountConnection(management, c.ID)
	case c.Status != ConnectionConnected:
		return Errorf(Invalid, "Environment account connection %s is %s, not CONNECTED.", c.ARN(), c.Status)
	case c.EnvironmentName != environment:
		return Errorf(Invalid, "Environment account connection %s is for an environment named %s, not %s.", c.ARN(), c.EnvironmentName, environment)
	}
	return nil
}
