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

// identity is the role that the engine acts as: the environment's or that of
// its account connection, for a pipeline the account's. Empty is the server's
// own identity.
func (p *Provisioner) identity(ctx context.Context, d proton.Deployment, method engine.Method) (role string, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if d.TargetType == proton.TargetPipeline {
			settings, err := tx.AccountSettings(ctx, d.Scope)
			if err == nil {
				role, err = pipelineRole(settings, method)
			}
			return err
		}
		e, err := tx.Environment(ctx, d.Scope, d.EnvironmentName)
		if err != nil {
			return err
		}
		if e.AccountConnectionID != "" {
			c, ok, err := tx.AccountConnection(ctx, e.AccountConnectionID)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("environment %s: %w", e.Name, errNoConnection)
			}
			e.ServiceRoleARN, e.CodebuildRoleARN, e.ComponentRoleARN = c.RoleARN, c.CodebuildRoleARN, c.ComponentRoleARN
		}
		role, err = environmentRole(e, d.TargetType, method)
		return err
	})
	return role, err
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
