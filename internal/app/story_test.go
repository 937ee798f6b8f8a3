package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// fixture is a server in this process with its scripted engine and a client
// that reaches it over HTTP as any other does.
type fixture struct {
	*api.Client
	server  *Server
	engine  *enginetest.Scripted
	engines engine.Set
	account string
	broken  bool                        // the test took the database away: the server need not close in good order
	hook    *api.CreateConnectionOutput // of the test's git server
}

// onPostgres reports whether the tests of this package are to run on PostgreSQL.
func onPostgres() bool { return os.Getenv("HADRON_TEST_DATABASE") == "postgres" }

// testConfig is a configuration with a data folder, or a database, of its own.
func testConfig(t *testing.T) Config {
	t.Helper()
	c := DefaultConfig()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	if onPostgres() {
		c.Database = postgrestest.URL(t)
	}
	return c
}

func start(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	scripted := enginetest.NewScripted()
	f := startWith(t, engine.Set{engine.Command: scripted, engine.CloudFormation: scripted, engine.OpenTofu: scripted}, change...)
	f.engine = scripted
	return f
}

// startWith is start with other engines; the real ones if there are none.
func startWith(t *testing.T, engines engine.Set, change ...func(*Config)) *fixture {
	t.Helper()
	c := testConfig(t)
	for _, f := range change {
		f(&c)
	}
	f := &fixture{engines: engines, account: c.AccountID}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Start(t.Context(), c, log, WithEngines(f.engines))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil && !f.broken {
			t.Errorf("close: %v", err)
		}
	})
	f.server, f.Client = s, client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)
	return f
}

const region = "eu-west-1"

func client(url, id string, secret auth.Secret) *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: url, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, id, secret, "", region, "proton", time.Now())
	}})
}

func (f *fixture) arn(resource string) string {
	return "arn:aws:proton:" + region + ":" + f.account + ":" + resource
}

const (
	manifest = `infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        provision: ["true"]
        deprovision: ["true"]
`
	environmentSchema = `schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In:
      type: object
      properties:
        size: {type: string, enum: [s, m], default: s}
`
	serviceSchema = `schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  pipeline_input_type: Pipe
  types:
    In:
      type: object
      required: [port]
      properties:
        port: {type: number, minimum: 1, maximum: 65535}
    Pipe:
      type: object
      properties:
        dockerfile: {type: string, default: Dockerfile}
`
	connection = "arn:aws:codestar-connections:eu-west-1:111122223333:connection/0f0e0d0c-1111-2222-3333-444455556666"
)

func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put stores an object in the bucket store, as "aws s3" would.
func (f *fixture) put(t *testing.T, path string, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Sign(r, body, f.server.Root.AccessKeyID, f.server.Root.SecretAccessKey, "", region, "s3", time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: %s", path, answer.Status)
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var p = api.Ptr[string]

func s3(key string) *api.TemplateVersionSourceInput {
	return &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: p("templates"), Key: p(key)}}
}

// publish registers and publishes the templates "net" and "web".
func (f *fixture) publish(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	f.put(t, "/templates", nil)
	f.put(t, "/templates/net.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": manifest,
	}))
	f.put(t, "/templates/web.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": serviceSchema, "instance_infrastructure/manifest.yaml": manifest, "pipeline_infrastructure/manifest.yaml": manifest,
	}))
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), Source: s3("net.tar.gz")}))(t)
	err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client,
		&api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")})
	if err != nil {
		t.Fatal(err)
	}
	must(f.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{
		TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
	must(f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web")}))(t)
	must(f.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), Source: s3("web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	err = api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client,
		&api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0")})
	if err != nil {
		t.Fatal(err)
	}
	must(f.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{
		TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
}

func (f *fixture) createEnvironment(t *testing.T, name string) {
	t.Helper()
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: &name, TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	if err := api.WaiterEnvironmentDeployed.Every(10*time.Millisecond).Wait(t.Context(), f.Client, &api.GetEnvironmentInput{Name: &name}); err != nil {
		t.Fatal(err)
	}
}

func shop() *api.CreateServiceInput {
	return &api.CreateServiceInput{
		Name: p("shop"), TemplateName: p("web"), TemplateMajorVersion: p("1"),
		RepositoryConnectionArn: p(connection), RepositoryId: p("acme/shop"), BranchName: p("main"),
		Tags: []api.Tag{{Key: p("team"), Value: p("shop")}},
		Spec: p("proton: ServiceSpec\npipeline: {}\ninstances:\n- name: dev\n  environment: one\n  spec: {port: 80}\n- name: prod\n  environment: one\n  spec: {port: 443}\n"),
	}
}

func (f *fixture) waitService(t *testing.T, want api.ServiceStatus) *api.Service {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out := must(f.GetService(t.Context(), &api.GetServiceInput{Name: p("shop")}))(t)
		if *out.Service.Status == want {
			return out.Service
		}
		if time.Now().After(deadline) || !strings.HasSuffix(string(*out.Service.Status), "IN_PROGRESS") {
			t.Fatalf("service is %s (%s), want %s", *out.Service.Status, api.Value(out.Service.StatusMessage), want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestServiceIsDeployedWithInstancesAndThenItsPipeline(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	pipeline := f.arn("service/shop/pipeline")
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Outputs: []engine.Output{{Key: "url", Value: "http://dev"}}})
	made := must(f.CreateService(t.Context(), shop()))(t)
	if got := *made.Service.Status; got != api.ServiceStatusCreateInProgress {
		t.Errorf("the answer says %s", got)
	}
	service := f.waitService(t, api.ServiceStatusActive)
	if got := *service.Pipeline.DeploymentStatus; got != api.DeploymentStatusSucceeded {
		t.Errorf("pipeline is %s", got)
	}
	calls := f.engine.Calls()
	if last := calls[len(calls)-1]; last.Run.ResourceARN != pipeline {
		t.Errorf("the last run is of %s, want the pipeline", last.Run.ResourceARN)
	}
	outputs := must(f.ListServiceInstanceOutputs(t.Context(), &api.ListServiceInstanceOutputsInput{ServiceName: p("shop"), ServiceInstanceName: p("dev")}))(t)
	if len(outputs.Outputs) != 1 || *outputs.Outputs[0].ValueString != "http://dev" {
		t.Errorf("outputs: %v", outputs.Outputs)
	}
}

func TestFailedInstanceCancelsThePipelineWithProtonsMessage(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	prod := f.arn("service/shop/service-instance/prod")
	f.engine.On(prod, enginetest.Script{Fail: "no room"}, enginetest.Script{})
	must(f.CreateService(t.Context(), shop()))(t)
	service := f.waitService(t, api.ServiceStatusCreateFailed)
	if got, want := api.Value(service.Pipeline.DeploymentStatusMessage), "Service Instance(s): ["+prod+"] failed to deploy - canceling pipeline deployment"; got != want {
		t.Errorf("pipeline message\n got %s\nwant %s", got, want)
	}
	instance := must(f.GetServiceInstance(t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("prod")}))(t)
	if got := api.Value(instance.ServiceInstance.DeploymentStatusMessage); got != "no room" {
		t.Errorf("instance message: %q", got)
	}
	must(f.DeleteService(t.Context(), &api.DeleteServiceInput{Name: p("shop")}))(t)
	if err := api.WaiterServiceDeleted.Every(10*time.Millisecond).Wait(t.Context(), f.Client, &api.GetServiceInput{Name: p("shop")}); err != nil {
		t.Fatal(err)
	}
}
