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

// landscape is what the refusal tests start from: one environment and service
// templates with and without a pipeline, all versions in every status.
func landscape(t *testing.T) *client {
	t.Helper()
	c := fresh(t)
	nothing := steps{provision: []string{"true"}}
	c.environmentTemplate(t, "vpc", environmentBundle(t, nothing))
	c.environmentTemplate(t, "other", environmentBundle(t, nothing))
	c.environment(t, "dev", "vpc")
	c.environment(t, "strange", "other")
	c.serviceTemplate(t, "web", true, serviceBundle(t, nothing, nothing), "vpc")
	c.serviceTemplateVersion(t, "web", serviceBundle(t, nothing, nothing), false, "vpc") // 2.0, a draft
	c.serviceTemplate(t, "plain", false, instanceBundle(t, nothing), "vpc")
	return c
}

const badServiceSpec = "The provided Service Spec file was not correctly formatted. Please check that it is valid yaml according to the Spec definition."

// Each refusal has the exception and text that Proton's clients know, and
// leaves nothing behind.
func TestCreateServiceRefusals(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	failing := steps{provision: []string{"exit 1"}}
	c.environmentTemplate(t, "broken", environmentBundle(t, failing))
	must(t)(c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: aws.String("never"), TemplateName: aws.String("broken"), TemplateMajorVersion: aws.String("1"), Spec: aws.String(environmentSpec),
	}))
	eventually(t, "the broken environment has failed", func() bool {
		out, err := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: aws.String("never")})
		return err == nil && *out.Environment.DeploymentStatus == "FAILED"
	})
	unreadable, err := c.CreateServiceTemplateVersionWithContext(c.ctx, &proton.CreateServiceTemplateVersionInput{ // 3.0
		TemplateName: aws.String("web"), Source: c.upload(t, "junk.tar.gz", []byte("junk")), CompatibleEnvironmentTemplates: compatible("vpc"),
	})
	if err != nil || *unreadable.ServiceTemplateVersion.MajorVersion != "3" {
		t.Fatalf("%v, %v", unreadable, err)
	}
	eventually(t, "the unreadable version has failed", func() bool {
		out, err := c.GetServiceTemplateVersionWithContext(c.ctx, &proton.GetServiceTemplateVersionInput{
			TemplateName: aws.String("web"), MajorVersion: aws.String("3"), MinorVersion: aws.String("0"),
		})
		return err == nil && *out.ServiceTemplateVersion.Status == "REGISTRATION_FAILED"
	})
	before := c.everything(t)

	const trio = "repositoryConnectionArn, repositoryId and branchName are required for a service with a pipeline."
	good := instances("dev", "one")
	for name, test := range map[string]struct {
		change  func(in *proton.CreateServiceInput)
		code    string // empty: ValidationException
		message string
	}{
		"unknown template": {
			change: func(in *proton.CreateServiceInput) { in.TemplateName = aws.String("nope") },
			code:   "ResourceNotFoundException", message: "The requested service template does not exist: " + c.arn("service-template/nope"),
		},
		"environment template": {
			change: func(in *proton.CreateServiceInput) { in.TemplateName = aws.String("vpc") },
			code:   "ResourceNotFoundException", message: "The requested service template does not exist: " + c.arn("service-template/vpc"),
		},
		"unknown major": {
			change: func(in *proton.CreateServiceInput) { in.TemplateMajorVersion = aws.String("9") },
			code:   "ResourceNotFoundException", message: "The requested service template version does not exist: " + c.arn("service-template/web:9"),
		},
		"unknown minor": {
			change: func(in *proton.CreateServiceInput) { in.TemplateMinorVersion = aws.String("7") },
			code:   "ResourceNotFoundException", message: "The requested service template version does not exist: " + c.arn("service-template/web:1.7"),
		},
		"nothing published": {
			change:  func(in *proton.CreateServiceInput) { in.TemplateMajorVersion = aws.String("2") },
			message: "No published version of service template web is available for major version 2.",
		},
		"version that could not be registered": {
			change: func(in *proton.CreateServiceInput) {
				in.TemplateMajorVersion, in.TemplateMinorVersion = aws.String("3"), aws.String("0")
			},
			message: "Service template version " + c.arn("service-template/web:3.0") + " is not in a deployable state.",
		},
		"pipeline without connection": {change: func(in *proton.CreateServiceInput) { in.RepositoryConnectionArn = nil }, message: trio},
		"pipeline without repository": {change: func(in *proton.CreateServiceInput) { in.RepositoryId = nil }, message: trio},
		"pipeline without branch":     {change: func(in *proton.CreateServiceInput) { in.BranchName = nil }, message: trio},
		"repository without pipeline": {
			change:  func(in *proton.CreateServiceInput) { in.TemplateName = aws.String("plain") },
			message: "repositoryConnectionArn, repositoryId and branchName can't be specified: service template plain has no pipeline.",
		},
		"not YAML":              spec("proton: [", badServiceSpec),
		"not a mapping":         spec("- proton", badServiceSpec),
		"no proton":             spec("instances: []", badServiceSpec),
		"environment spec":      spec(environmentSpec, badServiceSpec),
		"instances not a list":  spec("proton: ServiceSpec\ninstances: {}\n", badServiceSpec),
		"without name":          spec("proton: ServiceSpec\ninstances:\n- environment: dev\n", badServiceSpec),
		"without environment":   spec("proton: ServiceSpec\ninstances:\n- name: one\n", badServiceSpec),
		"the same name twice":   spec(instances("dev", "one", "two", "one"), "Duplicate service instance name in spec: one"),
		"unknown environment":   notFound(spec(instances("nope", "one"), "The requested environment does not exist: "+c.arn("environment/nope"))),
		"other environment":     spec(instances("strange", "one"), "Environment strange is not compatible with service template version "+c.arn("service-template/web:1.0")+"."),
		"failed environment":    spec(instances("never", "one"), "Environment never has not been deployed successfully; its deployment status is FAILED."),
		"one of several is bad": spec(strings.Replace(instances("dev", "one", "two"), "8081", "99999", 1), ""),
		"reserved tag": {
			change: func(in *proton.CreateServiceInput) {
				in.Tags = []*proton.Tag{{Key: aws.String("AWS:x"), Value: aws.String("y")}}
			},
			message: `Tag key "AWS:x" is not allowed: keys that start with aws: are reserved.`,
		},
		"tag twice": {
			change: func(in *proton.CreateServiceInput) {
				in.Tags = []*proton.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("a"), Value: aws.String("2")}}
			},
			message: `Tag key "a" is given more than once.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := serviceRequest("refused", "web", good)
			test.change(in)
			_, err := c.CreateServiceWithContext(c.ctx, in)
			if test.code == "" {
				test.code = "ValidationException"
			}
			if test.message == "" || test.message == badServiceSpec { // and then what is wrong, and on which line
				if code(err) != test.code || !strings.Contains(err.Error(), test.message) {
					t.Errorf("got %v, want %s: %s", err, test.code, test.message)
				}
				return
			}
			refused(t, "refusal", err, test.code, test.message)
		})
	}
	diff(t, "what is there after the refusals", before, c.everything(t))
}

type refusal = struct {
	change  func(in *proton.CreateServiceInput)
	code    string
	message string
}

func spec(text, message string) refusal {
	return refusal{change: func(in *proton.CreateServiceInput) { in.Spec = &text }, message: message}
}

func notFound(r refusal) refusal {
	r.code = "ResourceNotFoundException"
	return r
}

// A value that the schema does not allow is refused with its place and what
// would be right.
func TestSpecValuesAgainstTheSchema(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	before := c.everything(t)
	for name, test := range map[string]struct {
		pipeline, instance string // flow mappings
		place              string // of the problem; empty: accepted
	}{
		"required is missing":   {instance: "{}", place: "instances[one].spec.port"},
		"no inputs at all":      {instance: "", place: "instances[one].spec.port"},
		"not a number":          {instance: "{port: eighty}", place: "instances[one].spec.port"},
		"under the minimum":     {instance: "{port: 0}", place: "instances[one].spec.port"},
		"over the maximum":      {instance: "{port: 65536}", place: "instances[one].spec.port"},
		"not in the enum":       {instance: "{port: 80, tier: db}", place: "instances[one].spec.tier"},
		"against the pattern":   {instance: "{port: 80, path: orders}", place: "instances[one].spec.path"},
		"not a boolean":         {instance: "{port: 80, public: maybe}", place: "instances[one].spec.public"},
		"list for a scalar":     {instance: "{port: [80]}", place: "instances[one].spec.port"},
		"mapping for a scalar":  {instance: "{port: {a: 80}}", place: "instances[one].spec.port"},
		"bad pipeline input":    {instance: "{port: 80}", pipeline: "{retries: many}", place: "pipeline.retries"},
		"fraction for integer":  {instance: "{port: 80}", pipeline: "{retries: 1.5}", place: "pipeline.retries"},
		"placeholder of update": {instance: `{port: "${Proton::CURRENT_VAL}"}`, place: "instances[one].spec.port"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "proton: ServiceSpec\n"
			if test.pipeline != "" {
				text += "pipeline: " + test.pipeline + "\n"
			}
			text += "instances:\n- name: one\n  environment: dev\n"
			if test.instance != "" {
				text += "  spec: " + test.instance + "\n"
			}
			_, err := c.CreateServiceWithContext(c.ctx, serviceRequest("refused", "web", text))
			if code(err) != "ValidationException" || !strings.Contains(err.Error(), "Spec validation failed: "+test.place+": ") {
				t.Errorf("got %v, want a ValidationException about %s", err, test.place)
			}
		})
	}
	diff(t, "what is there after the refusals", before, c.everything(t))
}

// All problems of a spec come at once, a line for each.
func TestEveryProblemOfASpecIsReported(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	text := "proton: ServiceSpec\npipeline: {retries: many}\ninstances:\n" +
		"- {name: one, environment: dev, spec: {port: 0, tier: db}}\n- {name: two, environment: dev}\n"
	_, err := c.CreateServiceWithContext(c.ctx, serviceRequest("refused", "web", text))
	if code(err) != "ValidationException" {
		t.Fatal(err)
	}
	for _, place := range []string{"pipeline.retries: ", "instances[one].spec.port: ", "instances[one].spec.tier: ", "instances[two].spec.port: "} {
		if n := strings.Count(err.Error(), "Spec validation failed: "+place); n != 1 {
			t.Errorf("%d lines about %sin:\n%v", n, place, err)
		}
	}
}

// Unknown names are accepted, as they always were.
func TestUnknownInputsAreAccepted(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	text := "proton: ServiceSpec\nowner: shop\ninstances:\n- name: one\n  environment: dev\n  colour: red\n  spec: {port: '80', prot: 81}\n"
	must(t)(c.CreateServiceWithContext(c.ctx, serviceRequest("lenient", "web", text)))
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: aws.String("lenient")}, fast); err != nil {
		t.Error(err)
	}
}

// An instance that fails takes the pipeline with it; its siblings end on their
// own. What failed can be deleted.
func TestFailedInstance(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{environmentOutputs}}))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "web", true, serviceBundle(t,
		steps{provision: []string{`case $RESOURCE_ARN in */bad) echo "no such subnet"; exit 7;; esac`, "sleep 0.2"}},
		steps{provision: []string{"hadron-notify Ran=yes"}}), "vpc")
	must(t)(c.CreateServiceWithContext(c.ctx, serviceRequest("orders", "web", instances("dev", "good", "bad"))))
	name := aws.String("orders")
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); code(err) != "ResourceNotReady" {
		t.Errorf("waiter on a service that fails: %v", err)
	}
	out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if got := *out.Service.Status; got != "CREATE_FAILED" {
		t.Errorf("service status: %s", got)
	}
	p := out.Service.Pipeline
	message := "Service Instance(s): [" + c.arn("service/orders/service-instance/bad") + "] failed to deploy - canceling pipeline deployment"
	if aws.StringValue(p.DeploymentStatus) != "FAILED" || aws.StringValue(p.DeploymentStatusMessage) != message {
		t.Errorf("pipeline is %s: %q, want FAILED: %q", aws.StringValue(p.DeploymentStatus), aws.StringValue(p.DeploymentStatusMessage), message)
	}
	for instance, want := range map[string]string{"good": "SUCCEEDED", "bad": "FAILED"} {
		i, err := c.GetServiceInstanceWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: name, Name: &instance})
		if err != nil {
			t.Fatal(err)
		}
		if got := *i.ServiceInstance.DeploymentStatus; got != want {
			t.Errorf("instance %s: %s, want %s", instance, got, want)
		}
		if why := aws.StringValue(i.ServiceInstance.DeploymentStatusMessage); instance == "bad" && !strings.Contains(why, "exited with 7") {
			t.Errorf("message: %q, want it to name the command and its exit code", why)
		}
	}
	if none, err := c.ListServicePipelineOutputsWithContext(c.ctx, &proton.ListServicePipelineOutputsInput{ServiceName: name}); err != nil || len(none.Outputs) > 0 {
		t.Errorf("outputs of a pipeline that never ran: %v, %v", none, err)
	}
	again, err := c.CreateServiceWithContext(c.ctx, serviceRequest("orders", "web", instances("dev", "good", "bad")))
	if err != nil || *again.Service.Status != "CREATE_FAILED" {
		t.Errorf("the same call again: %v, %v", again, err)
	}
	must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: name}))
	if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
		t.Fatal(err)
	}
	c.deleteEnvironment(t, "dev")
}

// A service whose removal fails says so and can be removed once more.
func TestFailedDeleteCanBeRetried(t *testing.T) {
	t.Parallel()
	c, gate := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{"true"}}))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "plain", false, instanceBundle(t, steps{
		provision:   []string{"true"},
		deprovision: []string{"case $RESOURCE_ARN in */two) test -e '" + gate + "'/mended;; esac"},
	}), "vpc")
	name := aws.String("orders")
	must(t)(c.CreateServiceWithContext(c.ctx, &proton.CreateServiceInput{
		Name: name, TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"), Spec: aws.String(instances("dev", "one", "two")),
	}))
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
		t.Fatal(err)
	}
	must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: name}))
	if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); code(err) != "ResourceNotReady" {
		t.Fatalf("waiter on a delete that fails: %v", err)
	}
	out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: name})
	if err != nil || *out.Service.Status != "DELETE_FAILED" || aws.StringValue(out.Service.StatusMessage) == "" {
		t.Fatalf("service: %v, %v", out, err)
	}
	left, err := c.ListServiceInstancesWithContext(c.ctx, &proton.ListServiceInstancesInput{ServiceName: name})
	if err != nil || len(left.ServiceInstances) != 1 || *left.ServiceInstances[0].DeploymentStatus != "DELETE_FAILED" {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(gate, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: name}))
	if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
		t.Errorf("second delete: %v", err)
	}
}

// A service may start without instances, or without a pipeline.
func TestServicesOfOtherShapes(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	for name, in := range map[string]*proton.CreateServiceInput{
		"pipeline-only": serviceRequest("pipeline-only", "web", "proton: ServiceSpec\npipeline: {dockerfile: D}\n"),
		"empty-list":    serviceRequest("empty-list", "web", "proton: ServiceSpec\ninstances: []\n"),
		"no-pipeline": {
			Name: aws.String("no-pipeline"), TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"),
			Spec: aws.String("proton: \"ServiceSpec\"\npipeline: {}\n" + strings.TrimPrefix(instances("dev", "one"), "proton: ServiceSpec\n")),
		},
		"draft": func() *proton.CreateServiceInput {
			in := serviceRequest("draft", "web", instances("dev", "one", "two", "three"))
			in.TemplateMajorVersion, in.TemplateMinorVersion = aws.String("2"), aws.String("0")
			return in
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			must(t)(c.CreateServiceWithContext(c.ctx, in))
			if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: in.Name}, fast); err != nil {
				t.Fatal(err)
			}
			out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: in.Name})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := out.Service.Pipeline != nil, in.RepositoryId != nil; got != want {
				t.Errorf("has a pipeline: %v, want %v", got, want)
			}
			must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: in.Name}))
			if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: in.Name}, fast); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Names and texts may be as long as Proton allowed, and no longer.
func TestLimitsOfCreateService(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	long := strings.Repeat("n", 100)
	pad := func(text string, n int) string { return text + "#" + strings.Repeat("x", n-len(text)-1) }
	in := serviceRequest(long, "web", pad(instances("dev", long), 51200))
	in.Description, in.RepositoryId, in.BranchName = aws.String(strings.Repeat("é", 500)), aws.String(strings.Repeat("r", 200)), aws.String(strings.Repeat("b", 200))
	for n := range 50 {
		in.Tags = append(in.Tags, &proton.Tag{Key: aws.String(fmt.Sprintf("%0128d", n)), Value: aws.String(strings.Repeat("v", 256))})
	}
	out, err := c.CreateServiceWithContext(c.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "spec", in.Spec, out.Service.Spec)
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: &long}, fast); err != nil {
		t.Fatal(err)
	}
	instance := c.arn("service/" + long + "/service-instance/" + long)
	if got := len(c.tags(t, instance)); got != 55 {
		t.Errorf("%d tags on an instance with a long ARN, want 50 and 5 managed ones", got)
	}
	const one, two = "1 validation error detected: ", "2 validation errors detected: "
	const namePattern = `Member must satisfy regular expression pattern: ^[0-9A-Za-z]+[0-9A-Za-z_\-]*$`
	for name, test := range map[string]struct {
		change  func(in *proton.CreateServiceInput)
		message string
	}{
		"name of 101": {
			func(in *proton.CreateServiceInput) { in.Name = aws.String(long + "n") },
			one + "Value '" + long + "n' at 'name' failed to satisfy constraint: Member must have length less than or equal to 100",
		},
		"name with a dot": {
			func(in *proton.CreateServiceInput) { in.Name = aws.String("a.b") },
			one + "Value 'a.b' at 'name' failed to satisfy constraint: " + namePattern,
		},
		"name that starts with a hyphen": {
			func(in *proton.CreateServiceInput) { in.Name = aws.String("-a") },
			one + "Value '-a' at 'name' failed to satisfy constraint: " + namePattern,
		},
		"name with a line end": {
			func(in *proton.CreateServiceInput) { in.Name = aws.String("a\n") },
			one + "Value 'a\n' at 'name' failed to satisfy constraint: " + namePattern,
		},
		"template name": {
			func(in *proton.CreateServiceInput) { in.TemplateName = aws.String("a/b") },
			one + "Value 'a/b' at 'templateName' failed to satisfy constraint: " + namePattern,
		},
		"spec of 51201": {
			func(in *proton.CreateServiceInput) { in.Spec = aws.String(pad(*in.Spec, 51201)) },
			one + "Value at 'spec' failed to satisfy constraint: Member must have length less than or equal to 51200",
		},
		"description of 501": {
			func(in *proton.CreateServiceInput) { in.Description = aws.String(strings.Repeat("é", 501)) },
			one + "Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 500",
		},
		"51 tags": {
			func(in *proton.CreateServiceInput) {
				for n := range 51 {
					in.Tags = append(in.Tags, &proton.Tag{Key: aws.String(fmt.Sprint(n)), Value: aws.String("")})
				}
			}, "",
		},
		"two failures": {
			func(in *proton.CreateServiceInput) {
				in.TemplateMajorVersion, in.TemplateMinorVersion = aws.String("one"), aws.String("x")
			},
			two + "Value 'one' at 'templateMajorVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(0|([1-9]{1}\\d*))$; " +
				"Value 'x' at 'templateMinorVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(0|([1-9]{1}\\d*))$",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := serviceRequest("refused", "web", instances("dev", "one"))
			test.change(in)
			_, err := c.CreateServiceWithContext(c.ctx, in)
			if test.message == "" {
				if code(err) != "ValidationException" {
					t.Errorf("got %v", err)
				}
				return
			}
			refused(t, "refusal", err, "ValidationException", test.message)
		})
	}
	services, err := c.ListServicesWithContext(c.ctx, &proton.ListServicesInput{})
	if err != nil || len(services.Services) != 1 {
		t.Errorf("services after the refusals: %v, %v", services, err)
	}
}
