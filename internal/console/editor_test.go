package console

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/bundle"
)

const inputs = `schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  pipeline_input_type: Pipe
  types:
    In:
      type: object
      required: [port]
      properties:
        port: {type: integer, minimum: 1, maximum: 65535, title: Port}
        size: {type: string, enum: [s, m], default: s}
        debug: {type: boolean, default: true}
        hosts: {type: array, items: {type: string}}
        limits: {type: object, properties: {cpu: {type: number, default: 0.5}, memory: {type: string}}}
        extra: {type: array, items: {type: object, properties: {key: {type: string}}}}
    Pipe:
      type: object
      properties: {dockerfile: {type: string, default: Dockerfile}}
`

func serviceEditor(t *testing.T) *editor {
	t.Helper()
	types, err := bundle.ReadSchema(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return &editor{Edits: editsService, Inputs: types.Inputs, Pipeline: types.Pipeline, Environments: []string{"dev", "prod"}}
}

// edit posts a form that was made from spec, with changes.
func edit(t *testing.T, e *editor, spec string, changes url.Values) {
	t.Helper()
	e.YAML = spec
	e.build()
	post := url.Values{"spec": {strings.ReplaceAll(spec, "\n", "\r\n")}, "spec-was": {spec}}
	n := 0
	for _, s := range e.Sections {
		if s.Instance != nil {
			post.Set("i/"+s.Key+"/name", s.Instance.Name)
			post.Set("i/"+s.Key+"/environment", s.Instance.Environment)
			n++
		}
		fill(post, s.Controls)
	}
	post.Set("instances", string(rune('0'+n)))
	for name, values := range changes {
		if post[name] = values; values == nil {
			post.Del(name)
		}
	}
	e.Sections, e.Problems = nil, nil
	e.read(post)
	e.build()
}

func fill(post url.Values, controls []control) {
	for _, c := range controls {
		if fill(post, c.Parts); len(c.Parts) == 0 && (c.Kind != "boolean" || c.Value == "true") {
			post.Set(c.Field, c.Value)
		}
	}
}

const filled = `proton: ServiceSpec
pipeline:
  dockerfile: Other
instances:
  - name: one
    environment: dev
    spec:
      port: 80
      hosts:
        - a.example
        - b.example
      limits:
        memory: 1Gi
      extra:
        - key: "80"
      unknown: kept
`

func TestFormThatIsNotChangedLeavesTheSpecAsItIs(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, nil)
	if diff := cmp.Diff(filled, e.YAML); diff != "" {
		t.Error(diff)
	}
	if !e.fine() {
		t.Errorf("problems: %q %+v", e.Problems, e.Sections)
	}
}

func TestChangesOfTheFormAreWrittenIntoTheSpec(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, url.Values{
		"f/0/port": {"8080"}, "f/0/debug": nil, "f/0/hosts": {"c.example\r\nd.example"}, "f/0/limits/cpu": {"1.5"}, "f/0/size": {"m"},
		"f/pipeline/dockerfile": {""}, "i/0/environment": {"prod"}, "f/0/extra": {"[{key: x}]"},
	})
	want := `proton: ServiceSpec
pipeline: {}
instances:
  - name: one
    environment: prod
    spec:
      port: 8080
      size: m
      debug: false
      hosts:
        - c.example
        - d.example
      limits:
        cpu: 1.5
        memory: 1Gi
      extra:
        - key: x
      unknown: kept
`
	if diff := cmp.Diff(want, e.YAML); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongStandsAtItsField(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, url.Values{"f/0/port": {"eighty"}, "f/0/limits/cpu": {"fast"}, "i/0/name": {""}})
	s := e.Sections[0]
	got := map[string]string{"name": s.Instance.NameProblem}
	for _, c := range s.Controls {
		got[c.Name] = c.Problem
		for _, part := range c.Parts {
			got[part.Name] = part.Problem
		}
	}
	want := map[string]string{"name": "is required", "port": `"eighty" is not a whole number`, "cpu": `"fast" is not a number`,
		"size": "", "debug": "", "hosts": "", "limits": "", "memory": "", "extra": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if e.fine() {
		t.Error("a form with problems is said to be fine")
	}
}

