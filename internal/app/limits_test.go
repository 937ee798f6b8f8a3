package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// Five environments are asked for, of which two may be deployed at once; a
// template of another engine is not kept waiting, and neither is a cancel.
func TestEnginesHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.WorkLimits = "command=2" })
	f.publish(t)
	f.put(t, "/templates/other.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":           environmentSchema,
		"infrastructure/manifest.yaml": "infrastructure:\n  templates:\n    - {file: t.yaml, rendering_engine: jinja, template_language: cloudformation}\n",
		"infrastructure/t.yaml":        "Resources: {}\n",
	}))
	must(f.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("other")}))(t)
	must(f.CreateEnvironmentTemplateVersion(t.Context(), &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("other"), Source: s3("other.tar.gz")}))(t)
	version := &api.GetEnvironmentTemplateVersionInput{TemplateName: p("other"), MajorVersion: p("1"), MinorVersion: p("0")}
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(t.Context(), f.Client, version); err != nil {
		t.Fatal(err)
	}
	must(f.UpdateEnvironmentTemplateVersion(t.Context(), &api.UpdateEnvironmentTemplateVersionInput{
		TemplateName: p("other"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)

	hold := make(chan struct{})
	create := func(name, template string) {
		must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: &name, TemplateName: &template, TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	}
	for n := range 5 {
		name := fmt.Sprint("e", n)
		f.engine.On(f.arn("environment/"+name), enginetest.Script{Hold: hold, Timeout: time.Minute})
		create(name, "net")
	}
	last := func(name string) string {
		d := must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: &name}))(t).Deployments
		return *d[0].Id
	}
	waiting := func() (names []string) {
		for n := range 5 {
			name := fmt.Sprint("e", n)
			if d := f.details(t, p(last(name))); strings.Contains(*d.StatusReason, "until its engine has a place") {
				names = append(names, name)
			}
		}
		return names
	}
	eventually(t, "two are deployed and three wait", func() bool { return f.engine.Holding() == 2 && len(waiting()) == 3 })
	create("quick", "other")
	if e := f.environmentEnds(t, "quick"); *e.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("another engine's deployment is %s", *e.DeploymentStatus)
	}
	must(f.CancelEnvironmentDeployment(t.Context(), &api.CancelEnvironmentDeploymentInput{EnvironmentName: p(waiting()[2])}))(t)
	eventually(t, "the cancelled one has ended", func() bool { return len(waiting()) == 2 })
	if f.engine.Holding() != 2 {
		t.Errorf("%d are at work", f.engine.Holding())
	}
	close(hold)
	for n := range 5 {
		f.environmentEnds(t, fmt.Sprint("e", n))
	}
	if got := kinds(f.details(t, p(last("e0")))); !strings.HasPrefix(got, "ACCEPTED CLAIMED QUEUED CLAIMED RENDERED") {
		t.Errorf("timeline of the first: %s", got)
	}
	if f.scrape(t)["hadron_jobs_limit{kind=deploy-codebuild}"] != 2 {
		t.Error("the metrics do not tell the limit")
	}
}

func TestWorkLimitsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                      "map[]",
		"opentofu=4, command=8": "map[CODEBUILD:8 TERRAFORM:4]",
		"pull-request=1":        "map[PULL_REQUEST:1]",
		"tofu=4":                `"tofu" is none of cloudformation, command, opentofu, pull-request`,
		"opentofu":              "opentofu=: give a positive number, as in opentofu=4,command=8",
		"opentofu=0":            "opentofu=0: give a positive number",
		"opentofu=1,opentofu=2": "opentofu is named twice",
	} {
		limits, err := Config{WorkLimits: text}.workLimits()
		got := fmt.Sprint(limits)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if len(deployKinds()) != 1+len([]engine.Method{engine.CloudFormation, engine.OpenTofu, engine.Command, engine.PullRequest}) {
		t.Errorf("kinds of deployments: %v", deployKinds())
	}
}
