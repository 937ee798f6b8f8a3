package gosdk

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/proton"
)

// files is a bundle: path to content.
type files map[string]string

// pack is a bundle as tar and gzip make it. Scripts are executable.
func pack(t *testing.T, f files) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		mode := int64(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(f[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// steps are the commands of one part of a bundle.
type steps struct{ provision, deprovision []string }

func (s steps) manifest(t *testing.T) string {
	t.Helper()
	if s.deprovision == nil {
		s.deprovision = []string{"true"}
	}
	text, err := json.Marshal(map[string]any{"infrastructure": map[string]any{"templates": []any{map[string]any{
		"rendering_engine": "codebuild",
		"settings":         map[string]any{"image": "aws/codebuild/standard:6.0", "provision": s.provision, "deprovision": s.deprovision},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) // JSON is YAML
}

const environmentSchema = `schema:
  format:
    openapi: "3.0.0"
  environment_input_type: EnvironmentInput
  types:
    EnvironmentInput:
      type: object
      description: What an environment is made of
      properties:
        size:
          type: string
          enum: [small, large]
          default: small
        zones:
          type: number
          default: 2
          minimum: 1
          maximum: 6
`

const serviceSchemaHead = `schema:
  format:
    openapi: "3.0.0"
  service_input_type: ServiceInput
`

const serviceSchemaTypes = `  types:
    ServiceInput:
      type: object
      required: [port]
      properties:
        port:
          type: number
          minimum: 1
          maximum: 65535
        public:
          type: boolean
          default: false
        tier:
          type: string
          enum: [web, worker]
          default: web
        path:
          type: string
          pattern: ^/[a-z]*$
          default: /
    PipelineInput:
      type: object
      properties:
        dockerfile:
          type: string
          default: Dockerfile
        retries:
          type: integer
          default: 3
`

const (
	serviceSchema  = serviceSchemaHead + "  pipeline_input_type: PipelineInput\n" + serviceSchemaTypes
	instanceSchema = serviceSchemaHead + serviceSchemaTypes
)

// environmentOutputs makes what the instances of these tests read.
const environmentOutputs = `printf '{"VpcId": "vpc-1", "Zones": 3}' > proton-outputs.json`

func environmentBundle(t *testing.T, s steps) []byte {
	return pack(t, files{"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": s.manifest(t)})
}

func serviceBundle(t *testing.T, instance, pipeline steps) []byte {
	return pack(t, files{
		"schema/schema.yaml":                    serviceSchema,
		"instance_infrastructure/manifest.yaml": instance.manifest(t), "pipeline_infrastructure/manifest.yaml": pipeline.manifest(t),
	})
}

func instanceBundle(t *testing.T, instance steps) []byte {
	return pack(t, files{"schema/schema.yaml": instanceSchema, "instance_infrastructure/manifest.yaml": instance.manifest(t)})
}

// fast makes a stock waiter poll without its usual pause of seconds.
var fast = request.WithWaiterDelay(request.ConstantWaiterDelay(50 * time.Millisecond))

// environmentTemplate makes a template with one published version.
func (c *client) environmentTemplate(t *testing.T, name string, bundle []byte) {
	t.Helper()
	must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: &name}))
	c.environmentTemplateVersion(t, name, "", bundle)
}

// environmentTemplateVersion registers and publishes a version, of a new major
// if major is empty.
func (c *client) environmentTemplateVersion(t *testing.T, name, major string, bundle []byte) (gotMajor, minor string) {
	t.Helper()
	in := &proton.CreateEnvironmentTemplateVersionInput{TemplateName: &name, Source: c.upload(t, name+".tar.gz", bundle)}
	if major != "" {
		in.MajorVersion = &major
	}
	out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	v := out.EnvironmentTemplateVersion
	if err := c.WaitUntilEnvironmentTemplateVersionRegisteredWithContext(c.ctx, &proton.GetEnvironmentTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion,
	}, fast); err != nil {
		t.Fatal(err)
	}
	must(t)(c.UpdateEnvironmentTemplateVersionWithContext(c.ctx, &proton.UpdateEnvironmentTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: aws.String("PUBLISHED"),
	}))
	return *v.MajorVersion, *v.MinorVersion
}

// serviceTemplate makes a template with one published version. A bundle
// without a pipeline makes one whose services have none.
func (c *client) serviceTemplate(t *testing.T, name string, pipeline bool, bundle []byte, environmentTemplates ...string) {
	t.Helper()
	in := &proton.CreateServiceTemplateInput{Name: &name}
	if !pipeline {
		in.PipelineProvisioning = aws.String("CUSTOMER_MANAGED")
	}
	must(t)(c.CreateServiceTemplateWithContext(c.ctx, in))
	c.serviceTemplateVersion(t, name, bundle, true, environmentTemplates...)
}

func (c *client) serviceTemplateVersion(t *testing.T, name string, bundle []byte, publish bool, environmentTemplates ...string) {
	t.Helper()
	out, err := c.CreateServiceTemplateVersionWithContext(c.ctx, &proton.CreateServiceTemplateVersionInput{
		TemplateName: &name, Source: c.upload(t, name+".tar.gz", bundle), CompatibleEnvironmentTemplates: compatible(environmentTemplates...),
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
	if publish {
		must(t)(c.UpdateServiceTemplateVersionWithContext(c.ctx, &proton.UpdateServiceTemplateVersionInput{
			TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: aws.String("PUBLISHED"),
		}))
	}
}

func compatible(names ...string) []*proton.CompatibleEnvironmentTemplateInput {
	var list []*proton.CompatibleEnvironmentTemplateInput
	for _, name := range names {
		list = append(list, &proton.CompatibleEnvironmentTemplateInput{TemplateName: aws.String(name), MajorVersion: aws.String("1")})
	}
	return list
}

const environmentSpec = "proton: EnvironmentSpec\nspec:\n  size: large\n"

// environment makes an environment and waits until it is deployed.
func (c *client) environment(t *testing.T, name, template string) {
	t.Helper()
	must(t)(c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: &name, TemplateName: &template, TemplateMajorVersion: aws.String("1"), Spec: aws.String(environmentSpec),
	}))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &name}, fast); err != nil {
		t.Fatal(err)
	}
}

const connection = "arn:aws:codestar-connections:eu-west-1:111122223333:connection/0f0e0d0c-1111-2222-3333-444455556666"

// request for a service with everything that a pipeline needs.
func serviceRequest(name, template, spec string) *proton.CreateServiceInput {
	return &proton.CreateServiceInput{
		Name: &name, TemplateName: &template, TemplateMajorVersion: aws.String("1"), Spec: &spec,
		RepositoryConnectionArn: aws.String(connection), RepositoryId: aws.String("acme/orders"), BranchName: aws.String("main"),
	}
}

// instances is a service spec that puts instances of these names into one
// environment.
func instances(environment string, names ...string) string {
	spec := "proton: ServiceSpec\ninstances:\n"
	for n, name := range names {
		spec += fmt.Sprintf("- name: %s\n  environment: %s\n  spec:\n    port: %d\n", name, environment, 8080+n)
	}
	return spec
}

// must fails the test on an error of a call whose answer does not matter.
func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}
