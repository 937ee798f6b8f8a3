package provision

import (
	"context"
	"fmt"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// refusal is why a deployment fails before its engine is asked. It can be tried
// again once the reason is gone.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errNoEngine         refusal = "this server has no engine for it"
	errNoConnection     refusal = "the environment account connection was deleted: a new one must be accepted first"
	errNoConnectionRole refusal = "the environment account connection has no role: give it one with UpdateEnvironmentAccountConnection"
	errNoPipelineRole   refusal = "Operation cannot be run until pipeline roles have been configured"
)

// roles are what the role of a deployment is chosen from.
type roles struct {
	settings    proton.AccountSettings
	environment proton.Environment // with the roles of its account connection
	refused     error              // there is no such connection any more
}

func rolesOf(ctx context.Context, tx *store.Tx, d proton.Deployment) (r roles, err error) {
	if d.TargetType == proton.TargetPipeline {
		r.settings, err = tx.AccountSettings(ctx, d.Scope)
		return r, err
	}
	e, err := tx.Environment(ctx, d.Scope, d.EnvironmentName)
	if err != nil || e.AccountConnectionID == "" {
		return roles{environment: e}, err
	}
	c, ok, err := tx.AccountConnection(ctx, e.AccountConnectionID)
	if err == nil && !ok {
		r.refused = fmt.Errorf("environment %s: %w", e.Name, errNoConnection)
	}
	e.ServiceRoleARN, e.CodebuildRoleARN, e.ComponentRoleARN = c.RoleARN, c.CodebuildRoleARN, c.ComponentRoleARN
	r.environment = e
	return r, err
}

// choose is the role that an engine acts as for a target: the environment's or
// that of its account connection, for a pipeline the account's. Empty is the
// server's own identity.
func (r roles) choose(target proton.TargetType, method engine.Method) (string, error) {
	switch {
	case r.refused != nil:
		return "", r.refused
	case target == proton.TargetPipeline:
		return pipelineRole(r.settings, method)
	}
	return environmentRole(r.environment, target, method)
}

// roles reads what the role of a deployment is chosen from.
func (p *Provisioner) roles(ctx context.Context, d proton.Deployment) (r roles, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		r, err = rolesOf(ctx, tx, d)
		return err
	})
	return r, err
}

func pipelineRole(s proton.AccountSettings, method engine.Method) (string, error) {
	switch {
	case method == engine.CloudFormation && s.PipelineServiceRoleARN == "":
		return "", errNoPipelineRole
	case method == engine.Command:
		return s.PipelineCodebuildRoleARN, nil
	}
	return s.PipelineServiceRoleARN, nil
}

// environmentRole is the role for what is provisioned in an environment that
// has those of its account connection, if it has one.
func environmentRole(e proton.Environment, target proton.TargetType, method engine.Method) (string, error) {
	role := e.ServiceRoleARN
	switch {
	case target == proton.TargetComponent:
		role = e.ComponentRoleARN
	case method == engine.Command:
		return e.CodebuildRoleARN, nil
	}
	if role == "" && e.AccountConnectionID != "" && method == engine.CloudFormation {
		return "", fmt.Errorf("environment %s: %w", e.Name, errNoConnectionRole)
	}
	return role, nil
}
