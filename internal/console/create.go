package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// resourceForm is the form that makes or changes a resource.
type resourceForm struct {
	Title, Noun string
	New         bool
	Back        string // where one came from
	Fields      map[string]string
	Template    string
	Kind        string // of the template
	Choices     []templateRow
	Versions    []versionRow // that can be chosen
	Version     string       // chosen, "major.minor"
	Now         string       // the version it has now
	HasPipeline bool
	Editor      *editor
	Refusal     *refusal // of the last try
	Forecast    *forecast
	Region      string
	Kept        bool       // over a sign-in
	Begun       string     // what the form was made from
	Meanwhile   []specLine // what somebody else has changed of that
	Command     string
	Submit      string
}

// field names that forms keep as they were typed.
var plainFields = []string{"name", "description", "branch-name", "repository-id", "repository-connection-arn", "proton-service-role-arn", "codebuild-role-arn",
	"environment-account-connection-id"}

func (f *resourceForm) keep(r *http.Request) {
	f.Fields, f.Kept, f.Region = map[string]string{}, r.PostForm.Has("kept"), regionOf(r)
	for _, name := range plainFields {
		f.Fields[name] = strings.TrimSpace(r.PostFormValue(name))
	}
}

// submitted reports whether a form is to do its work, not only to be checked.
func submitted(r *http.Request) bool { return r.PostFormValue("do") == "submit" }

// changedSince finds out what has changed of a resource since a form for it was
// made: the form is not submitted before one has been told.
func changedSince(r *http.Request, now string) (begun string, meanwhile []specLine) {
	was := newlines(r.PostFormValue("begun"))
	if !r.PostForm.Has("begun") || was == now {
		return now, nil
	}
	meanwhile = difference(lines(was), lines(now))
	if submitted(r) {
		return now, meanwhile
	}
	return was, meanwhile
}

// submits reports whether a form does its work now.
func (f *resourceForm) submits(r *http.Request) bool { return submitted(r) && len(f.Meanwhile) == 0 }

// refusal is what the API said to a form's call.
type refusal = awsjson.Error

// refused is a refusal of the API, to be shown in the form; another error is
// returned as it is.
func refused(err error) (*refusal, error) {
	if e, ok := errors.AsType[*awsjson.Error](err); ok && e.Status < http.StatusInternalServerError {
		return e, nil
	}
	return nil, err
}

// choose finds the template and version that a form is about. Without a
// template in the request the form offers all.
func (c *Console) choose(r *http.Request, f *resourceForm) (versionFacts, error) {
	rows, err := c.templateRows(r, f.Kind)
	if err != nil {
		return versionFacts{}, err
	}
	for _, row := range rows {
		if row.Recommended != "" {
			f.Choices = append(f.Choices, row)
		}
	}
	if f.Template == "" {
		return versionFacts{}, nil
	}
	n := slices.IndexFunc(rows, func(row templateRow) bool { return row.Name == f.Template })
	if n < 0 {
		return versionFacts{}, &awsjson.Error{Code: "ResourceNotFoundException", Message: "There is no " + f.Kind + " template " + f.Template + "."}
	}
	if f.Version == "" {
		f.Version = rows[n].Recommended
	}
	return c.chooseVersion(r, f, rows[n])
}

func (c *Console) chooseVersion(r *http.Request, f *resourceForm, row templateRow) (versionFacts, error) {
	versions, err := c.templateVersions(r, f.Kind, f.Template)
	if err != nil {
		return versionFacts{}, err
	}
	for _, v := range versions {
		if v.Status == string(api.TemplateVersionStatusPublished) || v.Major+"."+v.Minor == f.Now {
			f.Versions = append(f.Versions, v)
		}
	}
	major, minor, ok := strings.Cut(f.Version, ".")
	if !ok {
		return versionFacts{}, invalid("No version of the template " + f.Template + " is published: publish one, then it can be deployed.")
	}
	v, err := c.versionOf(r, f.Kind, f.Template, major, minor)
	v.CustomerManaged = row.CustomerManaged
	return v, err
}

// editorFor makes the editor of a version's inputs.
func (c *Console) editorFor(r *http.Request, edits string, v versionFacts) (*editor, error) {
	e := &editor{Edits: edits, Inputs: v.Inputs, Pipeline: v.Pipeline}
	if edits != editsService || len(v.Compatible) == 0 {
		return e, nil
	}
	in := &api.ListEnvironmentsInput{}
	for _, t := range v.Compatible {
		in.EnvironmentTemplates = append(in.EnvironmentTemplates, api.EnvironmentTemplateFilter{TemplateName: t.TemplateName, MajorVersion: t.MajorVersion})
	}
	for {
		out, err := c.client.ListEnvironments(r.Context(), in)
		if err != nil {
			return nil, err
		}
		e.Environments = append(e.Environments, compatible(out.Environments)...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return e, nil
		}
	}
}

