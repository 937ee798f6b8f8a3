package store

import (
	"cmp"
	"context"
	"slices"

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
}, func(e *proton.Environment) *int64 { return &e.Revision }).counted("template_name, major, minor, status").announced(3, (*proton.Environment).ARN).long("spec")

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

// neverDeployed selects what shows the version that was tried: see proton's
// CurrentVersionShown. No filter may ask for major version 0.
const neverDeployed = "major = 0 AND status NOT IN ('IN_PROGRESS', 'CANCELLING') AND attempted_major = ?"

// Environments lists environments by name, from the one behind after. With a
// filter, only those deployed from one of its template majors. They come
// without spec.
func (tx *Tx) Environments(ctx context.Context, s proton.Scope, filter []TemplateMajor, after string, limit int) ([]proton.Environment, error) {
	if len(filter) == 0 {
		return environments.listBriefly(ctx, tx, "WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?", s.Account, s.Region, after, limit)
	}
	filter = slices.Clone(filter)
	slices.SortFunc(filter, func(a, b TemplateMajor) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Major, b.Major))
	})
	var lists [][]proton.Environment
	for _, f := range slices.Compact(filter) {
		for _, shown := range []string{"major = ?", neverDeployed} {
			list, err := environments.listBriefly(ctx, tx, "WHERE account = ? AND region = ? AND template_name = ? AND "+shown+" AND name > ? ORDER BY name LIMIT ?",
				s.Account, s.Region, f.Name, f.Major, after, limit)
			if err != nil {
				return nil, err
			}
			lists = append(lists, list)
		}
	}
	return merge(lists, limit, func(a, b proton.Environment) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// merge makes one list of limit rows of several that are ordered. Each was read
// from an index, so that a page costs the same whatever the filter leaves out.
func merge[T any](lists [][]T, limit int, compare func(a, b T) int) []T {
	all := slices.Concat(lists...)
	slices.SortFunc(all, compare)
	return append([]T{}, all[:min(limit, len(all))]...)
}

// CountEnvironments counts environments in any state.
func (tx *Tx) CountEnvironments(ctx context.Context, s proton.Scope) (int, error) {
	return tx.total(ctx, s, environments.name)
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
