package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
)

// What can run an older version than its template recommends.
const (
	kindInstance    = "instance"
	kindEnvironment = "environment"
	kindPipeline    = "pipeline"
)

// behindFacts is what the page about who runs which version shows.
type behindFacts struct {
	Kind, Show string
	Rows       []behindRow
	Next       *string
}

// behindRow is something that runs a version of a template.
type behindRow struct {
	Item                          rolloutItem
	Template, Runs, Newest, State string
	Environment                   string // of an instance
}

// choice is one of what the page can list.
type choice struct{ Value, Name string }

var (
	kindsBehind = []choice{{kindInstance, "Service instances"}, {kindEnvironment, "Environments"}, {kindPipeline, "Pipelines"}}
	shown       = []choice{{"minor", "A minor version behind"}, {"major", "A major version behind"}, {"all", "All"}}
)

// chosen is the choice with a value, else the first.
func chosen(list []choice, value string) string {
	for _, c := range list {
		if c.Value == value {
			return value
		}
	}
	return list[0].Value
}

func (c *Console) behind(w http.ResponseWriter, r *http.Request) error {
	f := behindFacts{Kind: chosen(kindsBehind, r.URL.Query().Get("kind")), Show: chosen(shown, r.URL.Query().Get("show")), Next: token(r)}
	list := map[string]func(*http.Request, *behindFacts, *newest) error{
		kindInstance: c.instancesBehind, kindEnvironment: c.environmentsBehind, kindPipeline: c.pipelinesBehind}[f.Kind]
	n := &newest{c: c, recommended: map[string]string{}, minors: map[string]string{}}
	// Pages of a list that have nothing to show are passed over, up to a bound.
	for range maxPagesPassed {
		if err := list(r, &f, n); err != nil {
			return err
		}
		if f.Next == nil || len(f.Rows) > 0 {
			break
		}
	}
	return c.ok(w, r, "Behind", behindView(f))
}

// toBehind answers who comes back to the address of a rollout.
func toBehind(w http.ResponseWriter, r *http.Request) error { return done(w, r, at("behind")) }

// maxPagesPassed bounds how many pages of 100 are looked through for one view.
const maxPagesPassed = 10

func (c *Console) instancesBehind(r *http.Request, f *behindFacts, n *newest) error {
	in := &api.ListServiceInstancesInput{MaxResults: api.Ptr[int64](100), NextToken: f.Next}
	if status := map[string]string{"minor": "BEHIND_MINOR", "major": "BEHIND_MAJOR"}[f.Show]; status != "" {
		in.Filters = []api.ListServiceInstancesFilter{{Key: api.Ptr(api.ListServiceInstancesFilterByDeployedTemplateVersionStatus), Value: &status}}
	}
	out, err := c.client.ListServiceInstances(r.Context(), in)
	if err != nil {
		return err
	}
	for _, i := range out.ServiceInstances {
		row := behindRow{Item: rolloutItem{Kind: kindInstance, Service: api.Value(i.ServiceName), Name: api.Value(i.Name)}, Environment: api.Value(i.EnvironmentName),
			Template: api.Value(i.TemplateName), Runs: version(i.TemplateMajorVersion, i.TemplateMinorVersion), State: string(api.Value(i.DeploymentStatus))}
		if row.Newest, err = n.of(r, ofServices, row.Template); err != nil {
			return err
		}
		f.Rows = append(f.Rows, row)
	}
	f.Next = out.NextToken
	return nil
}

func (c *Console) environmentsBehind(r *http.Request, f *behindFacts, n *newest) error {
	out, err := c.client.ListEnvironments(r.Context(), &api.ListEnvironmentsInput{MaxResults: api.Ptr[int64](100), NextToken: f.Next})
	if err != nil {
		return err
	}
	for _, e := range out.Environments {
		if api.Value(e.Provisioning) == api.ProvisioningCustomerManaged && f.Show != "all" {
			continue // nothing of it is deployed here
		}
		row := behindRow{Item: rolloutItem{Kind: kindEnvironment, Name: api.Value(e.Name)}, Template: api.Value(e.TemplateName), State: string(api.Value(e.DeploymentStatus))}
		if err := f.add(r, n, ofEnvironments, row, e.TemplateMajorVersion, e.TemplateMinorVersion); err != nil {
			return err
		}
	}
	f.Next = out.NextToken
	return nil
}

// pipelinesBehind reads the services of a page one by one: lists of services do
// not tell of pipelines.
func (c *Console) pipelinesBehind(r *http.Request, f *behindFacts, n *newest) error {
	out, err := c.client.ListServices(r.Context(), &api.ListServicesInput{MaxResults: api.Ptr[int64](100), NextToken: f.Next})
	if err != nil {
		return err
	}
	for _, s := range out.Services {
		one, err := c.client.GetService(r.Context(), &api.GetServiceInput{Name: s.Name})
		if denied(err) {
			continue
		}
		if err != nil {
			return err
		}
		p := one.Service.Pipeline
		if p == nil {
			continue
		}
		row := behindRow{Item: rolloutItem{Kind: kindPipeline, Service: api.Value(s.Name)}, Template: api.Value(p.TemplateName), State: string(api.Value(p.DeploymentStatus))}
		if err := f.add(r, n, ofServices, row, p.TemplateMajorVersion, p.TemplateMinorVersion); err != nil {
			return err
		}
	}
	f.Next = out.NextToken
	return nil
}

// add adds a row if it is to be shown.
func (f *behindFacts) add(r *http.Request, n *newest, kind string, row behindRow, major, minor *string) (err error) {
	row.Runs = version(major, minor)
	if row.Newest, err = n.of(r, kind, row.Template); err != nil {
		return err
	}
	by, err := n.behind(r, kind, row.Template, api.Value(major), api.Value(minor))
	if err == nil && (f.Show == "all" || f.Show == by) {
		f.Rows = append(f.Rows, row)
	}
	return err
}

// newest looks up what templates recommend, each once.
type newest struct {
	c           *Console
	recommended map[string]string // version by kind and template
	minors      map[string]string // minor by kind, template and major
}

// of is the version that a template recommends.
func (n *newest) of(r *http.Request, kind, template string) (string, error) {
	key := kind + "/" + template
	if v, ok := n.recommended[key]; ok || template == "" {
		return v, nil
	}
	f, err := n.c.templateOf(r, kind, template)
	if err != nil {
		return "", err
	}
	n.recommended[key] = f.Recommended
	rows, err := n.c.listVersions(r, kind, template, nil)
	for _, v := range rows {
		n.minors[key+"/"+v.Major] = v.Newest
	}
	return f.Recommended, err
}

// behind says by what a version is behind: "minor", "major", or nothing.
func (n *newest) behind(r *http.Request, kind, template, major, minor string) (string, error) {
	recommended, err := n.of(r, kind, template)
	first, _, _ := strings.Cut(recommended, ".")
	newestMajor, _ := strconv.Atoi(first)
	nowMajor, _ := strconv.Atoi(major)
	switch {
	case err != nil || major == "":
		return "", err
	case newestMajor > nowMajor:
		return "major", nil
	}
	now, _ := strconv.Atoi(minor)
	if newestMinor, err := strconv.Atoi(cmp.Or(n.minors[kind+"/"+template+"/"+major], "0")); err == nil && newestMinor > now {
		return "minor", nil
	}
	return "", nil
}
