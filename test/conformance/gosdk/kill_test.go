package gosdk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// A server that is killed while it deploys a service goes on with it after the
// next start: every instance and the pipeline get deployed, and no call that
// was answered is lost.
func TestKillWhileCreating(t *testing.T) {
	t.Parallel()
	s, marks := own(t), t.TempDir()
	c := clientOf(t, s)
	run := func(pause string) []string {
		return []string{
			"what=${RESOURCE_ARN##*/}", "echo start >> '" + marks + "'/$what-starts", "sleep " + pause,
			"hadron-notify Name=$what", "echo end >> '" + marks + "'/$what-ends",
		}
	}
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{environmentOutputs}}))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "web", true, serviceBundle(t, steps{provision: run("0.8")}, steps{provision: run("0.5")}), "vpc")
	for n, after := range []time.Duration{0, 30 * time.Millisecond, 300 * time.Millisecond, 850 * time.Millisecond, 1100 * time.Millisecond} {
		name := fmt.Sprintf("orders-%d", n)
		one, two := fmt.Sprintf("one-%d", n), fmt.Sprintf("two-%d", n)
		in := serviceRequest(name, "web", instances("dev", one, two))
		in.Tags = []*proton.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}
		must(t)(c.CreateServiceWithContext(c.ctx, in))
		time.Sleep(after)
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		// Nothing is lost: the answered call is there, and its repeat finds it.
		must(t)(c.CreateServiceWithContext(c.ctx, in))
		if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: &name}, fast); err != nil {
			t.Fatalf("killed after %v: %v", after, err)
		}
		out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: &name})
		if err != nil || *out.Service.Pipeline.DeploymentStatus != "SUCCEEDED" {
			t.Errorf("killed after %v: %v, %v", after, out, err)
		}
		for _, instance := range []string{one, two} {
			o, err := c.ListServiceInstanceOutputsWithContext(c.ctx, &proton.ListServiceInstanceOutputsInput{ServiceName: &name, ServiceInstanceName: &instance})
			if err != nil {
				t.Fatal(err)
			}
			diff(t, fmt.Sprintf("killed after %v: outputs of %s", after, instance), map[string]string{"Name": instance}, outputs(o.Outputs))
			if _, err := os.Stat(filepath.Join(marks, instance+"-ends")); err != nil {
				t.Errorf("killed after %v: %v", after, err)
			}
		}
		if got := len(c.tags(t, c.arn("service/"+name+"/service-instance/"+one))); got != 6 {
			t.Errorf("killed after %v: %d tags, want 6", after, got)
		}
		list, err := c.ListDeploymentsWithContext(c.ctx, &proton.ListDeploymentsInput{ServiceName: &name})
		if err != nil || len(list.Deployments) != 3 {
			t.Errorf("killed after %v: deployments %v, %v; want 3", after, list, err)
		}
	}
}

// The same while a service is removed.
func TestKillWhileDeleting(t *testing.T) {
	t.Parallel()
	s := own(t)
	c := clientOf(t, s)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{"true"}, deprovision: []string{"sleep 0.4"}}))
	c.environment(t, "dev", "vpc")
	slow := steps{provision: []string{"true"}, deprovision: []string{"sleep 0.4"}}
	c.serviceTemplate(t, "web", true, serviceBundle(t, slow, slow), "vpc")
	for _, after := range []time.Duration{0, 200 * time.Millisecond, 600 * time.Millisecond} {
		name := aws.String("orders")
		must(t)(c.CreateServiceWithContext(c.ctx, serviceRequest("orders", "web", instances("dev", "one", "two"))))
		if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
			t.Fatal(err)
		}
		must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: name}))
		time.Sleep(after)
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
			t.Fatalf("killed after %v: %v", after, err)
		}
		left, err := c.ListServiceInstancesWithContext(c.ctx, &proton.ListServiceInstancesInput{})
		if err != nil || len(left.ServiceInstances) != 0 {
			t.Errorf("killed after %v: instances left: %v, %v", after, left, err)
		}
	}
	must(t)(c.DeleteEnvironmentWithContext(c.ctx, &proton.DeleteEnvironmentInput{Name: aws.String("dev")}))
	s.kill()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the environment is gone", func() bool {
		_, err := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: aws.String("dev")})
		return code(err) == "ResourceNotFoundException"
	})
}

// The same while versions are registered.
func TestKillWhileRegistering(t *testing.T) {
	t.Parallel()
	s := own(t)
	c := clientOf(t, s)
	name := aws.String("vpc")
	must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: name}))
	source := c.upload(t, "vpc.tar.gz", environmentBundle(t, steps{provision: []string{"true"}}))
	for round := range 4 {
		var made []*proton.EnvironmentTemplateVersion
		for n := range 5 {
			in := &proton.CreateEnvironmentTemplateVersionInput{TemplateName: name, Source: source}
			if round+n > 0 {
				in.MajorVersion = aws.String("1")
			}
			out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, out.EnvironmentTemplateVersion)
		}
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		for n, v := range made {
			if want := fmt.Sprint(round*5 + n); *v.MinorVersion != want {
				t.Errorf("minor %s, want %s", *v.MinorVersion, want)
			}
			if err := c.WaitUntilEnvironmentTemplateVersionRegisteredWithContext(c.ctx, &proton.GetEnvironmentTemplateVersionInput{
				TemplateName: name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion,
			}, fast); err != nil {
				t.Errorf("version 1.%s: %v", *v.MinorVersion, err)
			}
		}
	}
}

// A server that is stopped in order leaves what it was doing to the next one.
func TestStopWhileCreating(t *testing.T) {
	t.Parallel()
	s := own(t)
	c := clientOf(t, s)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{"true"}}))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "plain", false, instanceBundle(t, steps{provision: []string{"sleep 1"}}), "vpc")
	name := aws.String("orders")
	must(t)(c.CreateServiceWithContext(c.ctx, &proton.CreateServiceInput{
		Name: name, TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"), Spec: aws.String(instances("dev", "one")),
	}))
	time.Sleep(200 * time.Millisecond)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
		t.Fatal(err)
	}
}
