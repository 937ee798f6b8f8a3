package bundle

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const notFormatted = "The provided Service Spec file was not correctly formatted. Please check that it is valid yaml according to the Spec definition."

func TestServiceSpecsThatAreRefused(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, text, want string }{
		{"not YAML", "proton: [", notFormatted + " (line "},
		{"empty", "", notFormatted + " (line 1: the document must be a mapping that starts with proton: ServiceSpec, not a null)"},
		{"a list", "[a]", notFormatted},
		{"no header", "instances: []", notFormatted + " (line 1: proton: ServiceSpec is missing)"},
		{"other header", "proton: EnvironmentSpec", notFormatted + ` (line 1: proton must be ServiceSpec, not "EnvironmentSpec")`},
		{"instances as a mapping", "proton: ServiceSpec\ninstances: {}", notFormatted + " (line 2: instances must be a list, not a mapping)"},
		{"no name", "proton: ServiceSpec\ninstances: [{environment: dev}]", notFormatted + " (line 2: instances[0] has no name)"},
		{"no environment", "proton: ServiceSpec\ninstances: [{name: a}]", notFormatted + " (line 2: instances[0] has no environment)"},
		{"an instance that is text", "proton: ServiceSpec\ninstances: [a]", notFormatted},
		{"inputs as a list", "proton: ServiceSpec\ninstances: [{name: a, environment: e, spec: [x]}]", notFormatted},
		{"pipeline as text", "proton: ServiceSpec\npipeline: none", notFormatted},
		{"the same name twice", "proton: ServiceSpec\ninstances: [{name: a, environment: e}, {name: a, environment: f}]",
			"Duplicate service instance name in spec: a"},
		{"a name with a blank", "proton: ServiceSpec\ninstances: [{name: a b, environment: e}]",
			`Spec validation failed: instances[0].name: "a b" is not a name: use 1 to 100 letters, digits, - and _, starting with a letter or digit`},
		{"the same key twice", "proton: ServiceSpec\nproton: ServiceSpec", notFormatted + ` (line 2: duplicate key "proton")`},
		{"a second document", "proton: ServiceSpec\n---\na: b", notFormatted + " (the text holds more than one document"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseServiceSpec(c.text)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestServiceSpecForms(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		instances  []string
		pipeline   bool
	}{
		{"block style", "proton: \"ServiceSpec\"\npipeline:\n  a: 1\ninstances:\n- name: \"x\"\n  environment: dev\n", []string{"x@dev"}, true},
		{"flow style on one line", "{proton: ServiceSpec, pipeline: {}, instances: [{name: 1, environment: dev-1, spec: {a: b}}]}", []string{"1@dev-1"}, false},
		{"empty list", "proton: ServiceSpec\ninstances: []", nil, false},
		{"no list", "proton: ServiceSpec\npipeline:", nil, false},
		{"anchors", "proton: ServiceSpec\ninstances:\n- &i {name: x, environment: dev, spec: {a: 1}}\n- <<: *i\n  name: y\n", []string{"x@dev", "y@dev"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := ParseServiceSpec(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range s.Instances {
				got = append(got, i.Name+"@"+i.Environment)
			}
			if diff := cmp.Diff(c.instances, got); diff != "" || s.HasPipelineSection != c.pipeline {
				t.Errorf("pipeline %v, instances (-want +got):\n%s", s.HasPipelineSection, diff)
			}
		})
	}
}

func TestEnvironmentSpec(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"proton: EnvironmentSpec", "{proton: EnvironmentSpec, spec: {a: b}}", "proton: EnvironmentSpec\nspec:\n", "proton: EnvironmentSpec\nspec: {}\n"} {
		if _, err := ParseEnvironmentSpec(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := ParseEnvironmentSpec("spec: {}")
	want := "The provided Environment Spec file was not correctly formatted. Please check that it is valid yaml according to the Spec definition. (line 1: proton: EnvironmentSpec is missing)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestCurrentValuesAreFoundAtAnyDepth(t *testing.T) {
	t.Parallel()
	s, err := ParseServiceSpec(`
proton: ServiceSpec
pipeline: {a: "${Proton::CURRENT_VAL}", b: "x ${Proton::CURRENT_VAL}"}
instances:
- name: i
  environment: e
  spec: {o: {p: ['${Proton::CURRENT_VAL}']}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pipeline.a", "instances[i].spec.o.p[0]"}, s.CurrentValues()); diff != "" {
		t.Error(diff)
	}
}

func TestResolveServiceSpecChangesNothingElse(t *testing.T) {
	t.Parallel()
	current := `{proton: ServiceSpec, pipeline: {text: "it's: \"x\"", n: 1.10}, instances: [{name: i, environment: e, spec: {l: [1, yes], o: {k: v}, t: "true"}}]}`
	spec := `proton: ServiceSpec   # kept
pipeline:
  text: "${Proton::CURRENT_VAL}"  # kept too
  n: ${Proton::CURRENT_VAL}
  gone: '${Proton::CURRENT_VAL}'
  inside: "a ${Proton::CURRENT_VAL}"
instances:
  - {name: "i", environment: é, spec: {"ä": ö, l: "${Proton::CURRENT_VAL}", o: '${Proton::CURRENT_VAL}', t: &a "${Proton::CURRENT_VAL}"}}
`
	spec = strings.Replace(spec, "environment: é", "environment: e", 1)
	want := `proton: ServiceSpec   # kept
pipeline:
  text: "it's: \"x\""  # kept too
  n: 1.10
  gone: null
  inside: "a ${Proton::CURRENT_VAL}"
instances:
  - {name: "i", environment: e, spec: {"ä": ö, l: [1, "yes"], o: {"k": "v"}, t: &a "true"}}
`
	got, err := ResolveServiceSpec(spec, current)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if same, err := ResolveServiceSpec(want, "never read"); err != nil || same != want {
		t.Errorf("a spec without tokens changed: %v", err)
	}
}

func TestResolveServiceSpecRefuses(t *testing.T) {
	t.Parallel()
	current := "{proton: ServiceSpec, instances: [{name: i, environment: e, spec: {a: 1, b: 2}}]}"
	cases := []struct{ name, text, want string }{
		{"a new instance", "{proton: ServiceSpec, instances: [{name: j, environment: e, spec: {a: '${Proton::CURRENT_VAL}'}}]}",
			"Spec validation failed: instances[j].spec.a: ${Proton::CURRENT_VAL} can't be used in a new instance; give the value"},
		{"one alias for two values", "{proton: ServiceSpec, instances: [{name: i, environment: e, spec: {a: &x '${Proton::CURRENT_VAL}', b: *x}}]}",
			"Spec validation failed: instances[i].spec.b: ${Proton::CURRENT_VAL} is written through an alias shared with instances[i].spec.a, which has another value"},
		{"a block scalar", "proton: ServiceSpec\ninstances:\n- name: i\n  environment: e\n  spec:\n    a: |-\n      ${Proton::CURRENT_VAL}\n",
			"Spec validation failed: instances[i].spec.a: write ${Proton::CURRENT_VAL} on the line of its key, in quotes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := ResolveServiceSpec(c.text, current); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestResolveEnvironmentSpec(t *testing.T) {
	t.Parallel()
	got, err := ResolveEnvironmentSpec("proton: EnvironmentSpec\nspec:\n  a: \"${Proton::CURRENT_VAL}\"\n", "{proton: EnvironmentSpec, spec: {a: 010}}")
	if want := "proton: EnvironmentSpec\nspec:\n  a: 010\n"; got != want || err != nil {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestJoinSpecErrors(t *testing.T) {
	t.Parallel()
	if err := JoinSpecErrors(nil, nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	one := func(path, message string) SpecProblem {
		return SpecProblem{Problem: Problem{Path: path, Message: message}}
	}
	err := JoinSpecErrors(&SpecError{[]SpecProblem{one("", "a")}}, nil, &SpecError{[]SpecProblem{one("p", "b"), one("", "c")}})
	if want := "a\nSpec validation failed: p: b\nc"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Proton's sentence stands once, however much is wrong with the form.
func TestProblemsOfTheFormShareOneSentence(t *testing.T) {
	t.Parallel()
	_, err := ParseServiceSpec("proton: ServiceSpec\ninstances:\n- {name: a b, environment: e}\n- {name: a}\n- {environment: e}\n")
	want := notFormatted + " (line 4: instances[1] has no environment; line 5: instances[2] has no name)\n" +
		`Spec validation failed: instances[0].name: "a b" is not a name: use 1 to 100 letters, digits, - and _, starting with a letter or digit`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestProblemsOfASpecHaveTheirPlace(t *testing.T) {
	t.Parallel()
	b, err := Load(tarGz(t, entry{name: "schema/schema.yaml", content: `schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  types: {In: {type: object, properties: {port: {type: integer}, size: {type: integer}}, required: [port]}}
`}, entry{name: "instance_infrastructure/manifest.yaml", content: "infrastructure: {templates: [{file: t.yaml, rendering_engine: jinja, template_language: cloudformation}]}"},
		entry{name: "instance_infrastructure/t.yaml", content: "Resources: {A: {Type: B}}"}), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"not YAML":              {"proton: ServiceSpec\ninstances: [\n", ":3:1"},
		"another form":          {"proton: ServiceSpec\ninstances: {}\n", ":2:12"},
		"a name twice":          {"proton: ServiceSpec\ninstances:\n- {name: a, environment: e, spec: {port: 1}}\n- {name: a, environment: e, spec: {port: 1}}\n", ":4:3"},
		"a wrong value":         {"proton: ServiceSpec\ninstances:\n- name: a\n  environment: e\n  spec:\n    port: many\n", "instances[a].spec.port:6:11"},
		"a missing value":       {"proton: ServiceSpec\ninstances:\n- name: a\n  environment: e\n  spec:\n    size: 1\n", "instances[a].spec.port:6:5"},
		"no values":             {"proton: ServiceSpec\ninstances:\n- name: a\n  environment: e\n", "instances[a].spec.port:3:3"},
		"a pipeline of nothing": {"proton: ServiceSpec\npipeline:\n  x: 1\n", "pipeline:3:3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ParseServiceSpec(c.text)
			if err == nil {
				_, err = b.ServiceProblems(s)
			}
			e, ok := errors.AsType[*SpecError](err)
			if !ok || len(e.Problems) != 1 {
				t.Fatalf("got %v, want one problem", err)
			}
			p := e.Problems[0]
			if got := fmt.Sprintf("%s:%d:%d", p.Path, p.Line, p.Column); got != c.want {
				t.Errorf("got %s, want %s: %v", got, c.want, err)
			}
		})
	}
}

// FuzzSpec reads hostile specs and resolves them against themselves; what was
// resolved must parse and hold no token.
func FuzzSpec(f *testing.F) {
	f.Add("proton: ServiceSpec\npipeline: {a: '${Proton::CURRENT_VAL}'}\ninstances:\n- {name: a, environment: b, spec: {c: [1]}}", "{proton: ServiceSpec, pipeline: {a: [x, {y: 1.10}]}}")
	f.Add("proton: ServiceSpec\npipeline: &p\n  a: ${Proton::CURRENT_VAL}\n  b: *p", "proton: ServiceSpec")
	f.Fuzz(func(t *testing.T, text, current string) {
		_, _ = ParseEnvironmentSpec(text)
		resolved, err := ResolveServiceSpec(text, current)
		if err != nil || strings.Contains(current, CurrentValue) {
			return
		}
		s, err := ParseServiceSpec(resolved)
		if err != nil {
			t.Fatalf("%v in %q", err, resolved)
		}
		if left := s.CurrentValues(); len(left) > 0 {
			t.Fatalf("left %v in %q", left, resolved)
		}
	})
}
