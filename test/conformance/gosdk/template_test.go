package gosdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// Versions are numbered, recommended, published and deleted as Proton did it.
func TestTemplateVersions(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	name := aws.String("vpc")
	bundle := environmentBundle(t, steps{provision: []string{"true"}})
	created, err := c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{
		Name: name, DisplayName: aws.String("Network"), Description: aws.String("A network"), EncryptionKey: aws.String("arn:aws:kms:eu-west-1:111122223333:key/k"),
		Tags: []*proton.Tag{{Key: aws.String("owner"), Value: aws.String("platform")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	et := created.EnvironmentTemplate
	diff(t, "template", &proton.EnvironmentTemplate{
		Name: name, Arn: aws.String(c.arn("environment-template/vpc")), DisplayName: aws.String("Network"), Description: aws.String("A network"),
		EncryptionKey: aws.String("arn:aws:kms:eu-west-1:111122223333:key/k"), CreatedAt: et.CreatedAt, LastModifiedAt: et.CreatedAt,
	}, et)

	_, err = c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: name, MajorVersion: aws.String("1"), Source: c.upload(t, "b", bundle),
	})
	refused(t, "first version with a major", err, "ResourceNotFoundException", "The requested template major version does not exist: "+c.arn("environment-template/vpc:1"))

	out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: name, Description: aws.String("first"), Source: c.upload(t, "b", bundle), ClientToken: aws.String("token-1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	v := out.EnvironmentTemplateVersion
	diff(t, "version", &proton.EnvironmentTemplateVersion{
		Arn: aws.String(c.arn("environment-template/vpc:1.0")), TemplateName: name, MajorVersion: aws.String("1"), MinorVersion: aws.String("0"),
		Description: aws.String("first"), Status: aws.String("REGISTRATION_IN_PROGRESS"), CreatedAt: v.CreatedAt, LastModifiedAt: v.CreatedAt,
	}, v)
	get := &proton.GetEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: aws.String("1"), MinorVersion: aws.String("0")}
	if err := c.WaitUntilEnvironmentTemplateVersionRegisteredWithContext(c.ctx, get, fast); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetEnvironmentTemplateVersionWithContext(c.ctx, get)
	if err != nil {
		t.Fatal(err)
	}
	draft := got.EnvironmentTemplateVersion
	if *draft.Status != "DRAFT" || aws.StringValue(draft.Schema) != environmentSchema || draft.StatusMessage == nil || *draft.StatusMessage != "" || draft.RecommendedMinorVersion != nil {
		t.Errorf("registered version: %v", draft)
	}
	diff(t, "inherited tags", [][2]string{{"aws:proton:account", account}, {"aws:proton:template", c.arn("environment-template/vpc")}, {"owner", "platform"}},
		c.tags(t, *draft.Arn))

	again, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: name, Description: aws.String("first"), Source: c.upload(t, "b", bundle), ClientToken: aws.String("token-1"),
	})
	if err != nil || *again.EnvironmentTemplateVersion.MinorVersion != "0" || *again.EnvironmentTemplateVersion.Status != "DRAFT" {
		t.Errorf("same token, same parameters: %v, %v", again, err)
	}
	_, err = c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: name, Description: aws.String("second"), Source: c.upload(t, "b", bundle), ClientToken: aws.String("token-1"),
	})
	refused(t, "same token, other parameters", err, "ValidationException", "Idempotent parameter mismatch")

	recommended := func(want string) {
		t.Helper()
		out, err := c.GetEnvironmentTemplateWithContext(c.ctx, &proton.GetEnvironmentTemplateInput{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.StringValue(out.EnvironmentTemplate.RecommendedVersion); got != want {
			t.Errorf("recommended version %q, want %q", got, want)
		}
	}
	recommended("")
	publish := &proton.UpdateEnvironmentTemplateVersionInput{
		TemplateName: name, MajorVersion: aws.String("1"), MinorVersion: aws.String("0"), Status: aws.String("PUBLISHED"),
	}
	for range 2 {
		published, err := c.UpdateEnvironmentTemplateVersionWithContext(c.ctx, publish)
		if err != nil || *published.EnvironmentTemplateVersion.Status != "PUBLISHED" || *published.EnvironmentTemplateVersion.RecommendedMinorVersion != "0" {
			t.Errorf("publish: %v, %v", published, err)
		}
	}
	recommended("1.0")
	publish.Status = aws.String("DRAFT")
	if _, err := c.UpdateEnvironmentTemplateVersionWithContext(c.ctx, publish); code(err) != "ValidationException" {
		t.Errorf("back to draft: %v", err)
	}

	for _, want := range []struct{ major, got string }{{"1", "1.1"}, {"", "2.0"}, {"1", "1.2"}, {"2", "2.1"}} {
		major, minor := c.environmentTemplateVersion(t, "vpc", want.major, bundle)
		if got := major + "." + minor; got != want.got {
			t.Errorf("new version of major %q is %s, want %s", want.major, got, want.got)
		}
	}
	recommended("2.1")
	c.checkVersionDeletes(t, recommended)
}

func (c *client) checkVersionDeletes(t *testing.T, recommended func(string)) {
	t.Helper()
	remove := func(major, minor string) error {
		_, err := c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
			TemplateName: aws.String("vpc"), MajorVersion: &major, MinorVersion: &minor,
		})
		return err
	}
	refused(t, "recommended", remove("2", "1"), "ConflictException", "Recommended template version "+c.arn("environment-template/vpc:2.1")+" can't be deleted.")
	_, err := c.DeleteEnvironmentTemplateWithContext(c.ctx, &proton.DeleteEnvironmentTemplateInput{Name: aws.String("vpc")})
	refused(t, "template with versions", err, "ConflictException",
		"Template "+c.arn("environment-template/vpc")+" can't be deleted because it has template versions.")
	c.environment(t, "dev", "vpc") // at 1.2
	refused(t, "in use", remove("1", "2"), "ConflictException", "Template version "+c.arn("environment-template/vpc:1.2")+" can't be deleted because it is in use.")
	for range 2 { // a repeat, and what never was, answer an empty object
		if err := remove("1", "0"); err != nil {
			t.Error(err)
		}
	}
	if err := remove("7", "0"); err != nil {
		t.Error(err)
	}
	if major, minor := c.environmentTemplateVersion(t, "vpc", "1", environmentBundle(t, steps{provision: []string{"true"}})); major+"."+minor != "1.3" {
		t.Errorf("after a delete the next version is %s.%s, want 1.3", major, minor)
	}
	recommended("2.1")
	c.deleteEnvironment(t, "dev")
	for _, v := range []string{"1.1", "1.2", "1.3", "2.0", "2.1"} {
		major, minor, _ := strings.Cut(v, ".")
		if err := remove(major, minor); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	for range 2 {
		must(t)(c.DeleteEnvironmentTemplateWithContext(c.ctx, &proton.DeleteEnvironmentTemplateInput{Name: aws.String("vpc")}))
	}
}

