package gosdk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// A cancelled update is really stopped, and what was deployed stays.
func TestCancelStopsTheCommand(t *testing.T) {
	t.Parallel()
	c, marks := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{
		"if grep -q small proton-inputs.json; then touch '" + marks + "'/started; while true; do echo x >> '" + marks + "'/beat; sleep 0.05; done; fi"}}))
	c.environment(t, "dev", "vpc")
	before := c.getEnvironment(t, "dev")
	name := aws.String("dev")
	_, err := c.CancelEnvironmentDeploymentWithContext(c.ctx, &proton.CancelEnvironmentDeploymentInput{EnvironmentName: name})
	refused(t, "nothing runs", err, "ConflictException", "No deployment in progress for "+c.arn("environment/dev")+".")
	must(t)(c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{Name: name, DeploymentType: aws.String("CURRENT_VERSION"),
		Spec: aws.String("proton: EnvironmentSpec\nspec: {size: small}\n")}))
	eventually(t, "the command runs", func() bool { _, err := os.Stat(filepath.Join(marks, "started")); return err == nil })
	out, err := c.CancelEnvironmentDeploymentWithContext(c.ctx, &proton.CancelEnvironmentDeploymentInput{EnvironmentName: name})
	if err != nil || *out.Environment.DeploymentStatus != "CANCELLING" {
		t.Fatalf("cancel: %v, %v", out, err)
	}
	eventually(t, "it is cancelled", func() bool { return *c.getEnvironment(t, "dev").DeploymentStatus == "CANCELLED" })
	beats := func() int64 { i, _ := os.Stat(filepath.Join(marks, "beat")); return i.Size() }
	n := beats()
	after := c.getEnvironment(t, "dev")
	if aws.StringValue(after.DeploymentStatusMessage) != "User initiated cancellation." || *after.Spec != *before.Spec {
		t.Errorf("after: %v", after)
	}
	must(t)(c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{Name: name, DeploymentType: aws.String("CURRENT_VERSION")}))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: name}, fast); err != nil {
		t.Fatal(err)
	}
	if beats() != n {
		t.Error("the command goes on after the deployment was cancelled")
	}
	c.deleteEnvironment(t, "dev")
}
