package conformance

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/test/conformance/story"
)

// Scenarios are what Proton's users did end to end, with the clients they used.
func TestScenarios(t *testing.T) {
	t.Parallel()
	python := pinnedPython(t)
	env := serve(t, python)
	keys := storyKeys(t, env)
	setup, err := story.Setup()
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("scenarios/s[0-9]*")
	if err != nil || len(scripts) < 8 {
		t.Fatalf("only %d scenarios: %v", len(scripts), err)
	}
	for _, script := range scripts {
		name, _, _ := strings.Cut(filepath.Base(script), "-")
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			region := "eu-" + name + "-1"
			env := slices.Concat(env, []string{"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region})
			program := map[string]string{".sh": "bash", ".py": filepath.Join(python, "python3"), ".mjs": "node"}[filepath.Ext(script)]
			if program == "node" {
				env = append(env, "JAVASCRIPT_SDK="+installed(t, javascript, "javascript-v3.txt"))
			}
			run(t, env, filepath.Join(python, "python3"), "-B", "boto3/story.py", writeStory(t, setup, keys, region, nil))
			run(t, env, program, script)
		})
	}
}
