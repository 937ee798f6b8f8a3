package console

import (
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/schema"
)

const (
	ofEnvironments = "environment"
	ofServices     = "service"
)

// templateRow is a template of either kind.
type templateRow struct {
	Kind, Name, DisplayName, Description, Recommended, ARN string
	CustomerManaged                                        bool
}

func fromEnvironmentTemplate(t api.EnvironmentTemplateSummary) templateRow {
	return templateRow{ofEnvironments, api.Value(t.Name), api.Value(t.DisplayName), api.Value(t.Description), api.Value(t.RecommendedVersion), api.Value(t.Arn),
		api.Value(t.Provisioning) == api.ProvisioningCustomerManaged}
}

func fromServiceTemplate(t api.ServiceTemplateSummary) templateRow {
	return templateRow{ofServices, api.Value(t.Name), api.Value(t.DisplayName), api.Value(t.Description), api.Value(t.RecommendedVersion), api.Value(t.Arn),
		api.Value(t.PipelineProvisioning) == api.ProvisioningCustomerManaged}
}

// templateRows lists all templates of a kind.
func (c *Console) templateRows(r *http.Request, kind string) ([]templateRow, error) {
	var rows []templateRow
	for next := (*string)(nil); ; {
		if kind == ofEnvironments {
			out, err := c.client.ListEnvironmentTemplates(r.Context(), &api.ListEnvironmentTemplatesInput{NextToken: next})
			if err != nil {
				return nil, err
			}
			for _, t := range out.Templates {
				rows = append(rows, fromEnvironmentTemplate(t))
			}
			next = out.NextToken
		} else {
			out, err := c.client.ListServiceTemplates(r.Context(), &api.ListServiceTemplatesInput{NextToken: next})
			if err != nil {
				return nil, err
			}
			for _, t := range out.Templates {
				rows = append(rows, fromServiceTemplate(t))
			}
			next = out.NextToken
		}
		if next == nil {
			return rows, nil
		}
	}
}

func (c *Console) templates(w http.ResponseWriter, r *http.Request) error {
	environments, err := c.templateRows(r, ofEnvironments)
	if err != nil {
		return err
	}
	services, err := c.templateRows(r, ofServices)
	if err != nil {
		return err
	}
	return c.ok(w, r, "Templates", templatesView(environments, services))
}

// versionRow is a version of a template of either kind.
type versionRow struct {
	Major, Minor, Status, Message, Notes, VersionARN string
	Newest                                           string // recommended minor, of a major
}

// templateVersions lists all versions of a template, newest first: the majors,
// and the minors of each.
func (c *Console) templateVersions(r *http.Request, kind, name string) ([]versionRow, error) {
	majors, err := c.listVersions(r, kind, name, nil)
	if err != nil {
		return nil, err
	}
	var all []versionRow
	for _, major := range majors {
		minors, err := c.listVersions(r, kind, name, &major.Major)
		if err != nil {
			return nil, err
		}
		all = append(all, minors...)
	}
	return all, nil
}

// listVersions lists the major versions of a template, or the minors of one.
func (c *Console) listVersions(r *http.Request, kind, name string, major *string) ([]versionRow, error) {
	var rows []versionRow
	for next := (*string)(nil); ; {
		if kind == ofEnvironments {
			out, err := c.client.ListEnvironmentTemplateVersions(r.Context(), &api.ListEnvironmentTemplateVersionsInput{TemplateName: &name, MajorVersion: major, NextToken: next})
			if err != nil {
				return nil, err
			}
			for _, v := range out.TemplateVersions {
				row := rowOf(v.MajorVersion, v.MinorVersion, v.Status, v.StatusMessage, v.Description, v.Arn)
				row.Newest = api.Value(v.RecommendedMinorVersion)
				rows = append(rows, row)
			}
			next = out.NextToken
		} else {
			out, err := c.client.ListServiceTemplateVersions(r.Context(), &api.ListServiceTemplateVersionsInput{TemplateName: &name, MajorVersion: major, NextToken: next})
			if err != nil {
				return nil, err
			}
			for _, v := range out.TemplateVersions {
				row := rowOf(v.MajorVersion, v.MinorVersion, v.Status, v.StatusMessage, v.Description, v.Arn)
				row.Newest = api.Value(v.RecommendedMinorVersion)
				rows = append(rows, row)
			}
			next = out.NextToken
		}
		if next == nil {
			return rows, nil
		}
	}
}

func rowOf(major, minor *string, status *api.TemplateVersionStatus, message, notes, arn *string) versionRow {
	return versionRow{Major: api.Value(major), Minor: api.Value(minor), Status: string(api.Value(status)), Message: api.Value(message), Notes: api.Value(notes), VersionARN: api.Value(arn)}
}

// templateFacts is what a template's page shows.
type templateFacts struct {
	templateRow
	Versions  []versionRow
	Instances []api.ServiceInstanceSummary // that use it
	// Environments are those that use it.
	Environments []api.EnvironmentSummary
	About        about
	Sync         *syncFacts // nil: it is not synced
}

func (c *Console) template(w http.ResponseWriter, r *http.Request) error {
	f, err := c.templateOf(r, r.PathValue("kind"), r.PathValue("template"))
	if err != nil {
		return err
	}
	if f.Versions, err = c.templateVersions(r, f.Kind, f.Name); err != nil {
		return err
	}
	if f.Kind == ofServices {
		out, err := c.client.ListServiceInstances(r.Context(), &api.ListServiceInstancesInput{Filters: []api.ListServiceInstancesFilter{
			{Key: api.Ptr(api.ListServiceInstancesFilterByTemplateName), Value: &f.Name}}})
		if err != nil {
			return err
		}
		f.Instances = out.ServiceInstances
	} else if f.Environments, err = c.environmentsOf(r, f); err != nil {
		return err
	}
	if f.About, err = c.about(r, &f.ARN); err != nil {
		return err
	}
	if f.Sync, err = c.templateSync(r, f.Kind, f.Name); err != nil {
		return err
	}
	return c.ok(w, r, f.Name, templateView(f))
}