// What is wrong with a bundle is said in the version's status message.
func TestRegistrationFailures(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	name := aws.String("vpc")
	must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: name}))
	good := environmentBundle(t, steps{provision: []string{"true"}})
	manifest := steps{provision: []string{"true"}}.manifest(t)
	for what, test := range map[string]struct {
		source *proton.TemplateVersionSourceInput
		says   string
	}{
		"no bucket": {&proton.TemplateVersionSourceInput{S3: &proton.S3ObjectSource{Bucket: aws.String("no-such-bucket"), Key: aws.String("k")}}, "bucket"},
		"no object": {&proton.TemplateVersionSourceInput{S3: &proton.S3ObjectSource{Bucket: &c.bucket, Key: aws.String("nothing")}}, "s3://" + c.bucket + "/nothing"},
		"not gzip":  {c.upload(t, "not-gzip", []byte("plain text")), "gzip"},
		"cut off":   {c.upload(t, "cut-off", good[:len(good)/2]), ""},
		"no schema": {c.upload(t, "no-schema", pack(t, files{"infrastructure/manifest.yaml": manifest})), "schema"},
		"bad schema": {c.upload(t, "bad-schema", pack(t, files{"infrastructure/manifest.yaml": manifest,
			"schema/schema.yaml": "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: Missing\n  types: {In: {type: object}}\n"})), "Missing"},
		"bad manifest": {c.upload(t, "bad-manifest", pack(t, files{"schema/schema.yaml": environmentSchema,
			"infrastructure/manifest.yaml": "infrastructure:\n  templates:\n  - rendering_engine: magic\n"})), "rendering_engine"},
		"outside": {c.upload(t, "outside", pack(t, files{"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": manifest,
			"../../outside": "x"})), ".."},
	} {
		t.Run(what, func(t *testing.T) {
			out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{TemplateName: name, Source: test.source})
			if err != nil {
				t.Fatal(err)
			}
			v := out.EnvironmentTemplateVersion
			get := &proton.GetEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion}
			if err := c.WaitUntilEnvironmentTemplateVersionRegisteredWithContext(c.ctx, get, fast); code(err) != "ResourceNotReady" {
				t.Errorf("waiter: %v", err)
			}
			got, err := c.GetEnvironmentTemplateVersionWithContext(c.ctx, get)
			if err != nil {
				t.Fatal(err)
			}
			failed := got.EnvironmentTemplateVersion
			if *failed.Status != "REGISTRATION_FAILED" || !strings.Contains(aws.StringValue(failed.StatusMessage), test.says) || failed.Schema != nil {
				t.Errorf("got %v, want REGISTRATION_FAILED and a message about %q", failed, test.says)
			}
			_, err = c.UpdateEnvironmentTemplateVersionWithContext(c.ctx, &proton.UpdateEnvironmentTemplateVersionInput{
				TemplateName: name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: aws.String("PUBLISHED"),
			})
			if code(err) != "ValidationException" {
				t.Errorf("publishing it: %v", err)
			}
			must(t)(c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
				TemplateName: name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion,
			}))
			_, err = c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
				TemplateName: name, MajorVersion: v.MajorVersion, Source: test.source,
			})
			refused(t, "a minor of a major whose minors are gone", err, "ResourceNotFoundException",
				"The requested template major version does not exist: "+c.arn("environment-template/"+*name+":"+*v.MajorVersion))
		})
	}
}

