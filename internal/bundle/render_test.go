package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/schema"
)

// The corpus has, for most templates of the real bundles, parameters and what
// Python's Jinja2 makes of them. Rendering the bundle with the same data must
// give the same bytes.
func TestRealTemplatesRenderAsJinjaDoes(t *testing.T) {
	t.Parallel()
	cases := corpus(t, "jinja")
	checked := 0
	for _, dir := range bundlesBelow(t, corpus(t, "bundles")) {
		template := filepath.Dir(dir)
		for i := range partDirs {
			part := Part(i)
			folder := filepath.Join(cases, "aws-proton-cloudformation-sample-templates--"+filepath.Base(filepath.Dir(template))+
				"--"+filepath.Base(template)+"--"+part.String())
			if _, err := os.Stat(folder); err != nil {
				continue
			}
			for _, variant := range []string{"default", "alt", "min"} {
				checked++
				t.Run(filepath.Base(template)+"/"+part.String()+"/"+variant, func(t *testing.T) {
					t.Parallel()
					renderLikeJinja(t, dir, part, filepath.Join(folder, variant))
				})
			}
		}
	}
	if checked == 0 {
		t.Fatal("the corpus has no template of these bundles")
	}
}

func renderLikeJinja(t *testing.T, dir string, part Part, folder string) {
	want, err := os.ReadFile(filepath.Join(folder, "expected.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "parameters.json"))
	if err != nil {
		t.Fatal(err)
	}
	var parameters schema.Object
	if err := json.Unmarshal(text, &parameters); err != nil {
		t.Fatal(err)
	}
	b, err := Load(tarGz(t, filesOf(t, dir, "")...), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Render(t.Context(), part, parametersData(&parameters))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(r.Files[0].Content)); diff != "" || len(r.Files) != 1 {
		t.Errorf("%d files (-want +got):\n%s", len(r.Files), diff)
	}
}

func parametersData(p *schema.Object) Data {
	d := Data{
		Environment: environmentIn(p, "environment"),
		Service:     &ServiceData{textIn(objectIn(p, "service"), "name"), textIn(objectIn(p, "service"), "branch_name"), textIn(objectIn(p, "service"), "repository_id"), textIn(objectIn(p, "service"), "repository_connection_arn")},
		Pipeline:    &PipelineData{objectIn(objectIn(p, "pipeline"), "inputs")},
	}
	d.Environment.Inputs = objectIn(objectIn(p, "environment"), "inputs")
	instance := func(o *schema.Object) InstanceData {
		return InstanceData{textIn(o, "name"), objectIn(o, "inputs"), outputsIn(o), environmentIn(o, "environment")}
	}
	own := instance(objectIn(p, "service_instance"))
	d.Instance = &own
	if c := objectIn(objectIn(objectIn(p, "service_instance"), "components"), "default"); c.Len() > 0 {
		d.Component = &ComponentData{textIn(c, "name"), outputsIn(c)}
	}
	all, _ := p.Get("service_instances")
	list, _ := all.([]any)
	for _, v := range list {
		d.Instances = append(d.Instances, instance(v.(*schema.Object)))
	}
	return d
}

func objectIn(o *schema.Object, key string) *schema.Object {
	v, _ := o.Get(key)
	out, _ := v.(*schema.Object)
	return out
}

func textIn(o *schema.Object, key string) string {
	v, _ := o.Get(key)
	s, _ := v.(string)
	return s
}

func outputsIn(o *schema.Object) []Output {
	var out []Output
	outputs := objectIn(o, "outputs")
	for _, k := range outputs.Keys() {
		out = append(out, Output{k, textIn(outputs, k)})
	}
	return out
}

func environmentIn(o *schema.Object, key string) *EnvironmentData {
	e := objectIn(o, key)
	return &EnvironmentData{Name: textIn(e, "name"), AccountID: textIn(e, "account_id"), Outputs: outputsIn(e)}
}
