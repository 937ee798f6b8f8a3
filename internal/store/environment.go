package store

import (
	"context"

	"github.com/hadronhq/hadron/internal/proton"
)

// deployableColumns are the columns that all deployed things share.
func deployableColumns(d *proton.Deployable) []column {
	return []column{
		{"status", &d.Status}, {"status_message", &d.StatusMessage},
		{"major", &d.Version.Major}, {"minor", &d.Version.Minor},
		{"attempted_major", &d.Attempted.Major}, {"attempted_minor", &d.Attempted.Minor},
		{"spec", &d.Spec}, {"created_at", (*instant)(&d.CreatedAt)},
		{"last_attempted_at", (*instant)(&d.LastAttemptedAt)}, {"last_succeeded_at", (*instant)(&d.LastSucceededAt)},
		{"last_attempted_deployment", &d.LastAttemptedDeploymentID},
		{"last_succeeded_deployment", &d.LastSucceededDeploymentID},
	}
}

var environments = newTable("environments", 3, func(e *proton.Environment) []column {
	return append([]column{
		{"account", &e.Account}, {"region", &e.Region}, {"name", &e.Name},
		{"template_name", &e.TemplateName}, {"description", &e.Description},
		{"customer_managed", (*flag)(&e.CustomerManaged)},
		{"service_role_arn", &e.ServiceRoleARN}, {"codebuild_role_arn", &e.CodebuildRoleARN},
		{"component_role_arn", &e.ComponentRoleARN}, {"account_connection_id", &e.AccountConnectionID},
		{"environment_account", &e.AccountID}, {"provisioning_repository_json", document{&e.ProvisioningRepository}},
		{"request_hash", &e.Creation.RequestHash}, {"modified", (*flag)(&e.Creation.Modified)},
		{"revision", &e.Revision},
	}, deployableColumns(&e.Deployable)...)
}, func(e *proton.Environment) *int64 { return &e.Revision })

// Environment reads an environment. NotFound without it.
func (tx *Tx) Environment(ctx context.Context, s proton.Scope, name string) (proton.Environment, error) {
	e, ok, err := environments.get(ctx, tx, s.Account, s.Region, name)
	if err == nil && !ok {
		err = proton.NoEnvironment(s, name)
	}
	return e, err
}

// TemplateMajor names a major version of a template, in filters.
type TemplateMajor struct {
	Name  string
	Major int64
}

// shownMajor is proton's CurrentVersionShown; 0 for none, and no filter may ask
// for that.
const shownMajor = `(CASE WHEN major = 0 AND status NOT IN ('IN_PROGRESS', 'CANCELLING') THEN attempted_major ELSE major END)`

// Environments lists environments by name, from the one behind after. With a
// filter, only those deployed from one of its template majors.
func (tx *Tx) Environments(ctx context.Context, s proton.Scope, filter []TemplateMajor, after string, limit int) ([]proton.Environment, error) {
	clause := "WHERE account = ? AND region = ? AND name > ?"
	args := []any{s.Account, s.Region, after}
	for n, f := range filter {
		clause += map[bool]string{true: " AND (", false: " OR "}[n == 0] + "(template_name = ? AND " + shownMajor + " = ?)"
		args = append(args, f.Name, f.Major)
	}
	if len(filter) > 0 {
		clause += ")"
	}
	return environments.list(ctx, tx, clause+" ORDER BY name LIMIT ?", append(args, limit)...)
}

// CountEnvironments counts environments in any state.
func (tx *Tx) CountEnvironments(ctx context.Context, s proton.Scope) (int, error) {
	return tx.count(ctx, "environments WHERE account = ? AND region = ?", s.Account, s.Region)
}

// InsertEnvironment adds an environment. Conflict if the name is taken.
func (tx *Tx) InsertEnvironment(ctx context.Context, e proton.Environment) error {
	return environments.add(ctx, tx, e)
}

// SaveEnvironment writes an environment back. Conflict if it changed meanwhile.
func (tx *Tx) SaveEnvironment(ctx context.Context, e proton.Environment) error {
	return environments.save(ctx, tx, e)
}

// DeleteEnvironment removes an environment with its tags.
func (tx *Tx) DeleteEnvironment(ctx context.Context, e proton.Environment) error {
	if err := tx.DeleteTags(ctx, e.ARN()); err != nil {
		return err
	}
	return environments.delete(ctx, tx, e.Account, e.Region, e.Name)
}