// A minor version must accept the specs of the ones before it.
func TestIncompatibleMinor(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	bundle := environmentBundle(t, steps{provision: []string{"true"}})
	c.environmentTemplate(t, "vpc", bundle)
	stricter := pack(t, files{
		"schema/schema.yaml":           strings.Replace(environmentSchema, "      properties:\n", "      required: [owner]\n      properties:\n        owner: {type: string}\n", 1),
		"infrastructure/manifest.yaml": steps{provision: []string{"true"}}.manifest(t),
	})
	out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), Source: c.upload(t, "stricter", stricter),
	})
	if err != nil {
		t.Fatal(err)
	}
	get := &proton.GetEnvironmentTemplateVersionInput{TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), MinorVersion: out.EnvironmentTemplateVersion.MinorVersion}
	if err := c.WaitUntilEnvironmentTemplateVersionRegisteredWithContext(c.ctx, get, fast); code(err) != "ResourceNotReady" {
		t.Errorf("waiter: %v", err)
	}
	got, err := c.GetEnvironmentTemplateVersionWithContext(c.ctx, get)
	if err != nil || !strings.Contains(aws.StringValue(got.EnvironmentTemplateVersion.StatusMessage), "owner") {
		t.Errorf("got %v, %v; want a message about owner", got, err)
	}
	if major, _ := c.environmentTemplateVersion(t, "vpc", "", stricter); major != "2" {
		t.Errorf("the same as a new major is %s", major)
	}
}

