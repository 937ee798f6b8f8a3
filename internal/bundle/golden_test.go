package bundle

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hadronhq/hadron/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// Each case is a bundle with what must come of it. The comment's first line
// says what the bundle is registered for: environment or service, and
// customer-managed; and whether a component is attached to the instance. "want/problems" and "want/warnings" come from registering.
// With a file "spec.yaml" the inputs of each part, and what rendering makes,
// follow as "want/<part>/...".
func TestGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := txtar.Parse(text)
			out := &txtar.Archive{Comment: in.Comment}
			var entries []entry
			spec := ""
			for _, f := range in.Files {
				switch {
				case strings.HasPrefix(f.Name, "want/"):
					continue
				case f.Name == "spec.yaml":
					spec = string(f.Data)
				default:
					entries = append(entries, entry{name: f.Name, content: string(f.Data)})
				}
				out.Files = append(out.Files, f)
			}
			golden(t, out, tarGz(t, entries...), spec)
			got := txtar.Format(out)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), string(got)); diff != "" {
				t.Errorf("(-want +got; -update rewrites):\n%s", diff)
			}
		})
	}
}

func golden(t *testing.T, out *txtar.Archive, archive []byte, spec string) {
	add := func(name, text string) {
		if text != "" {
			out.Files = append(out.Files, txtar.File{Name: "want/" + name, Data: []byte(strings.TrimRight(text, "\n") + "\n")})
		}
	}
	first, _, _ := strings.Cut(string(out.Comment), "\n")
	want := Want{CustomerManaged: strings.Contains(first, "customer-managed")}
	if strings.HasPrefix(first, "service") {
		want.Kind = ServiceTemplate
	}
	b, warnings, err := Register(archive, want, DefaultLimits())
	if err != nil {
		add("problems", err.Error())
	}
	add("warnings", joinProblems(warnings))
	if err != nil || spec == "" {
		return
	}
	data, warnings, err := goldenData(b, spec)
	add("spec/warnings", joinProblems(warnings))
	if err != nil {
		add("spec/problems", err.Error())
		return
	}
	if strings.Contains(first, "component") {
		data.Component = &ComponentData{"bucket", []Output{{"Name", "b-1"}, {"Policy", "arn:aws:iam::111122223333:policy/p"}}}
	}
	data.ResourceARN = "arn:aws:proton:us-east-1:111122223333:service/shop"
	data.Tags = []Tag{{"proton:account", "111122223333"}, {"proton:service", data.ResourceARN}}
	for i := range partDirs {
		part := Part(i)
		if _, ok := b.Method(part); !ok || part == InstanceInfrastructure && data.Instance == nil {
			continue
		}
		r, err := b.Render(t.Context(), part, data)
		if err != nil {
			add(part.String()+"/problem", err.Error())
			continue
		}
		for _, f := range r.Files {
			if f.Path != "manifest.yaml" {
				add(part.String()+"/"+f.Path, string(f.Content))
			}
		}
		if r.Build != nil {
			add(part.String()+"/build", buildText(t, r.Build))
		}
	}
}

func joinProblems(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

func buildText(t *testing.T, build *Build) string {
	var b bytes.Buffer
	properties := build.ProjectProperties
	build.ProjectProperties = nil
	fmt.Fprintf(&b, "%+v\n", *build)
	if err := schema.WriteJSON(&b, properties, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// goldenData makes data from a spec and made-up outputs.
func goldenData(b *Bundle, spec string) (Data, []Problem, error) {
	environment := &EnvironmentData{Name: "dev", AccountID: "111122223333",
		Outputs: []Output{{"VpcId", "vpc-1"}, {"Subnets", `["subnet-1","subnet-2"]`}, {"my-output", "hyphen"}}}
	if b.Kind() == EnvironmentTemplate {
		s, err := ParseEnvironmentSpec(spec)
		if err != nil {
			return Data{}, nil, err
		}
		inputs, warnings, err := b.EnvironmentInputs(s)
		return Data{Environment: &EnvironmentData{Name: "dev", Inputs: inputs}}, append(s.Warnings, warnings...), err
	}
	s, err := ParseServiceSpec(spec)
	if err != nil {
		return Data{}, nil, err
	}
	d := Data{Environment: environment, Service: &ServiceData{Name: "shop"}, Pipeline: &PipelineData{}}
	warnings, err := b.ServiceProblems(s)
	if err != nil {
		return d, append(s.Warnings, warnings...), err
	}
	if b.HasPipeline() {
		d.Service.BranchName, d.Service.RepositoryID, d.Service.RepositoryConnectionARN = "main", "acme/shop", "arn:connection"
	}
	d.Pipeline.Inputs, _, _ = b.PipelineInputs(s)
	for i, instance := range s.Instances {
		inputs, _, _ := b.InstanceInputs(s, instance.Name)
		entry := InstanceData{Name: instance.Name, Inputs: inputs, Environment: environment}
		if i > 0 {
			entry.Outputs = []Output{{"Url", "https://example.org/?a=1&b=2"}}
		}
		d.Instances = append(d.Instances, entry)
		d.Instance = &d.Instances[0]
	}
	return d, append(s.Warnings, warnings...), nil
}
