package gosdk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// serviceTemplateMinor registers and publishes another minor of major 1.
func (c *client) serviceTemplateMinor(t *testing.T, name string, bundle []byte, environmentTemplates ...*proton.CompatibleEnvironmentTemplateInput) {
	t.Helper()
	out, err := c.CreateServiceTemplateVersionWithContext(c.ctx, &proton.CreateServiceTemplateVersionInput{
		TemplateName: &name, MajorVersion: aws.String("1"), Source: c.upload(t, name+".tar.gz", bundle), CompatibleEnvironmentTemplates: environmentTemplates,
	})
	if err != nil {
		t.Fatal(err)
	}
	v := out.ServiceTemplateVersion
	if err := c.WaitUntilServiceTemplateVersionRegisteredWithContext(c.ctx, &proton.GetServiceTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion,
	}, fast); err != nil {
		t.Fatal(err)
	}
	must(t)(c.UpdateServiceTemplateVersionWithContext(c.ctx, &proton.UpdateServiceTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: aws.String("PUBLISHED"),
	}))
}

// plainService makes a service without a pipeline and waits for it.
func (c *client) plainService(t *testing.T, name, spec string) {
	t.Helper()
	must(t)(c.CreateServiceWithContext(c.ctx, &proton.CreateServiceInput{
		Name: &name, TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"), Spec: &spec,
	}))
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: &name}, fast); err != nil {
		t.Fatal(err)
	}
}

func (c *client) getEnvironment(t *testing.T, name string) *proton.Environment {
	t.Helper()
	out, err := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Environment
}

func (c *client) getService(t *testing.T, name string) *proton.Service {
	t.Helper()
	out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Service
}

func (c *client) getInstance(t *testing.T, service, name string) *proton.ServiceInstance {
	t.Helper()
	out, err := c.GetServiceInstanceWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: &service, Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.ServiceInstance
}

