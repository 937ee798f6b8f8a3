package bundle

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/schema"
)

const (
	jinjaManifest = "infrastructure: {templates: [{file: c.yaml, rendering_engine: jinja, template_language: cloudformation}]}"
	hclManifest   = "infrastructure: {templates: [{file: component.tf, rendering_engine: hcl, template_language: terraform}]}"
)

func componentData(attached bool) Data {
	d := Data{
		Environment: &EnvironmentData{Name: "dev", AccountID: "111122223333", Outputs: []Output{{"VpcId", "vpc-1"}}},
		Component:   &ComponentData{Name: "bucket"},
		ResourceARN: "arn:aws:proton:us-east-1:111122223333:component/bucket",
		Tags:        []Tag{{"proton:component", "arn:aws:proton:us-east-1:111122223333:component/bucket"}},
	}
	if attached {
		inputs := schema.NewObject()
		inputs.Set("port", int64(80))
		d.Service, d.Instance = &ServiceData{Name: "shop", BranchName: "main"}, &InstanceData{Name: "shop-dev", Inputs: inputs}
	}
	return d
}

func TestComponentsRenderWithTheirNamespace(t *testing.T) {
	t.Parallel()
	const template = "{{ component.name }} {{ environment.name }} {{ environment.outputs.VpcId }} {{ environment.account_id }} " +
		"{{ service }} {{ service_instance }}"
	for _, c := range []struct {
		attached bool
		want     string
	}{
		{true, "bucket dev vpc-1 111122223333 {'name': 'shop'} {'name': 'shop-dev', 'inputs': {'port': 80}, " +
			"'environment': {'account_id': '111122223333', 'name': 'dev', 'outputs': {'VpcId': 'vpc-1'}}}"},
		{false, "bucket dev vpc-1 111122223333 None None"},
	} {
		component, err := ParseComponent(jinjaManifest, template)
		if err != nil {
			t.Fatal(err)
		}
		r, err := component.Render(t.Context(), componentData(c.attached))
		if err != nil {
			t.Fatal(err)
		}
		want := []File{{"c.yaml", 0o644, []byte(c.want)}}
		if diff := cmp.Diff(want, r.Files); diff != "" || component.Method() != "CLOUDFORMATION" {
			t.Errorf("attached %v, method %s (-want +got):\n%s", c.attached, component.Method(), diff)
		}
	}
}

func TestADetachedComponentThatNeedsItsInstanceDoesNotRender(t *testing.T) {
	t.Parallel()
	component, err := ParseComponent(jinjaManifest, "a\n{{ service_instance.inputs.port }}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = component.Render(t.Context(), componentData(false))
	e, ok := errors.AsType[*RenderError](err)
	if !ok || e.Line != 2 || e.Path != "c.yaml" {
		t.Errorf("got %v", err)
	}
}

func TestTerraformComponentsGetDeclarationsAndValues(t *testing.T) {
	t.Parallel()
	component, err := ParseComponent(hclManifest, "locals {}\n")
	if err != nil {
		t.Fatal(err)
	}
	r, err := component.Render(t.Context(), componentData(true))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.Files {
		got[f.Path] = string(f.Content)
	}
	const wantValues = `{
  "component" : {
    "name" : "bucket"
  },
  "environment" : {
    "account_id" : "111122223333",
    "name" : "dev",
    "outputs" : {
      "VpcId" : "vpc-1"
    }
  },
  "service" : {
    "name" : "shop"
  },
  "service_instance" : {
    "name" : "shop-dev",
    "inputs" : {
      "port" : 80
    }
  },
  "proton_tags" : {
    "proton:component" : "arn:aws:proton:us-east-1:111122223333:component/bucket"
  },
  "//" : "arn:aws:proton:us-east-1:111122223333:component/bucket"
}`
	if diff := cmp.Diff(wantValues, got["proton.auto.tfvars.json"]); diff != "" {
		t.Error(diff)
	}
	declarations := got["proton.component.variables.tf"]
	if !strings.Contains(declarations, "\nvariable \"component\" {\n") || !strings.Contains(declarations, "    inputs = map(string)\n") {
		t.Errorf("declarations:\n%s", declarations)
	}
	if !strings.HasPrefix(got["component.tf"], "/*\nManaged by Proton:") || !strings.HasSuffix(got["component.tf"], "*/\n\nlocals {}\n") {
		t.Errorf("component.tf:\n%s", got["component.tf"])
	}
	d := componentData(true)
	d.Instance.Inputs.Set("list", []any{"a"})
	if r, err = component.Render(t.Context(), d); err != nil || !strings.Contains(string(r.Files[2].Content), "    inputs = any\n") {
		t.Errorf("with a list among the inputs: %v\n%s", err, r.Files[2].Content)
	}
	if r, err = component.Render(t.Context(), componentData(false)); err != nil || !strings.Contains(string(r.Files[1].Content), "\"service\" : null,\n  \"service_instance\" : null,") {
		t.Errorf("detached: %v\n%s", err, r.Files[1].Content)
	}
}

func TestComponentsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ manifest, template, want string }{
		"commands": {"infrastructure: {templates: [{rendering_engine: codebuild, settings: {image: i, provision: [a], deprovision: [b]}}]}", "",
			"manifest: a component can't have rendering_engine codebuild; use jinja with cloudformation, or hcl with terraform"},
		"all files":     {strings.Replace(hclManifest, "component.tf", `"*"`, 1), "", `manifest:1:37: file must name one file, not "*": a component has one template`},
		"not a .tf":     {strings.Replace(hclManifest, "component.tf", "a.txt", 1), "", `manifest:1:37: file "a.txt" must end in .tf, or Terraform does not read it`},
		"no manifest":   {"", "", "manifest:1:1: infrastructure is missing; a manifest starts with infrastructure: {templates: [...]}"},
		"broken jinja":  {jinjaManifest, "a\n{% if %}", "c.yaml:2:7: Expected an expression, got 'end of statement block'"},
		"broken hcl":    {hclManifest, "resource {", "component.tf:1:10: Unclosed configuration block"},
		"not yaml":      {"a: [", "", "manifest:2:1: invalid YAML"},
		"wrong pairing": {strings.Replace(jinjaManifest, "cloudformation", "terraform", 1), "", `manifest:1:89: template_language "terraform" does not go with rendering_engine jinja; use cloudformation`},
	} {
		_, err := ParseComponent(c.manifest, c.template)
		if _, ok := errors.AsType[*ProblemError](err); !ok || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
