package engines

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
)

// gated is a main.tf whose resource says in a file that its work has begun, and
// waits for another file.
func gated(dir string) string {
	return fmt.Sprintf(`
resource "terraform_data" "quick" { input = var.environment.inputs.size }
resource "terraform_data" "slow" {
  triggers_replace = var.environment.inputs.size
  depends_on       = [terraform_data.quick]
  provisioner "local-exec" {
    command = "echo ${var.environment.inputs.size} >> %[1]s/begun; while [ ! -e %[1]s/open ]; do sleep 0.05; done"
  }
}
output "Size" { value = terraform_data.quick.output }
`, dir)
}

func begun(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "begun"))
	return strings.Count(string(text), "\n")
}

func open(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerThatIsKilledDuringAnApplyRecoversByItself(t *testing.T) {
	t.Parallel()
	s, gate := serve(t, tofu(t)), t.TempDir()
	s.environmentTemplate("net", tofuEnvironment(gated(gate)))
	s.createEnvironment("one", "net", "{}")
	s.eventually("the apply is at work", func() bool { return begun(gate) == 1 })
	s.crash()
	s.eventually("the apply is at work again", func() bool { return begun(gate) == 2 })
	open(t, gate)
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Size"]; got != "small" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
	_, log, again := strings.Cut(s.environmentLog("one"), "the run was interrupted: it goes on from the state")
	if !again || strings.Contains(log, "terraform_data.quick: ") {
		t.Errorf("what was made before the crash was made again:\n%s", log)
	}
	s.deleteEnvironment("one")
}

func TestServerThatIsKilledDuringAStackUpdateRecoversByItself(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"Hold": true, "Value": "{{`, 1)))
	s.updateEnvironment("one", "{size: large}")
	s.eventually("the stack is being updated", aws.Holding)
	s.crash()
	aws.Release()
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
	if n := len(aws.Calls("ExecuteChangeSet")); n != 2 {
		t.Errorf("%d change sets were executed for two deployments", n)
	}
	s.deleteEnvironment("one")
}

func TestFailedApplyKeepsOutputsAndCanBeFollowedByAnother(t *testing.T) {
	t.Parallel()
	s := serve(t, tofu(t))
	s.environmentTemplate("net", tofuEnvironment(network))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", tofuEnvironment(network+`
resource "terraform_data" "picky" {
  lifecycle {
    precondition {
      condition     = var.environment.inputs.size != "huge"
      error_message = "There is no room for a huge one."
    }
  }
}
`))
	s.updateEnvironment("one", "{size: huge}")
	message := s.environmentEnds("one", api.DeploymentStatusFailed)
	if !strings.Contains(message, "There is no room for a huge one.") || !strings.Contains(message, "main.tf:") {
		t.Errorf("message: %s", message)
	}
	if got := s.outputs("one")["Net"]; got != "net-small" {
		t.Errorf("outputs after the failure: %v", s.outputs("one"))
	}
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs after the repair: %v", s.outputs("one"))
	}
	s.deleteEnvironment("one")
}

func TestCancelledApplyCanBeFollowedByAnother(t *testing.T) {
	t.Parallel()
	s, gate := serve(t, tofu(t)), t.TempDir()
	s.environmentTemplate("net", tofuEnvironment(network))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", tofuEnvironment(gated(gate)))
	s.updateEnvironment("one", "{size: large}")
	s.eventually("the apply is at work", func() bool { return begun(gate) == 1 })
	must(s.CancelEnvironmentDeployment(t.Context(), &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}))(t)
	if message := s.environmentEnds("one", api.DeploymentStatusCancelled); message != "User initiated cancellation." {
		t.Errorf("message: %s", message)
	}
	open(t, gate)
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")
}

func TestCancelledAndFailedStackUpdatesCanBeFollowedByAnother(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"Fail": "There is no room", "Value": "{{`, 1)))
	s.updateEnvironment("one", "{size: huge}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.Contains(message, "UPDATE_FAILED of Net (Test::A::Net): There is no room") {
		t.Errorf("message: %s", message)
	}
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"Hold": true, "Value": "{{`, 1)))
	s.updateEnvironment("one", "{size: large}")
	s.eventually("the stack is being updated", aws.Holding)
	must(s.CancelEnvironmentDeployment(t.Context(), &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}))(t)
	s.environmentEnds("one", api.DeploymentStatusCancelled)
	if got := s.outputs("one")["Net"]; got != "net-small" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
	aws.Release()
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")
}