func TestRequiredInputThatIsMissingStandsAtItsField(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, url.Values{"f/0/port": {""}})
	if got := e.Sections[0].Controls[0].Problem; got != "is required but not given" {
		t.Errorf("got %q and %q", got, e.Problems)
	}
}

func TestEditedYAMLFillsTheForm(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	changed := strings.Replace(filled, "port: 80", "port: 443 # https", 1)
	edit(t, e, filled, url.Values{"spec": {changed}})
	if e.YAML != changed {
		t.Errorf("the text was changed: %s", e.YAML)
	}
	if got := e.Sections[0].Controls[0].Value; got != "443" {
		t.Errorf("the form says %s", got)
	}
	e = serviceEditor(t)
	edit(t, e, filled, url.Values{"spec": {"proton: [\n"}})
	if len(e.Problems) == 0 || e.fine() || e.YAML != "proton: [\n" {
		t.Errorf("broken YAML: %q, problems %q", e.YAML, e.Problems)
	}
}

func TestInstancesAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, url.Values{"add-instance": {"yes"}})
	if len(e.Sections) != 3 || e.Sections[1].Instance.Environment != "dev" {
		t.Fatalf("sections: %+v", e.Sections)
	}
	two := e.YAML
	e = serviceEditor(t)
	edit(t, e, two, url.Values{"i/1/name": {"two"}, "f/1/port": {"81"}, "remove-instance": {"0"}})
	if strings.Contains(e.YAML, "name: one") || !strings.Contains(e.YAML, "name: two") || !strings.Contains(e.YAML, "port: 81") {
		t.Errorf("got %s", e.YAML)
	}
}

func TestEditorOfOneInstanceKeepsTheOthers(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	e.Edits, e.Only = editsInstance, "one"
	spec := filled + "  - name: two\n    environment: prod\n    spec:\n      port: 90\n"
	edit(t, e, spec, url.Values{"f/0/port": {"8080"}})
	if diff := cmp.Diff(strings.Replace(spec, "port: 80", "port: 8080", 1), e.YAML); diff != "" {
		t.Error(diff)
	}
	if len(e.Sections) != 1 {
		t.Errorf("%d sections", len(e.Sections))
	}
}

func TestTextThatLooksLikeAnotherKindStaysText(t *testing.T) {
	t.Parallel()
	e := serviceEditor(t)
	edit(t, e, filled, url.Values{"f/0/hosts": {"80\r\ntrue\r\nnull\r\n- x"}})
	if !e.fine() || e.Sections[0].Controls[3].Value != "80\ntrue\nnull\n- x" {
		t.Errorf("got %q in\n%s", e.Sections[0].Controls[3].Value, e.YAML)
	}
}

func TestChangeOfASpec(t *testing.T) {
	t.Parallel()
	got := specChange("a\nb\nc\n", "a\nx\nc\nd\n")
	want := []specLine{{" ", "a"}, {"-", "b"}, {"+", "x"}, {" ", "c"}, {"+", "d"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDestinationStaysInTheConsole(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/console/services?token=x": "/console/services?token=x", "": "/console/", "//evil.example/console/": "/console/",
		"https://evil.example/console/": "/console/", "/other": "/console/", `/console/\evil`: "/console/", "/console/../-/": "/console/",
	} {
		if got := destination(to); got != want {
			t.Errorf("destination(%q) = %q, want %q", to, got, want)
		}
	}
}

func TestCommandIsQuotedForAShell(t *testing.T) {
	t.Parallel()
	got := command("create-service", "a: 1\n", "name", "x", "description", "it's", "branch-name", "")
	want := "aws proton create-service \\\n  --name x \\\n  --description 'it'\\''s' \\\n  --spec file:///dev/stdin <<'SPEC'\na: 1\nSPEC"
	if got != want {
		t.Errorf("got %s", got)
	}
}