// A service template with a pipeline must describe the pipeline's inputs.
func TestServiceTemplateWithoutPipelineInputs(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{"true"}}))
	must(t)(c.CreateServiceTemplateWithContext(c.ctx, &proton.CreateServiceTemplateInput{Name: aws.String("web")}))
	out, err := c.CreateServiceTemplateVersionWithContext(c.ctx, &proton.CreateServiceTemplateVersionInput{
		TemplateName: aws.String("web"), CompatibleEnvironmentTemplates: compatible("vpc"), SupportedComponentSources: aws.StringSlice([]string{"DIRECTLY_DEFINED"}),
		Source: c.upload(t, "web", instanceBundle(t, steps{provision: []string{"true"}})),
	})
	if err != nil {
		t.Fatal(err)
	}
	v := out.ServiceTemplateVersion
	diff(t, "compatible templates", []*proton.CompatibleEnvironmentTemplate{{TemplateName: aws.String("vpc"), MajorVersion: aws.String("1")}}, v.CompatibleEnvironmentTemplates)
	diff(t, "component sources", []string{"DIRECTLY_DEFINED"}, values(v.SupportedComponentSources))
	get := &proton.GetServiceTemplateVersionInput{TemplateName: aws.String("web"), MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion}
	if err := c.WaitUntilServiceTemplateVersionRegisteredWithContext(c.ctx, get, fast); code(err) != "ResourceNotReady" {
		t.Errorf("waiter: %v", err)
	}
	got, err := c.GetServiceTemplateVersionWithContext(c.ctx, get)
	if err != nil || !strings.Contains(aws.StringValue(got.ServiceTemplateVersion.StatusMessage), "Service template schema is not valid: Missing property [pipelineInputType]") {
		t.Errorf("got %v, %v", got, err)
	}
}

