package store

import (
	"context"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
)

var templates = newTable("templates", 4, func(t *proton.Template) []column {
	return []column{
		{"account", &t.Account}, {"region", &t.Region}, {"kind", &t.Kind}, {"name", &t.Name},
		{"display_name", &t.DisplayName}, {"description", &t.Description}, {"encryption_key", &t.EncryptionKey},
		{"customer_managed", (*flag)(&t.CustomerManaged)},
		{"recommended_major", &t.Recommended.Major}, {"recommended_minor", &t.Recommended.Minor},
		{"last_major", &t.LastMajor},
		{"created_at", (*instant)(&t.CreatedAt)}, {"last_modified_at", (*instant)(&t.LastModifiedAt)},
		{"request_hash", &t.Creation.RequestHash}, {"modified", (*flag)(&t.Creation.Modified)},
		{"revision", &t.Revision},
	}
}, func(t *proton.Template) *int64 { return &t.Revision }).
	counted("kind, 0, 0, CASE WHEN recommended_major > 0 THEN 'PUBLISHED' ELSE 'DRAFT' END").announced(4, (*proton.Template).ARN)

var templateVersions = newTable("template_versions", 6, func(v *proton.TemplateVersion) []column {
	return []column{
		{"account", &v.Account}, {"region", &v.Region}, {"kind", &v.Kind}, {"template_name", &v.TemplateName},
		{"major", &v.Major}, {"minor", &v.Minor}, {"id", &v.ID},
		{"description", &v.Description}, {"status", &v.Status}, {"status_message", &v.StatusMessage},
		{"schema_text", &v.Schema}, {"compatible_json", document{&v.Compatible}},
		{"component_sources_json", document{&v.ComponentSources}},
		{"source_bucket", &v.SourceBucket}, {"source_key", &v.SourceKey}, {"bundle_digest", &v.BundleDigest},
		{"warnings_json", document{&v.Warnings}}, {"methods_json", document{&v.Methods}}, {"attempt", &v.Attempt},
		{"created_at", (*instant)(&v.CreatedAt)}, {"last_modified_at", (*instant)(&v.LastModifiedAt)},
		{"revision", &v.Revision},
	}
}, func(v *proton.TemplateVersion) *int64 { return &v.Revision }).announced(6, (*proton.TemplateVersion).ARN).long("schema_text", "warnings_json")

// Template reads a template. NotFound without it.
func (tx *Tx) Template(ctx context.Context, s proton.Scope, kind proton.TemplateKind, name string) (proton.Template, error) {
	t, ok, err := templates.get(ctx, tx, s.Account, s.Region, kind, name)
	if err == nil && !ok {
		err = proton.NoTemplate(s, kind, name)
	}
	return t, err
}

// Templates lists templates by name, from the one behind after.
func (tx *Tx) Templates(ctx context.Context, s proton.Scope, kind proton.TemplateKind, after string, limit int) ([]proton.Template, error) {
	return templates.list(ctx, tx, "WHERE account = ? AND region = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?",
		s.Account, s.Region, kind, after, limit)
}

// CountTemplates counts environment and service templates together.
func (tx *Tx) CountTemplates(ctx context.Context, s proton.Scope) (int, error) {
	return tx.total(ctx, s, templates.name)
}

// InsertTemplate adds a template. Conflict if the name is taken.
func (tx *Tx) InsertTemplate(ctx context.Context, t proton.Template) error {
	return templates.add(ctx, tx, t)
}

// SaveTemplate writes a template back. Conflict if it changed meanwhile.
func (tx *Tx) SaveTemplate(ctx context.Context, t proton.Template) error {
	return templates.save(ctx, tx, t)
}

// DeleteTemplate removes a template with its tags, its sync and its memory of
// numbers.
func (tx *Tx) DeleteTemplate(ctx context.Context, t proton.Template) error {
	_, err := tx.exec(ctx, "DELETE FROM template_majors WHERE account = ? AND region = ? AND kind = ? AND template_name = ?",
		t.Account, t.Region, t.Kind, t.Name)
	if err != nil {
		return err
	}
	if err := tx.DeleteTags(ctx, t.ARN()); err != nil {
		return err
	}
	if err := tx.DeleteTemplateSync(ctx, t.Scope, t.Kind, t.Name); err != nil {
		return err
	}
	return templates.delete(ctx, tx, t.Account, t.Region, t.Kind, t.Name)
}

// LastMinor is the highest minor ever given out in a major, -1 if the major
// never existed.
func (tx *Tx) LastMinor(ctx context.Context, t proton.Template, major int64) (int64, error) {
	var minor int64
	err := tx.queryRow(ctx, `SELECT COALESCE(MAX(last_minor), -1) FROM template_majors
		WHERE account = ? AND region = ? AND kind = ? AND template_name = ? AND major = ?`,
		[]any{t.Account, t.Region, t.Kind, t.Name, major}, []any{&minor})
	return minor, err
}

