package engines

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

// A hundred megabytes of commands' output in a line, twenty in ten million, and
// as many of OpenTofu's events. A gigabyte takes as much longer as it is more.
func TestOutputWithoutEndIsCutAndHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := serve(t, tofu(t))
	s.environmentTemplate("commands", files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": strings.Replace(greedyManifest,
		"if grep -q large proton-inputs.json; then head -c 32M /dev/zero > big; fi", `head -c 100M /dev/zero | tr '\0' x
          - yes | head -c 20M
          - echo the end`, 1)})
	s.environmentTemplate("hcl", tofuEnvironment(`
resource "terraform_data" "loud" {
  provisioner "local-exec" { command = "yes | head -c 100K" }
}
output "End" { value = "reached" }
`))
	for _, template := range []string{"commands", "hcl"} {
		s.createEnvironment(template, template, "{}")
		s.environmentEnds(template, api.DeploymentStatusSucceeded)
	}
	if log := s.environmentLog("commands"); !strings.Contains(log, "left out") || len(log) > 1<<20 {
		t.Errorf("the first page of the log has %d bytes: %.300s", len(log), log)
	}
	if got := s.outputs("hcl")["End"]; got != "reached" {
		t.Errorf("outputs: %v", s.outputs("hcl"))
	}
}
