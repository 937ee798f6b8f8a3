package bundle

import "testing"

func TestFingerprintsTellWhatASpecSaysNotHow(t *testing.T) {
	t.Parallel()
	parse := func(text string) (string, string) {
		t.Helper()
		s, err := ParseServiceSpec("proton: ServiceSpec\n" + text)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := s.Instance("a")
		return i.Fingerprint(), s.PipelineFingerprint()
	}
	instance, pipeline := parse("pipeline: {x: 1}\ninstances:\n- name: a\n  environment: e\n  spec: {p: 1, q: {r: [1, 2]}}\n")
	for name, test := range map[string]struct {
		text                       string
		sameInstance, samePipeline bool
	}{
		"layout and order":    {"instances:\n- spec:\n    q:\n      r: [1, 2] # two\n    p: 1\n  environment: e\n  name: a\npipeline:\n  x: 1\n", true, true},
		"another value":       {"pipeline: {x: 1}\ninstances:\n- {name: a, environment: e, spec: {p: 2, q: {r: [1, 2]}}}\n", false, true},
		"another environment": {"pipeline: {x: 1}\ninstances:\n- {name: a, environment: f, spec: {p: 1, q: {r: [1, 2]}}}\n", false, true},
		"no pipeline":         {"instances:\n- {name: a, environment: e, spec: {p: 1, q: {r: [1, 2]}}}\n", true, false},
	} {
		i, p := parse(test.text)
		if (i == instance) != test.sameInstance || (p == pipeline) != test.samePipeline {
			t.Errorf("%s: instance the same %v, pipeline the same %v", name, i == instance, p == pipeline)
		}
	}
}