func (c *client) getDeployment(t *testing.T, id *string) *proton.Deployment {
	t.Helper()
	out, err := c.GetDeploymentWithContext(c.ctx, &proton.GetDeploymentInput{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	return out.Deployment
}

// touch makes a file that commands wait for.
func touch(t *testing.T, parts ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(parts...), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func version(major, minor *string) string {
	return aws.StringValue(major) + "." + aws.StringValue(minor)
}

// An environment goes through every type of update; while one runs, Get shows
// what was deployed before.
func TestUpdateEnvironment(t *testing.T) {
	t.Parallel()
	c, gate := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{environmentOutputs}}))
	c.environment(t, "dev", "vpc")
	c.environmentTemplateVersion(t, "vpc", "1", environmentBundle(t, steps{provision: []string{"until test -e '" + gate + "'/go; do sleep 0.02; done"}}))
	nothing := steps{provision: []string{"true"}}
	name := aws.String("dev")
	update := func(kind, major, minor, spec string) (*proton.UpdateEnvironmentOutput, error) {
		in := &proton.UpdateEnvironmentInput{Name: name, DeploymentType: &kind}
		for _, m := range []struct {
			to   **string
			text string
		}{{&in.TemplateMajorVersion, major}, {&in.TemplateMinorVersion, minor}, {&in.Spec, spec}} {
			if m.text != "" {
				*m.to = &m.text
			}
		}
		return c.UpdateEnvironmentWithContext(c.ctx, in)
	}
	deployed := func() *proton.Environment {
		t.Helper()
		if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: name}, fast); err != nil {
			t.Fatal(err)
		}
		return c.getEnvironment(t, "dev")
	}

	const forbidden = "templateMajorVersion and templateMinorVersion can't be specified with deploymentType "
	const invalid, missing = "ValidationException", "ResourceNotFoundException"
	before := c.getEnvironment(t, "dev")
	for what, r := range map[string]struct{ kind, major, minor, spec, code, message string }{
		"major with CURRENT_VERSION": {"CURRENT_VERSION", "1", "", "", invalid, forbidden + "CURRENT_VERSION."},
		"minor with CURRENT_VERSION": {"CURRENT_VERSION", "", "0", "", invalid, forbidden + "CURRENT_VERSION."},
		"major with NONE":            {"NONE", "1", "", "", invalid, forbidden + "NONE."},
		"minor with NONE":            {"NONE", "", "0", "", invalid, forbidden + "NONE."},
		"spec with NONE":             {"NONE", "", "", "proton: EnvironmentSpec\nspec: {size: small}\n", invalid, "spec can't be changed with deploymentType NONE."},
		"unknown minor": {"MINOR_VERSION", "", "9", "", missing,
			"The requested environment template version does not exist: " + c.arn("environment-template/vpc:1.9")},
		"unknown major":                  {"MAJOR_VERSION", "9", "", "", missing, ""},
		"the major in use":               {"MAJOR_VERSION", "1", "", "", invalid, "The template major version must be higher than the major version in use."},
		"no higher major":                {"MAJOR_VERSION", "", "", "", invalid, "The template major version must be higher than the major version in use."},
		"another major as MINOR_VERSION": {"MINOR_VERSION", "2", "", "", invalid, ""},
		"value out of the enum":          {"CURRENT_VERSION", "", "", "proton: EnvironmentSpec\nspec: {size: xl}\n", invalid, ""},
		"a service spec":                 {"CURRENT_VERSION", "", "", instances("dev", "one"), invalid, ""},
		"a type that is none":            {"OTHER", "", "", "", invalid, "1 validation error detected: Value 'OTHER' at 'deploymentType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, CURRENT_VERSION, MINOR_VERSION, MAJOR_VERSION]"},
	} {
		_, err := update(r.kind, r.major, r.minor, r.spec)
		if r.message != "" {
			refused(t, what, err, r.code, r.message)
		} else if code(err) != r.code {
			t.Errorf("%s: %v, want %s", what, err, r.code)
		}
	}
	diff(t, "environment after the refusals", before, c.getEnvironment(t, "dev"))

	// NONE: metadata at once.
	out, err := c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{
		Name: name, DeploymentType: aws.String("NONE"), Description: aws.String("ours"), Spec: aws.String(environmentSpec),
		ComponentRoleArn: aws.String("arn:aws:iam::" + account + ":role/components"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := *before
	want.Description, want.ComponentRoleArn = aws.String("ours"), aws.String("arn:aws:iam::"+account+":role/components")
	diff(t, "answer of NONE", &want, out.Environment)
	diff(t, "environment after NONE", &want, c.getEnvironment(t, "dev"))

	// CURRENT_VERSION with placeholders keeps the values and writes them out.
	must(t)(update("CURRENT_VERSION", "", "", "proton: EnvironmentSpec\nspec:\n  size: \"${Proton::CURRENT_VAL}\" # as it is\n  zones: 4\n"))
	e := deployed()
	if want := "proton: EnvironmentSpec\nspec:\n  size: \"large\" # as it is\n  zones: 4\n"; *e.Spec != want {
		t.Errorf("spec with the current value: %q, want %q", *e.Spec, want)
	}
	if version(e.TemplateMajorVersion, e.TemplateMinorVersion) != "1.0" {
		t.Errorf("CURRENT_VERSION took it to %s.%s", *e.TemplateMajorVersion, *e.TemplateMinorVersion)
	}

	// MINOR_VERSION: the recommended one; the old one shows until it succeeded.
	answer, err := update("MINOR_VERSION", "1", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, shown := range map[string]*proton.Environment{"answer": answer.Environment, "Get": c.getEnvironment(t, "dev")} {
		if got := version(shown.TemplateMajorVersion, shown.TemplateMinorVersion); got != "1.0" || *shown.DeploymentStatus != "IN_PROGRESS" || *shown.Spec != *e.Spec {
			t.Errorf("%s while the update runs: %s %s %q", what, got, *shown.DeploymentStatus, *shown.Spec)
		}
		if *shown.LastSucceededDeploymentId != *e.LastSucceededDeploymentId || *shown.LastAttemptedDeploymentId == *e.LastAttemptedDeploymentId {
			t.Errorf("%s while the update runs: deployments %s and %s", what, *shown.LastSucceededDeploymentId, *shown.LastAttemptedDeploymentId)
		}
	}
	_, err = update("CURRENT_VERSION", "", "", "")
	if code(err) != "ConflictException" {
		t.Errorf("a second update: %v", err)
	}
	for _, minor := range []string{"0", "1"} { // the one that runs and the one that is to run
		if _, err := c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
			TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), MinorVersion: &minor}); code(err) != "ConflictException" {
			t.Errorf("version 1.%s in use was deleted: %v", minor, err)
		}
	}
	touch(t, gate, "go")
	f := deployed()
	if got := version(f.TemplateMajorVersion, f.TemplateMinorVersion); got != "1.1" || *f.Spec != *e.Spec {
		t.Errorf("after the update: %s %q", got, *f.Spec)
	}
	d := c.getDeployment(t, f.LastSucceededDeploymentId)
	state := func(minor string) *proton.DeploymentState {
		return &proton.DeploymentState{Environment: &proton.EnvironmentState{
			TemplateName: aws.String("vpc"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: &minor, Spec: e.Spec}}
	}
	diff(t, "initial state", state("0"), d.InitialState)
	diff(t, "target state", state("1"), d.TargetState)
	if *d.LastSucceededDeploymentId != *e.LastSucceededDeploymentId || *d.LastAttemptedDeploymentId != *e.LastAttemptedDeploymentId {
		t.Errorf("predecessors: %v", d)
	}
	// A lower minor can be asked for.
	must(t)(update("MINOR_VERSION", "", "0", ""))
	if e = deployed(); *e.TemplateMinorVersion != "0" {
		t.Errorf("back to 1.0: %s", *e.TemplateMinorVersion)
	}
	// Version 1.1 is no longer used, but recommended; 2.0 takes that from it.
	c.environmentTemplateVersion(t, "vpc", "", environmentBundle(t, nothing))
	must(t)(c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
		TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), MinorVersion: aws.String("1")}))
	must(t)(update("MAJOR_VERSION", "", "", environmentSpec))
	if e = deployed(); version(e.TemplateMajorVersion, e.TemplateMinorVersion) != "2.0" || *e.Spec != environmentSpec {
		t.Errorf("after MAJOR_VERSION: %v", e)
	}
	must(t)(c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
		TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), MinorVersion: aws.String("0")}))
}

