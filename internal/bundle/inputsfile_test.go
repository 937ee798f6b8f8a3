package bundle

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/schema"
)

// Real CodeBuild bundles carry the inputs file their authors got from Proton.
// The same data must give the same keys, types and values again.
func TestInputsFilesLikeThoseThatProtonWrote(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, dir := range bundlesBelow(t, corpus(t, "manifests")) {
		for i := range partDirs {
			part := Part(i)
			committed, err := os.ReadFile(filepath.Join(dir, part.String(), inputsJSON))
			if err != nil {
				continue
			}
			checked++
			t.Run(filepath.Base(filepath.Dir(dir))+"/"+part.String(), func(t *testing.T) {
				t.Parallel()
				b, _, err := Register(tarGz(t, filesOf(t, dir, "")...), wantFor(dir), DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				var want schema.Object
				if err := json.Unmarshal(committed, &want); err != nil {
					t.Fatal(err)
				}
				r, err := b.Render(t.Context(), part, dataOf(t, b, part, &want))
				if err != nil {
					t.Fatal(err)
				}
				var got []byte
				for _, f := range r.Files {
					if f.Path == inputsJSON {
						got = f.Content
					}
				}
				if diff := cmp.Diff(normal(t, committed), normal(t, got)); diff != "" {
					t.Errorf("(-committed +rendered):\n%s", diff)
				}
			})
		}
	}
	if checked == 0 {
		t.Fatal("no bundle holds an inputs file")
	}
}

// normal reads JSON for comparison, numbers by their text.
func normal(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// dataOf turns an inputs file back into the data it was made of. Inputs of the
// part itself go through its schema, as values of a spec would.
func dataOf(t *testing.T, b *Bundle, part Part, file *schema.Object) Data {
	t.Helper()
	d := Data{Environment: environmentIn(file, "environment")}
	if part == Infrastructure {
		d.Environment.Inputs = applied(t, b.input, objectIn(objectIn(file, "environment"), "inputs"))
		return d
	}
	s := objectIn(file, "service")
	d.Service = &ServiceData{textIn(s, "name"), textIn(s, "branch_name"), textIn(s, "repository_id"), textIn(s, "repository_connection_arn")}
	if part == InstanceInfrastructure {
		i := objectIn(file, "service_instance")
		d.Instance = &InstanceData{Name: textIn(i, "name"), Inputs: applied(t, b.input, objectIn(i, "inputs"))}
		return d
	}
	d.Pipeline = &PipelineData{applied(t, b.pipeline, objectIn(objectIn(file, "pipeline"), "inputs"))}
	instances, _ := file.Get("service_instances")
	for _, v := range instances.([]any) {
		i := v.(*schema.Object)
		d.Instances = append(d.Instances, InstanceData{Name: textIn(i, "name"), Inputs: objectIn(i, "inputs"), Outputs: outputsIn(i),
			Environment: environmentIn(i, "environment")})
	}
	return d
}

func applied(t *testing.T, typ *schema.Type, inputs *schema.Object) Inputs {
	t.Helper()
	text, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	n, err := schema.ParseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	out, _, problems := typ.Apply(n)
	if len(problems) > 0 { // two authors edited their copy by hand
		t.Logf("taken as they are: %v", problems)
		return inputs
	}
	return out
}
