package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenderedCloudFormationIsChecked(t *testing.T) {
	t.Parallel()
	const bucket = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n"
	for text, want := range map[string]string{
		bucket: "",
		bucket + "    Properties: {A: !Sub 'x', B: !GetAtt [a, b], C: !If [c, !Ref D, !Ref 'AWS::NoValue']}\n": "",
		"{\n\t\"Resources\": {\"B\": {\"Type\": \"T\"}}\n}":                                                    "",
		"Resources:\n  Fn::ForEach::X: [a, [b], {}]\n":                                                         "",
		bucket + "    Properties:\n      A:\n      B: ~\n":                                                     "w t:5:9: [/Resources/B/Properties/A] 'null' values are not allowed in templates\nw t:6:10: [/Resources/B/Properties/B] 'null' values are not allowed in templates",
		bucket + "Outputs:\n  a-b: {Value: 1}\n":                                                               "w t:5:3: the output name \"a-b\" is not accepted by CloudFormation; use letters and digits only",
		"Resources:\n  B: {Type: T, Properties: !Reff x}\n":                                                    "w t:2:28: the tag !Reff is not one of CloudFormation's",
		"":               "p t:1:1: the template must be a mapping with Resources, not a null",
		"Outputs: {}":    "p t:1:1: the template has no Resources",
		"Resources: {}":  "p t:1:12: Resources is empty; CloudFormation wants at least one",
		"Resources: [a]": "p t:1:12: Resources must be a mapping from names to resources, not a list",
		"Resources:\n  A: x\n  B: {Properties: {}}":      "p t:2:3: the resource A must be a mapping with Type, not a string\np t:3:3: the resource B has no Type",
		"Resources:\n  A: {Type: T}\n  A: {Type: T}":     "p t:3:3: duplicate key \"A\"",
		"Resources:\n  A: {Type: T\nB: 1\n":              "p t:3:2: invalid YAML",
		"Resources:\n  A: {Type: T}\n---\nResources: {}": "p t: the text holds more than one document; remove what starts at the second ---",
	} {
		warnings, problems := CheckCloudFormation("t", []byte(text))
		var got []string
		for _, p := range problems {
			got = append(got, "p "+p.String())
		}
		for _, w := range warnings {
			got = append(got, "w "+w.String())
		}
		joined := strings.Join(got, "\n")
		if want == "p t:3:2: invalid YAML" {
			joined = joined[:min(len(joined), len(want))] // the rest is the library's wording
		}
		if diff := cmp.Diff(want, joined); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Real templates are well-formed and use what their schemas define.
func TestRealBundlesRaiseNoFalseWarnings(t *testing.T) {
	t.Parallel()
	for _, dir := range bundlesBelow(t, corpus(t, "bundles")) {
		_, warnings, err := Register(tarGz(t, filesOf(t, dir, "")...), wantFor(dir), DefaultLimits())
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings:\n%s", dir, err, joinProblems(warnings))
		}
	}
}

// Each real service template names the environment templates it is compatible
// with; each of those offers every output that it reads.
func TestRealEnvironmentsOfferWhatRealServicesRead(t *testing.T) {
	t.Parallel()
	root, checked := corpus(t, "bundles"), 0
	for _, dir := range bundlesBelow(t, filepath.Join(root, "service-templates")) {
		service, err := Load(tarGz(t, filesOf(t, dir, "")...), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got := service.UnofferedOutputs(nil); len(got) == 0 || got[0].Line == 0 {
			t.Errorf("%s: nothing is missing where nothing is offered: %v", dir, got)
		}
		list, err := os.ReadFile(filepath.Join(dir, ".compatible-envs"))
		if err != nil {
			continue
		}
		for _, line := range strings.Fields(string(list)) {
			name, _, _ := strings.Cut(line, ":")
			environment, err := Load(tarGz(t, filesOf(t, filepath.Join(root, "environment-templates", name, "v1"), "")...), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			offered, known := environment.OutputNames()
			if !known || len(offered) == 0 {
				t.Errorf("%s: outputs %v, known %v", name, offered, known)
			}
			if missing := service.UnofferedOutputs(offered); len(missing) > 0 {
				t.Errorf("%s does not offer to %s:\n%s", name, dir, joinProblems(missing))
			}
			checked++
		}
	}
	if checked == 0 {
		t.Skip("the real bundles here have no lists of compatible environments")
	}
}

func TestOutputNamesAreThoseOfEachMethod(t *testing.T) {
	t.Parallel()
	const inputs = "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In: {type: object, properties: {a: {type: string}}, required: [a]}\n"
	manifest := func(rest string) entry {
		return entry{name: "infrastructure/manifest.yaml", content: "infrastructure: {templates: [{" + rest + "}]}"}
	}
	for name, c := range map[string]struct {
		entries []entry
		want    []string
		known   bool
	}{
		"no infrastructure": {nil, []string{"a"}, true},
		"cloudformation": {[]entry{manifest("file: c.yaml, rendering_engine: jinja, template_language: cloudformation"),
			{name: "infrastructure/c.yaml", content: "Resources: {}\nOutputs:\n{% for x in ['B', environment.inputs.a] %}  {{ x }}: {Value: 1}\n{% endfor %}"}}, []string{"B", "example"}, true},
		"not renderable": {[]entry{manifest("file: c.yaml, rendering_engine: jinja, template_language: cloudformation"),
			{name: "infrastructure/c.yaml", content: "{{ {'x': 1}[environment.inputs.a] }}"}}, nil, false},
		"terraform": {[]entry{manifest("file: '*', rendering_engine: hcl, template_language: terraform"),
			{name: "infrastructure/o.tf", content: "output \"b\" {}\noutput \"c\" {}\n"}}, []string{"b", "c"}, true},
		"commands": {[]entry{manifest("rendering_engine: codebuild, settings: {image: i, provision: [a], deprovision: [b]}")}, nil, false},
	} {
		b, err := Load(tarGz(t, append(c.entries, entry{name: "schema/schema.yaml", content: inputs})...), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got, known := b.OutputNames()
		if !slices.Equal(got, c.want) || known != c.known {
			t.Errorf("%s: got %v, %v", name, got, known)
		}
	}
}

func TestAdviceEnds(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 250 {
		fmt.Fprintf(&text, "{{ environment.inputs.i%d }}\n", i)
	}
	_, warnings, err := Register(tarGz(t, minimal()[0], entry{name: "infrastructure/manifest.yaml", content: jinjaManifest},
		entry{name: "infrastructure/c.yaml", content: text.String()}), Want{}, DefaultLimits())
	if err != nil || len(warnings) != 101 || warnings[100].String() != "and 151 more warnings about templates" {
		t.Errorf("%v, %d warnings, the last %v", err, len(warnings), warnings[len(warnings)-1])
	}
}

func TestStrictRefusesInputsTheSchemaDoesNotDefine(t *testing.T) {
	t.Parallel()
	b, _, err := Register(tarGz(t, minimal()...), Want{}, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseEnvironmentSpec("proton: EnvironmentSpec\nspec: {a: x, typo: y}")
	if err != nil {
		t.Fatal(err)
	}
	inputs, warnings, err := b.EnvironmentInputs(s)
	if err != nil || len(warnings) != 1 || inputs.Len() != 1 {
		t.Errorf("by default: %v, %v, %v", inputs, warnings, err)
	}
	_, warnings, err = b.EnvironmentInputs(s, Strict)
	e, ok := errors.AsType[*SpecError](err)
	if !ok || len(warnings) != 0 || e.Error() != "Spec validation failed: spec.typo: is not an input of the template" {
		t.Errorf("strict: %v, %v", warnings, err)
	}
}

func TestLimitsOfRegistrationAndRendering(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	l.ParameterName = 0
	if err := l.Check(); err == nil || err.Error() != "limit parameterNameLength is 0; it must be at least 1" {
		t.Errorf("got %v", err)
	}
	l = DefaultLimits()
	l.ParameterName = 3
	long := append(minimal(), entry{name: "schema/schema.yaml", content: strings.Replace(minimal()[0].content, "{a:", "{abcd:", 1)})
	if _, _, err := Register(tarGz(t, long...), Want{}, l); err == nil ||
		err.Error() != "schema/schema.yaml:5:37: the name of an input has 4 characters; the limit is 3" {
		t.Errorf("got %v", err)
	}
	if _, err := Load(tarGz(t, long...), l); err != nil {
		t.Errorf("a bundle registered before is not held against new limits of names: %v", err)
	}
	l = DefaultLimits()
	l.Rendered = 10
	b, err := Load(tarGz(t, entry{name: "schema/schema.yaml", content: minimal()[0].content},
		entry{name: "infrastructure/manifest.yaml", content: jinjaManifest},
		entry{name: "infrastructure/c.yaml", content: "12345678901"}), l)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Render(t.Context(), Infrastructure, Data{Environment: &EnvironmentData{}})
	if _, ok := errors.AsType[*RenderError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// Whatever a template says, advice on it neither panics nor takes long.
func FuzzAdvice(f *testing.F) {
	f.Add("{% for s in environment.inputs %}{{ s.a.my-name }}{% endfor %}\nResources: {A: {Type: !Ref x, B: }}", false)
	f.Add("locals {\n a = var.environment.inputs[\"a\"]\n b = var.environment[0].x\n}\noutput \"o\" {}", true)
	f.Add("{\n\t\"Resources\": null}", false)
	f.Fuzz(func(t *testing.T, text string, hcl bool) {
		manifest, name := jinjaManifest, "infrastructure/c.yaml"
		if hcl {
			manifest, name = hclManifest, "infrastructure/component.tf"
		}
		b, warnings, err := Register(tarGz(t, minimal()[0], entry{name: "infrastructure/manifest.yaml", content: manifest}, entry{name: name, content: text}), Want{}, DefaultLimits())
		if err != nil {
			return
		}
		for _, w := range warnings {
			if w.Path == "" || w.Message == "" {
				t.Fatalf("warning %+v", w)
			}
		}
		b.OutputNames()
	})
}