// serviceForm shows the form of a new service, checks it, or does its work.
func (c *Console) serviceForm(w http.ResponseWriter, r *http.Request) error {
	f := &resourceForm{Title: "Create service", Noun: "service", New: true, Back: at("services"), Kind: ofServices, Submit: "Create service",
		Template: r.FormValue("template"), Version: r.FormValue("version")}
	f.keep(r)
	v, err := c.choose(r, f)
	if err != nil {
		return err
	}
	if f.Template == "" {
		return c.ok(w, r, f.Title, resourceFormView(f))
	}
	f.HasPipeline = v.Pipeline != nil
	if f.Editor, err = c.editorFor(r, editsService, v); err != nil {
		return err
	}
	f.Editor.begin(r)
	in := f.createServiceInput(v)
	f.Command = f.createServiceCommand(v)
	if submitted(r) {
		out, err := c.client.CreateService(r.Context(), in)
		if err == nil {
			return done(w, r, at("services", api.Value(out.Service.Name)))
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foreseeCreation(r, &api.PreviewCreationInput{Service: in}); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}

// begin reads what was posted, or starts anew, and makes the form.
func (e *editor) begin(r *http.Request) {
	if r.Method == http.MethodPost && r.PostForm.Has("spec") {
		e.read(r.PostForm)
	} else if e.YAML == "" {
		e.YAML, e.Untouched = e.starter(), true
	}
	e.build()
}

func (f *resourceForm) createServiceInput(v versionFacts) *api.CreateServiceInput {
	in := &api.CreateServiceInput{Name: api.Ptr(f.Fields["name"]), Description: optional(f.Fields["description"]), TemplateName: &f.Template,
		TemplateMajorVersion: &v.Major, TemplateMinorVersion: &v.Minor, Spec: &f.Editor.YAML}
	if f.HasPipeline {
		in.BranchName, in.RepositoryId = optional(f.Fields["branch-name"]), optional(f.Fields["repository-id"])
		in.RepositoryConnectionArn = optional(f.Fields["repository-connection-arn"])
	}
	return in
}

func (f *resourceForm) createServiceCommand(v versionFacts) string {
	options := []string{"name", f.Fields["name"], "description", f.Fields["description"], "template-name", f.Template,
		"template-major-version", v.Major, "template-minor-version", v.Minor}
	if f.HasPipeline {
		options = append(options, "repository-connection-arn", f.Fields["repository-connection-arn"], "repository-id", f.Fields["repository-id"],
			"branch-name", f.Fields["branch-name"])
	}
	return command("create-service", f.Editor.YAML, options...)
}

// environmentForm shows the form of a new environment, checks it, or does its
// work.
func (c *Console) environmentForm(w http.ResponseWriter, r *http.Request) error {
	f := &resourceForm{Title: "Create environment", Noun: "environment", New: true, Back: at("environments"), Kind: ofEnvironments, Submit: "Create environment",
		Template: r.FormValue("template"), Version: r.FormValue("version")}
	f.keep(r)
	v, err := c.choose(r, f)
	if err != nil {
		return err
	}
	if f.Template == "" {
		return c.ok(w, r, f.Title, resourceFormView(f))
	}
	if f.Editor, err = c.editorFor(r, editsEnvironment, v); err != nil {
		return err
	}
	f.Editor.begin(r)
	f.Command = command("create-environment", f.Editor.YAML, "name", f.Fields["name"], "description", f.Fields["description"], "template-name", f.Template,
		"template-major-version", v.Major, "template-minor-version", v.Minor, "proton-service-role-arn", f.Fields["proton-service-role-arn"],
		"codebuild-role-arn", f.Fields["codebuild-role-arn"], "environment-account-connection-id", f.Fields["environment-account-connection-id"])
	in := &api.CreateEnvironmentInput{
		Name: api.Ptr(f.Fields["name"]), Description: optional(f.Fields["description"]), TemplateName: &f.Template,
		TemplateMajorVersion: &v.Major, TemplateMinorVersion: &v.Minor, Spec: &f.Editor.YAML,
		ProtonServiceRoleArn: optional(f.Fields["proton-service-role-arn"]), CodebuildRoleArn: optional(f.Fields["codebuild-role-arn"]),
		EnvironmentAccountConnectionId: optional(f.Fields["environment-account-connection-id"]),
	}
	if submitted(r) {
		out, err := c.client.CreateEnvironment(r.Context(), in)
		if err == nil {
			return done(w, r, at("environments", api.Value(out.Environment.Name)))
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foreseeCreation(r, &api.PreviewCreationInput{Environment: in}); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}
