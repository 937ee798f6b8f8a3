package gosdk

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// Automation reports on a running deployment of commands: the exit of the job
// ends it, a reported failure counts as one, and what comes late is judged.
func TestNotifyResourceDeploymentStatusChange(t *testing.T) {
	t.Parallel()
	c, marks := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{
		"while ! [ -e '" + marks + "'/go ]; do sleep 0.02; done; rm '" + marks + "'/go"}}))
	name, arn := aws.String("dev"), aws.String(c.arn("environment/dev"))
	must(t)(c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{Name: name, TemplateName: aws.String("vpc"),
		TemplateMajorVersion: aws.String("1"), Spec: aws.String("proton: EnvironmentSpec\nspec: {}\n")}))
	running := c.getEnvironment(t, "dev").LastAttemptedDeploymentId
	notify := func(in proton.NotifyResourceDeploymentStatusChangeInput) error {
		if in.ResourceArn == nil {
			in.ResourceArn = arn
		}
		_, err := c.NotifyResourceDeploymentStatusChangeWithContext(c.ctx, &in)
		return err
	}
	one := []*proton.Output_{{Key: aws.String("Vpc"), ValueString: aws.String("vpc-1")}}
	two := []*proton.Output_{{Key: aws.String("Subnet"), ValueString: aws.String("subnet-1")}}
	for what, in := range map[string]proton.NotifyResourceDeploymentStatusChangeInput{
		"outputs alone":            {Outputs: one},
		"in progress":              {Status: aws.String("IN_PROGRESS"), StatusMessage: aws.String("half way"), DeploymentId: running},
		"success ends no commands": {Status: aws.String("SUCCEEDED"), DeploymentId: running},
	} {
		if err := notify(in); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := *c.getEnvironment(t, "dev").DeploymentStatus; got != "IN_PROGRESS" {
			t.Fatalf("%s: the environment is %s", what, got)
		}
	}
	other := "00000000-0000-4000-8000-000000000000"
	refused(t, "another deployment", notify(proton.NotifyResourceDeploymentStatusChangeInput{DeploymentId: &other, Status: aws.String("FAILED")}),
		"ConflictException", "Deployment "+other+" is not the current deployment of "+*arn+".")
	refused(t, "no environment", notify(proton.NotifyResourceDeploymentStatusChangeInput{ResourceArn: aws.String(c.arn("environment/none")), Status: aws.String("FAILED")}),
		"ResourceNotFoundException", "The requested environment does not exist: "+c.arn("environment/none"))
	if err := notify(proton.NotifyResourceDeploymentStatusChangeInput{ResourceArn: aws.String(c.arn("service-template/web")), Status: aws.String("FAILED")}); code(err) != "ValidationException" {
		t.Errorf("what is not deployed: %v", err)
	}
	if err := notify(proton.NotifyResourceDeploymentStatusChangeInput{Outputs: two}); err != nil {
		t.Fatal(err)
	}
	touch(t, filepath.Join(marks, "go"))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: name}, fast); err != nil {
		t.Fatal(err)
	}
	out, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: name})
	if err != nil || len(out.Outputs) != 1 || *out.Outputs[0].Key != "Subnet" {
		t.Errorf("the last report's outputs replace those before: %v, %v", out, err)
	}

	if err := notify(proton.NotifyResourceDeploymentStatusChangeInput{DeploymentId: running, Status: aws.String("SUCCEEDED")}); err != nil {
		t.Errorf("a repeat of how it ended: %v", err)
	}
	for what, in := range map[string]proton.NotifyResourceDeploymentStatusChangeInput{
		"another end":        {DeploymentId: running, Status: aws.String("FAILED")},
		"late outputs":       {Outputs: one},
		"an end without id":  {Status: aws.String("SUCCEEDED")},
		"late, in progress":  {DeploymentId: running, Status: aws.String("IN_PROGRESS")},
		"a message, nothing": {StatusMessage: aws.String("late")},
	} {
		if err := notify(in); code(err) != "ConflictException" {
			t.Errorf("%s: %v", what, err)
		}
	}

	must(t)(c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{Name: name, DeploymentType: aws.String("CURRENT_VERSION")}))
	if err := notify(proton.NotifyResourceDeploymentStatusChangeInput{Status: aws.String("FAILED"), StatusMessage: aws.String("the smoke test failed"), Outputs: one}); err != nil {
		t.Fatal(err)
	}
	touch(t, filepath.Join(marks, "go"))
	eventually(t, "the reported failure counts", func() bool { return *c.getEnvironment(t, "dev").DeploymentStatus == "FAILED" })
	if got := aws.StringValue(c.getEnvironment(t, "dev").DeploymentStatusMessage); !strings.Contains(got, "the smoke test failed") {
		t.Errorf("message: %q", got)
	}
	out, err = c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: name})
	if err != nil || len(out.Outputs) != 1 || *out.Outputs[0].Key != "Subnet" {
		t.Errorf("a failed deployment changed the outputs: %v, %v", out, err)
	}
}
