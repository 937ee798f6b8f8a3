package gosdk

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// An instance that is being updated while UpdateService adds another one keeps
// its new values in the service's spec.
func TestInstanceUpdatedWhileAnotherIsAdded(t *testing.T) {
	t.Parallel()
	c, gate := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{"true"}}))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "plain", false, instanceBundle(t, steps{provision: []string{
		"if grep -q 9090 proton-inputs.json; then until test -e '" + gate + "'/go; do sleep 0.02; done; fi",
		"case $RESOURCE_ARN in */two) until test -e '" + gate + "'/two; do sleep 0.02; done;; esac",
	}}), "vpc")
	c.plainService(t, "orders", instances("dev", "one"))
	name, one := aws.String("orders"), aws.String("one")
	changed := strings.Replace(instances("dev", "one"), "8080", "9090", 1)
	must(t)(c.UpdateServiceInstanceWithContext(c.ctx, &proton.UpdateServiceInstanceInput{
		ServiceName: name, Name: one, DeploymentType: aws.String("CURRENT_VERSION"), Spec: &changed}))
	if _, err := c.UpdateServiceWithContext(c.ctx, &proton.UpdateServiceInput{Name: name, Spec: aws.String(instances("dev", "one", "two"))}); err != nil {
		t.Fatalf("UpdateService while a remaining instance is busy: %v", err)
	}
	touch(t, gate, "go")
	if err := c.WaitUntilServiceInstanceDeployedWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: name, Name: one}, fast); err != nil {
		t.Fatal(err)
	}
	touch(t, gate, "two")
	eventually(t, "the update ends", func() bool { return *c.getService(t, "orders").Status != "UPDATE_IN_PROGRESS" })
	s := c.getService(t, "orders")
	if !strings.Contains(*s.Spec, "9090") {
		t.Errorf("%s: the instance runs port 9090, the service's spec says\n%s", *s.Status, *s.Spec)
	}
	_, err := c.UpdateServiceWithContext(c.ctx, &proton.UpdateServiceInput{Name: name, Spec: s.Spec})
	if err != nil {
		t.Errorf("UpdateService with what GetService answers: %v", err)
	}
}