// InsertTemplateVersion adds a version, uses up its number, and queues its
// registration.
func (tx *Tx) InsertTemplateVersion(ctx context.Context, v proton.TemplateVersion) error {
	if err := templateVersions.add(ctx, tx, v); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO template_majors (account, region, kind, template_name, major, last_minor) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, region, kind, template_name, major) DO UPDATE SET last_minor = excluded.last_minor`,
		v.Account, v.Region, v.Kind, v.TemplateName, v.Major, v.Minor)
	if err != nil {
		return fmt.Errorf("count versions: %w", err)
	}
	job := registration(v)
	job.Origin = jobs.OriginOf(ctx)
	return tx.Enqueue(ctx, job)
}

func registration(v proton.TemplateVersion) jobs.Job {
	return jobs.Job{Kind: jobs.RegisterTemplateVersion, Key: v.ID, Generation: v.Attempt}
}

// TemplateVersion reads a version. NotFound without it.
func (tx *Tx) TemplateVersion(ctx context.Context, s proton.Scope, kind proton.TemplateKind, name string, v proton.Version) (proton.TemplateVersion, error) {
	version, ok, err := templateVersions.get(ctx, tx, s.Account, s.Region, kind, name, v.Major, v.Minor)
	if err == nil && !ok {
		err = proton.NoTemplateVersion(s, kind, name, v.String())
	}
	return version, err
}

// HasTemplateVersion reports whether a version that was read before is there.
func (tx *Tx) HasTemplateVersion(ctx context.Context, v proton.TemplateVersion) (bool, error) {
	n, err := tx.count(ctx, "template_versions WHERE account = ? AND region = ? AND kind = ? AND template_name = ? AND major = ? AND minor = ?",
		v.Account, v.Region, v.Kind, v.TemplateName, v.Major, v.Minor)
	return n > 0, err
}

// TemplateVersionByID reads the version with an id; ok is false without it.
func (tx *Tx) TemplateVersionByID(ctx context.Context, id string) (proton.TemplateVersion, bool, error) {
	return templateVersions.one(ctx, tx, "WHERE id = ?", id)
}

// TemplateVersions lists the versions of a template, oldest number first: of
// one major, or of all if major is zero. They come without schema and warnings.
func (tx *Tx) TemplateVersions(ctx context.Context, s proton.Scope, kind proton.TemplateKind, name string, major int64) ([]proton.TemplateVersion, error) {
	clause := "WHERE account = ? AND region = ? AND kind = ? AND template_name = ?"
	args := []any{s.Account, s.Region, kind, name}
	if major != 0 {
		clause, args = clause+" AND major = ?", append(args, major)
	}
	return templateVersions.listBriefly(ctx, tx, clause+" ORDER BY major, minor", args...)
}

// SaveTemplateVersion writes a version back. Conflict if it changed meanwhile.
func (tx *Tx) SaveTemplateVersion(ctx context.Context, v proton.TemplateVersion) error {
	return templateVersions.save(ctx, tx, v)
}

// DeleteTemplateVersion removes a version with its tags. Its number stays used.
func (tx *Tx) DeleteTemplateVersion(ctx context.Context, v proton.TemplateVersion) error {
	if err := tx.DeleteTags(ctx, v.ARN()); err != nil {
		return err
	}
	return templateVersions.delete(ctx, tx, v.Account, v.Region, v.Kind, v.TemplateName, v.Major, v.Minor)
}

// TemplateVersionInUse reports whether something is deployed at a version, or
// is being deployed to it.
func (tx *Tx) TemplateVersionInUse(ctx context.Context, v proton.TemplateVersion) (bool, error) {
	tables := []string{"environments"}
	if v.Kind == proton.ServiceTemplate {
		tables = []string{"service_instances", "pipelines"}
	}
	for _, table := range tables {
		n, err := tx.count(ctx, table+` WHERE account = ? AND region = ? AND template_name = ? AND
			((major = ? AND minor = ?) OR (attempted_major = ? AND attempted_minor = ? AND
				(major = 0 OR status IN ('IN_PROGRESS', 'CANCELLING'))))`,
			v.Account, v.Region, v.TemplateName, v.Major, v.Minor, v.Major, v.Minor)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// RequeueRegistrations queues anew every registration that is not finished:
// at start-up nobody works on them.
func (tx *Tx) RequeueRegistrations(ctx context.Context) (int, error) {
	versions, err := templateVersions.list(ctx, tx, "WHERE status = ?", proton.RegistrationInProgress)
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		v.Attempt++
		if err := templateVersions.save(ctx, tx, v); err != nil {
			return 0, err
		}
		if err := tx.Enqueue(ctx, registration(v)); err != nil {
			return 0, err
		}
	}
	return len(versions), nil
}

// InsertBundle keeps an archive under its digest. Keeping it twice is fine.
func (tx *Tx) InsertBundle(ctx context.Context, digest string, archive []byte, now time.Time) error {
	_, err := tx.exec(ctx, "INSERT INTO bundles (digest, content, created_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
		digest, archive, micros(now))
	return err
}

// Bundle reads the archive with a digest.
func (tx *Tx) Bundle(ctx context.Context, digest string) ([]byte, error) {
	var archive []byte
	err := tx.queryRow(ctx, "SELECT content FROM bundles WHERE digest = ?", []any{digest}, []any{&archive})
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", digest, err)
	}
	return archive, nil
}

// count counts the rows of "table WHERE condition".
func (tx *Tx) count(ctx context.Context, from string, args ...any) (int, error) {
	var n int
	err := tx.queryRow(ctx, "SELECT COUNT(*) FROM "+from, args, []any{&n})
	return n, err
}
