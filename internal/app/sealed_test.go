package app

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// filesWith are the files below a folder that have a text in them.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSensitiveOutputsLieSealedAndWhatHasThemInItIsSensitiveToo(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	const token = "very-secret-token"
	f.engine.On(f.arn("environment/one"), enginetest.Script{Outputs: []engine.Output{{Key: "Token", Value: token, Sensitive: true}, {Key: "Vpc", Value: "vpc-plain"}}})
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Outputs: []engine.Output{
		{Key: "Url", Value: "https://app:" + token + "@dev"}, {Key: "Name", Value: "dev"}}})
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	out := must(f.ListServiceInstanceOutputs(t.Context(), &api.ListServiceInstanceOutputsInput{ServiceName: p("shop"), ServiceInstanceName: p("dev")}))(t).Outputs
	want := []api.Output{{Key: p("Url"), ValueString: p("<sensitive>")}, {Key: p("Name"), ValueString: p("dev")}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("outputs of an instance (-want +got):\n%s", diff)
	}
	seen := false
	for _, call := range f.engine.Calls() { // dependents see the value itself
		for _, file := range call.Run.Files {
			seen = seen || call.Run.ResourceARN == f.arn("service/shop/pipeline") && bytes.Contains(file.Content, []byte("https://app:"+token+"@dev"))
		}
	}
	if !seen {
		t.Error("the pipeline was not given the sensitive output of its instance")
	}
	if plain := filesWith(t, f.server.config.Data, "vpc-plain"); len(plain) == 0 {
		t.Error("an output that is not sensitive is not found either: the search finds nothing")
	}
	if found := filesWith(t, f.server.config.Data, token); len(found) > 0 {
		t.Errorf("the sensitive output lies open in %q", found)
	}
}