func TestFirstStackThatFailedIsMadeAnew(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"Fail": "There is no room", "Value": "{{`, 1)))
	s.createEnvironment("one", "net", "{}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.Contains(message, "ROLLBACK_COMPLETE: CREATE_FAILED of Net (Test::A::Net): There is no room") {
		t.Errorf("message: %s", message)
	}
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")
}

func TestRoleThatCannotBeAssumedFailsTheDeploymentUntilItCan(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	aws.Fault("AssumeRole", "AccessDenied", http.StatusForbidden, 1)
	s := serve(t, append(cloudFormation(aws.URL), tofu(t))...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.createEnvironment("one", "net", "{}", func(in *api.CreateEnvironmentInput) { in.ProtonServiceRoleArn = p(serviceRole) })
	want := "role " + serviceRole + " could not be assumed (sts:AssumeRole): AccessDenied"
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.HasPrefix(message, want) {
		t.Errorf("message: %s\nwant %s", message, want)
	}
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")

	aws.Fault("AssumeRole", "AccessDenied", http.StatusForbidden, 1)
	s.environmentTemplate("hcl", tofuEnvironment(network))
	s.createEnvironment("two", "hcl", "{}", func(in *api.CreateEnvironmentInput) { in.ProtonServiceRoleArn = p(pipelineRole) })
	if message := s.environmentEnds("two", api.DeploymentStatusFailed); !strings.Contains(message, "role "+pipelineRole+" could not be assumed") {
		t.Errorf("message of OpenTofu: %s", message)
	}
	s.updateEnvironment("two", "")
	s.environmentEnds("two", api.DeploymentStatusSucceeded)
}

func TestExpiredAndMissingCredentialsFailTheDeploymentClearly(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	aws.Fault("DescribeStacks", "ExpiredToken", http.StatusForbidden, 1)
	s := serve(t, append(cloudFormation(aws.URL), "AWS_SESSION_TOKEN=of-yesterday")...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.createEnvironment("one", "net", "{}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.HasPrefix(message, "cloudformation:DescribeStacks as the server's own AWS identity: ExpiredToken") {
		t.Errorf("message: %s", message)
	}
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)

	s.stop(syscall.SIGTERM)
	given := s.env
	s.env = append(given, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	s.start()
	s.updateEnvironment("one", "{size: large}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.HasPrefix(message, "the server has no AWS credentials") {
		t.Errorf("message: %s", message)
	}
	// Hadron's own key, which the three lines that a first start prints set for
	// clients, is not one of AWS's.
	s.stop(syscall.SIGTERM)
	s.env = append(given, "AWS_ACCESS_KEY_ID="+rootID, "AWS_SECRET_ACCESS_KEY="+rootKey)
	s.start()
	s.updateEnvironment("one", "{size: large}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.HasPrefix(message, "the server has no AWS credentials") {
		t.Errorf("message: %s", message)
	}
	s.stop(syscall.SIGTERM)
	s.env = given
	s.start()
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
}

func TestMissingToolAndRefusedProvidersFailTheDeploymentUntilTheyAreThere(t *testing.T) {
	t.Parallel()
	s := serve(t, "HADRON_TOFU=/nowhere/tofu")
	there := tofu(t)
	s.environmentTemplate("net", tofuEnvironment(network))
	s.createEnvironment("one", "net", "{}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.Contains(message, `"/nowhere/tofu" cannot be run on the server: set HADRON_TOFU`) {
		t.Errorf("message: %s", message)
	}
	s.stop(syscall.SIGTERM)
	s.env = append(s.env, there)
	s.start()
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)

	s.environmentTemplate("net", tofuEnvironment(network+`
terraform {
  required_providers {
    no = { source = "localhost:1/acme/no" }
  }
}
`))
	s.updateEnvironment("one", "")
	message := s.environmentEnds("one", api.DeploymentStatusFailed)
	if !strings.Contains(message, "OpenTofu init failed") || !strings.Contains(message, "localhost:1/acme/no") {
		t.Errorf("message: %s", message)
	}
	s.environmentTemplate("net", tofuEnvironment(network))
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")
}

func TestDeadRunAndForeignLockDoNotKeepAStateLocked(t *testing.T) {
	t.Parallel()
	s, gate := serve(t, tofu(t)), t.TempDir()
	s.environmentTemplate("net", tofuEnvironment(gated(gate)))
	s.createEnvironment("one", "net", "{}")
	s.eventually("the apply is at work", func() bool { return begun(gate) == 1 })
	killTool(t, s.data)
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.Contains(message, "killed by a signal") {
		t.Errorf("message: %s", message)
	}
	open(t, gate)
	s.updateEnvironment("one", "")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)

	state := s.url + "/-/state/123456789012/eu-west-1/environment/one"
	lock := `{"ID": "0f0e0d0c-1111-2222-3333-444455556666", "Operation": "OperationTypeApply", "Who": "ops@desk"}`
	s.ask("LOCK", state, lock, http.StatusOK)
	s.updateEnvironment("one", "{size: large}")
	s.eventually("the log says who holds the lock", func() bool {
		return strings.Contains(s.environmentLog("one"), "the state is locked by lock 0f0e0d0c-1111-2222-3333-444455556666 (ops@desk) for OperationTypeApply")
	})
	s.ask("UNLOCK", state, lock, http.StatusOK)
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteEnvironment("one")
}