// Templates are found again by the same call, changed, and then no longer.
func TestTemplateRepeatsAndUpdates(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	in := &proton.CreateServiceTemplateInput{Name: aws.String("web"), Description: aws.String("one"), PipelineProvisioning: aws.String("CUSTOMER_MANAGED")}
	first, err := c.CreateServiceTemplateWithContext(c.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.CreateServiceTemplateWithContext(c.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "the same again", first, again)
	_, err = c.CreateServiceTemplateWithContext(c.ctx, &proton.CreateServiceTemplateInput{Name: aws.String("web")})
	refused(t, "other parameters", err, "ValidationException", "Idempotent parameter mismatch")
	updated, err := c.UpdateServiceTemplateWithContext(c.ctx, &proton.UpdateServiceTemplateInput{Name: aws.String("web"), DisplayName: aws.String("Web")})
	if err != nil || *updated.ServiceTemplate.DisplayName != "Web" || *updated.ServiceTemplate.Description != "one" {
		t.Errorf("update: %v, %v", updated, err)
	}
	_, err = c.CreateServiceTemplateWithContext(c.ctx, in)
	refused(t, "after a change", err, "ConflictException", "Resource already exists and has been modified: "+c.arn("service-template/web"))
	_, err = c.GetServiceTemplateWithContext(c.ctx, &proton.GetServiceTemplateInput{Name: aws.String("nope")})
	refused(t, "unknown", err, "ResourceNotFoundException", "The requested service template does not exist: "+c.arn("service-template/nope"))
	_, err = c.UpdateEnvironmentTemplateWithContext(c.ctx, &proton.UpdateEnvironmentTemplateInput{Name: aws.String("web")})
	refused(t, "other kind", err, "ResourceNotFoundException", "The requested environment template does not exist: "+c.arn("environment-template/web"))
}

// Environments refuse what Proton refused.
func TestCreateEnvironmentRefusals(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	before := c.everything(t)
	role := aws.String("arn:aws:iam::111122223333:role/proton")
	for name, test := range map[string]struct {
		change        func(in *proton.CreateEnvironmentInput)
		code, message string
	}{
		"unknown template": {
			func(in *proton.CreateEnvironmentInput) { in.TemplateName = aws.String("nope") },
			"ResourceNotFoundException", "The requested environment template does not exist: " + c.arn("environment-template/nope"),
		},
		"unknown version": {
			func(in *proton.CreateEnvironmentInput) { in.TemplateMinorVersion = aws.String("5") },
			"ResourceNotFoundException", "The requested environment template version does not exist: " + c.arn("environment-template/vpc:1.5"),
		},
		"two identities": {
			func(in *proton.CreateEnvironmentInput) {
				in.ProtonServiceRoleArn = role
				in.ProvisioningRepository = &proton.RepositoryBranchInput_{Provider: aws.String("GITHUB"), Name: aws.String("acme/infra"), Branch: aws.String("main")}
			},
			"ValidationException", "Specify at most one of protonServiceRoleArn, environmentAccountConnectionId or provisioningRepository.",
		},
		"service spec": {
			func(in *proton.CreateEnvironmentInput) { in.Spec = aws.String(instances("dev", "one")) },
			"ValidationException", "The provided Environment Spec file was not correctly formatted. Please check that it is valid yaml according to the Spec definition." +
				` (line 1: proton must be EnvironmentSpec, not "ServiceSpec")`,
		},
		"taken name": {
			func(in *proton.CreateEnvironmentInput) {
				in.Name = aws.String("dev")
				in.Description = aws.String("other")
			},
			"ValidationException", "Idempotent parameter mismatch",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := &proton.CreateEnvironmentInput{
				Name: aws.String("refused"), TemplateName: aws.String("vpc"), TemplateMajorVersion: aws.String("1"), Spec: aws.String(environmentSpec),
			}
			test.change(in)
			_, err := c.CreateEnvironmentWithContext(c.ctx, in)
			refused(t, "refusal", err, test.code, test.message)
		})
	}
	_, err := c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: aws.String("refused"), TemplateName: aws.String("vpc"), TemplateMajorVersion: aws.String("1"),
		Spec: aws.String("proton: EnvironmentSpec\nspec: {size: huge, zones: 9}\n"),
	})
	if code(err) != "ValidationException" || strings.Count(err.Error(), "Spec validation failed: spec.") != 2 {
		t.Errorf("got %v, want both problems", err)
	}
	diff(t, "what is there after the refusals", before, c.everything(t))
}

// An environment that someone else provisions takes its outputs from its spec.
func TestCustomerManagedEnvironment(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: aws.String("given"), Provisioning: aws.String("CUSTOMER_MANAGED")}))
	schema := fmt.Sprintf("schema:\n  format: {openapi: %q}\n  environment_input_type: Out\n  types:\n    Out:\n      type: object\n      properties:\n        VpcId: {type: string}\n", "3.0.0")
	c.environmentTemplateVersion(t, "given", "", pack(t, files{"schema/schema.yaml": schema}))
	out, err := c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: aws.String("dev"), TemplateName: aws.String("given"), TemplateMajorVersion: aws.String("1"), Spec: aws.String("proton: EnvironmentSpec\nspec: {VpcId: vpc-9}\n"),
	})
	if err != nil || *out.Environment.DeploymentStatus != "SUCCEEDED" || *out.Environment.Provisioning != "CUSTOMER_MANAGED" {
		t.Fatalf("%v, %v", out, err)
	}
	list, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "outputs", map[string]string{"VpcId": "vpc-9"}, outputs(list.Outputs))
	must(t)(c.DeleteEnvironmentWithContext(c.ctx, &proton.DeleteEnvironmentInput{Name: aws.String("dev")}))
	eventually(t, "it is gone", func() bool {
		_, err := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: aws.String("dev")})
		return code(err) == "ResourceNotFoundException"
	})
}