// environmentsOf lists the environments that use a template.
func (c *Console) environmentsOf(r *http.Request, f templateFacts) ([]api.EnvironmentSummary, error) {
	majors := map[string]bool{}
	filter := []api.EnvironmentTemplateFilter{}
	for _, v := range f.Versions {
		if !majors[v.Major] {
			majors[v.Major] = true
			filter = append(filter, api.EnvironmentTemplateFilter{TemplateName: &f.Name, MajorVersion: &v.Major})
		}
	}
	if len(filter) == 0 {
		return nil, nil
	}
	out, err := c.client.ListEnvironments(r.Context(), &api.ListEnvironmentsInput{EnvironmentTemplates: filter})
	if err != nil {
		return nil, err
	}
	return out.Environments, nil
}

func (c *Console) templateOf(r *http.Request, kind, name string) (templateFacts, error) {
	if kind == ofEnvironments {
		out, err := c.client.GetEnvironmentTemplate(r.Context(), &api.GetEnvironmentTemplateInput{Name: &name})
		if err != nil {
			return templateFacts{}, err
		}
		t := out.EnvironmentTemplate
		return templateFacts{templateRow: templateRow{kind, name, api.Value(t.DisplayName), api.Value(t.Description), api.Value(t.RecommendedVersion), api.Value(t.Arn),
			api.Value(t.Provisioning) == api.ProvisioningCustomerManaged}}, nil
	}
	out, err := c.client.GetServiceTemplate(r.Context(), &api.GetServiceTemplateInput{Name: &name})
	if err != nil {
		return templateFacts{}, err
	}
	t := out.ServiceTemplate
	return templateFacts{templateRow: templateRow{ofServices, name, api.Value(t.DisplayName), api.Value(t.Description), api.Value(t.RecommendedVersion), api.Value(t.Arn),
		api.Value(t.PipelineProvisioning) == api.ProvisioningCustomerManaged}}, nil
}

// versionFacts is what the page of a template version shows, and what forms
// are made of.
type versionFacts struct {
	templateRow
	versionRow
	Schema     string
	Inputs     *schema.Type // nil when the schema cannot be read
	Pipeline   *schema.Type
	Compatible []api.CompatibleEnvironmentTemplate
	Warnings   []string
	Files      []api.TemplateVersionFile
	Denied     bool                     // the files may not be read
	Shown      *api.TemplateVersionFile // the one whose text is asked for
	Others     []versionRow             // of the same template
	Before     string                   // the version it is compared with
	Changes    []fileChange             // since then
}

// Version is "major.minor".
func (f versionFacts) Version() string { return f.Major + "." + f.Minor }

func (c *Console) versionOf(r *http.Request, kind, name, major, minor string) (versionFacts, error) {
	ctx := r.Context()
	f := versionFacts{templateRow: templateRow{Kind: kind, Name: name}}
	if kind == ofEnvironments {
		out, err := c.client.GetEnvironmentTemplateVersion(ctx, &api.GetEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor})
		if err != nil {
			return f, err
		}
		v := out.EnvironmentTemplateVersion
		f.versionRow = rowOf(&major, &minor, v.Status, v.StatusMessage, v.Description, v.Arn)
		f.Schema = api.Value(v.Schema)
	} else {
		out, err := c.client.GetServiceTemplateVersion(ctx, &api.GetServiceTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor})
		if err != nil {
			return f, err
		}
		v := out.ServiceTemplateVersion
		f.versionRow = rowOf(&major, &minor, v.Status, v.StatusMessage, v.Description, v.Arn)
		f.Schema, f.Compatible = api.Value(v.Schema), v.CompatibleEnvironmentTemplates
	}
	if f.Schema != "" {
		if types, err := bundle.ReadSchema(f.Schema); err == nil {
			f.Inputs, f.Pipeline = types.Inputs, types.Pipeline
		}
	}
	return f, nil
}

func (c *Console) templateVersion(w http.ResponseWriter, r *http.Request) error {
	kind := r.PathValue("kind")
	f, err := c.versionOf(r, kind, r.PathValue("template"), r.PathValue("major"), r.PathValue("minor"))
	if err != nil {
		return err
	}
	warnings, err := c.client.ListTemplateVersionWarnings(r.Context(), &api.ListTemplateVersionWarningsInput{
		TemplateType: templateType(kind), TemplateName: &f.Name, MajorVersion: &f.Major, MinorVersion: &f.Minor})
	if err != nil {
		return err
	}
	f.Warnings = warnings.Warnings
	if err := c.browse(r, &f); err != nil {
		return err
	}
	if err := c.compare(r, &f); err != nil {
		return err
	}
	return c.ok(w, r, f.Name+" "+f.Version(), versionView(f))
}

// publishVersion makes a draft the version that people get.
func (c *Console) publishVersion(w http.ResponseWriter, r *http.Request) error {
	kind, name, major, minor := r.PathValue("kind"), r.PathValue("template"), r.PathValue("major"), r.PathValue("minor")
	status := api.TemplateVersionStatusPublished
	var err error
	if kind == ofEnvironments {
		_, err = c.client.UpdateEnvironmentTemplateVersion(r.Context(), &api.UpdateEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor, Status: &status})
	} else {
		_, err = c.client.UpdateServiceTemplateVersion(r.Context(), &api.UpdateServiceTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor, Status: &status})
	}
	if err != nil {
		return err
	}
	return done(w, r, at("templates", kind, name, major, minor))
}