// killTool kills the OpenTofu that works below a folder.
func killTool(t *testing.T, data string) {
	t.Helper()
	folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range folders {
		dir, err := os.Readlink(link)
		program, _ := os.Readlink(filepath.Join(filepath.Dir(link), "exe"))
		if err != nil || !strings.HasPrefix(dir, data) || filepath.Base(program) != "tofu" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Skip("no OpenTofu is found in /proc")
}

// ask sends a request to the state backend as root.
func (s *server) ask(method, url, body string, status int) {
	s.t.Helper()
	r := must(http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body)))(s.t)
	r.SetBasicAuth(rootID, rootKey)
	answer := must(http.DefaultClient.Do(r))(s.t)
	answer.Body.Close()
	if answer.StatusCode != status {
		s.t.Fatalf("%s %s: %s", method, url, answer.Status)
	}
}

func TestForcedRemovalOfAStackLeavesTheWayFreeForTheNext(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	ctx := t.Context()
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"FailDelete": "it is not empty", "Value": "{{`, 1)))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	must(s.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}))(t)
	if message := s.environmentEnds("one", api.DeploymentStatusDeleteFailed); !strings.Contains(message, "DELETE_FAILED of Net (Test::A::Net): it is not empty") {
		t.Errorf("message: %s", message)
	}
	forced := must(s.ForceDeleteResource(ctx, &api.ForceDeleteResourceInput{Resource: p("environment/one")}))(t)
	s.eventually("the environment is gone", func() bool {
		_, err := s.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")})
		return code(err) == "ResourceNotFoundException"
	})
	d := must(s.GetDeploymentDetails(ctx, &api.GetDeploymentDetailsInput{DeploymentId: &forced.DeploymentIds[0]}))(t).Details
	if *d.Status != "DELETE_FAILED" || !strings.Contains(api.Value(d.StatusMessage), "it is not empty; the stack was deleted without what stays") {
		t.Errorf("the forced removal is %s: %s", *d.Status, api.Value(d.StatusMessage))
	}
	if _, there := aws.Stack(aws.Calls("CreateChangeSet")[0].Form.Get("StackName")); there {
		t.Error("the stack is still there")
	}
	s.createEnvironment("one", "net", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs of the next one: %v", s.outputs("one"))
	}
}