// An update that fails leaves what was deployed in force, and another follows.
func TestFailedUpdateKeepsWhatWasDeployed(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{
		"if grep -q small proton-inputs.json; then echo no room; exit 9; fi", environmentOutputs}}))
	c.environment(t, "dev", "vpc")
	before := c.getEnvironment(t, "dev")
	in := &proton.UpdateEnvironmentInput{Name: aws.String("dev"), DeploymentType: aws.String("CURRENT_VERSION"),
		Spec: aws.String("proton: EnvironmentSpec\nspec: {size: small}\n")}
	must(t)(c.UpdateEnvironmentWithContext(c.ctx, in))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: in.Name}, fast); code(err) != "ResourceNotReady" {
		t.Fatalf("waiter on an update that fails: %v", err)
	}
	after := c.getEnvironment(t, "dev")
	if !strings.Contains(aws.StringValue(after.DeploymentStatusMessage), "exited with 9") || *after.Spec != *before.Spec ||
		!after.LastDeploymentSucceededAt.Equal(*before.LastDeploymentSucceededAt) || !after.LastDeploymentAttemptedAt.After(*before.LastDeploymentAttemptedAt) {
		t.Errorf("after the failure: %v", after)
	}
	list, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: in.Name})
	if err != nil || outputs(list.Outputs)["VpcId"] != "vpc-1" {
		t.Errorf("outputs after the failure: %v, %v", list, err)
	}
	// The record of the failure can go, that of what is in force can't.
	must(t)(c.DeleteDeploymentWithContext(c.ctx, &proton.DeleteDeploymentInput{Id: after.LastAttemptedDeploymentId}))
	if _, err := c.GetDeploymentWithContext(c.ctx, &proton.GetDeploymentInput{Id: after.LastAttemptedDeploymentId}); code(err) != "ResourceNotFoundException" {
		t.Errorf("the deleted deployment: %v", err)
	}
	gone, err := c.DeleteDeploymentWithContext(c.ctx, &proton.DeleteDeploymentInput{Id: after.LastAttemptedDeploymentId})
	if err != nil || gone.Deployment != nil {
		t.Errorf("a second delete: %v, %v", gone, err)
	}
	if _, err := c.DeleteDeploymentWithContext(c.ctx, &proton.DeleteDeploymentInput{Id: before.LastSucceededDeploymentId}); code(err) != "ValidationException" {
		t.Errorf("the last succeeded deployment was deleted: %v", err)
	}
	in.Spec = nil
	must(t)(c.UpdateEnvironmentWithContext(c.ctx, in))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: in.Name}, fast); err != nil {
		t.Fatal(err)
	}
}

