package bundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mergeSpec = `proton: ServiceSpec
# how we build
pipeline:
  dockerfile: Dockerfile
instances:
  - name: dev # the first
    environment: one
    spec:
      port: 80
  - name: prod
    environment: two
`

func TestMergeInstance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ spec, from, instance, want string }{
		"the same values keep the text": {
			mergeSpec, "{proton: ServiceSpec, instances: [{name: dev, environment: one, spec: {port: 80}}]}", "dev", mergeSpec,
		},
		"changed values replace the entry and keep comments elsewhere": {
			mergeSpec, "proton: ServiceSpec\ninstances:\n- name: prod\n  environment: two\n  spec:\n    port: 443\n- name: other\n  environment: x\n", "prod",
			mergeSpec + "    spec:\n      port: 443\n",
		},
		"a new instance comes last": {
			"proton: ServiceSpec\ninstances: []\n", "proton: ServiceSpec\ninstances:\n- name: new\n  environment: one\n", "new",
			"proton: ServiceSpec\ninstances:\n  - name: new\n    environment: one\n",
		},
		"a spec without instances gets the list": {
			"proton: ServiceSpec\n", "proton: ServiceSpec\ninstances:\n- name: new\n  environment: one\n", "new",
			"proton: ServiceSpec\ninstances:\n  - name: new\n    environment: one\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := MergeInstance(c.spec, c.from, c.instance)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := MergeInstance(mergeSpec, mergeSpec, "nobody"); err == nil {
		t.Error("an instance that the other spec lacks was merged")
	}
}

func TestMergePipeline(t *testing.T) {
	t.Parallel()
	got, err := MergePipeline("proton: ServiceSpec\ninstances: []\n", "proton: ServiceSpec\npipeline: {dockerfile: D}\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("proton: ServiceSpec\ninstances: []\npipeline: {dockerfile: D}\n", got); diff != "" {
		t.Error(diff)
	}
	if got, err = MergePipeline(mergeSpec, "proton: ServiceSpec\npipeline: {dockerfile: Dockerfile}\n"); err != nil || got != mergeSpec {
		t.Errorf("the same section changed the text: %v\n%s", err, got)
	}
}