// A customer-managed environment offers what its spec says; an update replaces
// it at once and instances see it at their next deployment.
func TestUpdateCustomerManagedEnvironment(t *testing.T) {
	t.Parallel()
	c, marks := fresh(t), t.TempDir()
	must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: aws.String("given"), Provisioning: aws.String("CUSTOMER_MANAGED")}))
	schema := "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: Out\n  types:\n    Out:\n      type: object\n      properties:\n        VpcId: {type: string}\n        Zone: {type: string}\n"
	c.environmentTemplateVersion(t, "given", "", pack(t, files{"schema/schema.yaml": schema}))
	must(t)(c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: aws.String("dev"), TemplateName: aws.String("given"), TemplateMajorVersion: aws.String("1"),
		Spec: aws.String("proton: EnvironmentSpec\nspec: {VpcId: vpc-9, Zone: a}\n"),
	}))
	c.serviceTemplate(t, "plain", false, instanceBundle(t, steps{provision: []string{"cp proton-inputs.json '" + marks + "'/inputs.json"}}), "given")
	c.plainService(t, "orders", instances("dev", "one"))
	seen := func() any {
		return readJSON(t, filepath.Join(marks, "inputs.json")).(map[string]any)["environment"].(map[string]any)["outputs"]
	}
	diff(t, "what the instance saw", map[string]any{"VpcId": "vpc-9", "Zone": "a"}, seen())
	out, err := c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{
		Name: aws.String("dev"), DeploymentType: aws.String("CURRENT_VERSION"), Spec: aws.String("proton: EnvironmentSpec\nspec: {VpcId: vpc-10}\n"),
	})
	if err != nil || *out.Environment.DeploymentStatus != "SUCCEEDED" || !strings.Contains(*out.Environment.Spec, "vpc-10") {
		t.Fatalf("update: %v, %v", out, err)
	}
	list, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "outputs after the update", map[string]string{"VpcId": "vpc-10"}, outputs(list.Outputs))
	must(t)(c.UpdateServiceInstanceWithContext(c.ctx, &proton.UpdateServiceInstanceInput{
		ServiceName: aws.String("orders"), Name: aws.String("one"), DeploymentType: aws.String("CURRENT_VERSION")}))
	if err := c.WaitUntilServiceInstanceDeployedWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: aws.String("orders"), Name: aws.String("one")}, fast); err != nil {
		t.Fatal(err)
	}
	diff(t, "what the instance saw after the update", map[string]any{"VpcId": "vpc-10"}, seen())
	state := c.getDeployment(t, c.getInstance(t, "orders", "one").LastSucceededDeploymentId).TargetState.ServiceInstance
	if got, want := aws.StringValue(state.LastSuccessfulEnvironmentDeploymentId), *c.getEnvironment(t, "dev").LastSucceededDeploymentId; got != want {
		t.Errorf("the instance's inputs came of environment deployment %s, want %s", got, want)
	}
}

// Counts say what is behind its template's recommended version.
func TestStalenessCounts(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	nothing := steps{provision: []string{"true"}}
	c.environmentTemplate(t, "vpc", environmentBundle(t, nothing))
	c.environment(t, "one", "vpc")
	c.environment(t, "two", "vpc")
	check := func(when, want string) {
		t.Helper()
		out, err := c.GetResourcesSummaryWithContext(c.ctx, &proton.GetResourcesSummaryInput{})
		if err != nil {
			t.Fatal(err)
		}
		r := out.Counts.Environments
		got := fmt.Sprintf("%d: %d failed, %d up to date, %d minor, %d major", *r.Total, *r.Failed, *r.UpToDate, *r.BehindMinor, *r.BehindMajor)
		if got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check("at first", "2: 0 failed, 2 up to date, 0 minor, 0 major")
	c.environmentTemplateVersion(t, "vpc", "1", environmentBundle(t, nothing))
	check("after a minor", "2: 0 failed, 0 up to date, 2 minor, 0 major")
	update := func(name, kind string) {
		t.Helper()
		must(t)(c.UpdateEnvironmentWithContext(c.ctx, &proton.UpdateEnvironmentInput{Name: &name, DeploymentType: &kind}))
		if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &name}, fast); err != nil {
			t.Fatal(err)
		}
	}
	update("one", "MINOR_VERSION")
	check("after one is updated", "2: 0 failed, 1 up to date, 1 minor, 0 major")
	c.environmentTemplateVersion(t, "vpc", "", environmentBundle(t, nothing))
	check("after a major", "2: 0 failed, 0 up to date, 0 minor, 2 major")
	update("two", "MAJOR_VERSION")
	check("after the other is upgraded", "2: 0 failed, 1 up to date, 0 minor, 1 major")
}
