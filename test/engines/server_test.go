// Package engines drives the built hadron program through its API, with the
// real engines: OpenTofu, and CloudFormation as moto and as the scripted one of
// package cfntest play it.
package engines

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

const (
	region   = "eu-west-1"
	account  = "123456789012"
	rootID   = "AKIAENGINETESTS00001"
	rootKey  = "engines/secret+of/the/root/key0000001"
	deadline = 2 * time.Minute
)

var p = api.Ptr[string]

// build makes the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hadron-engines-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hadron")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/hadron")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hadron: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// server is a hadron process with a client of its root user.
type server struct {
	*api.Client
	t       *testing.T
	url     string
	data    string
	env     []string
	wrap    []string // what starts the server; empty: nothing
	cmd     *exec.Cmd
	log     bytes.Buffer
	objects int
}

// serve starts a server with further variables. It has AWS credentials, which
// no real AWS knows.
func serve(t *testing.T, env ...string) *server {
	t.Helper()
	s := prepare(t, env...)
	s.run()
	return s
}

// prepare is serve without the start.
func prepare(t *testing.T, env ...string) *server {
	t.Helper()
	address := freeAddress()
	s := &server{t: t, url: "http://" + address, data: t.TempDir()}
	s.env = append([]string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "HADRON_LISTEN=" + address, "HADRON_DATA=" + s.data, "HADRON_ACCOUNT_ID=" + account,
		"HADRON_ROOT_ACCESS_KEY_ID=" + rootID, "HADRON_ROOT_SECRET_ACCESS_KEY=" + rootKey,
		"AWS_ACCESS_KEY_ID=AKIAENGINETESTSAWS01", "AWS_SECRET_ACCESS_KEY=secret-of-no-aws", "NO_PROXY=127.0.0.1",
	}, env...)
	s.Client = s.client(rootID, rootKey, region)
	return s
}

// run starts the server, and stops it at the end of the test.
func (s *server) run() {
	s.t.Helper()
	s.start()
	s.t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		if s.t.Failed() {
			s.t.Logf("what the server wrote:\n%s", s.log.String())
		}
	})
}

func (s *server) client(id string, secret auth.Secret, region string) *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: s.url, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, id, secret, "", region, "proton", time.Now())
	}})
}

// freeAddress picks a port below those that systems give to outgoing
// connections, so that none takes it between now and the start.
func freeAddress() string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

func (s *server) start() {
	s.t.Helper()
	binary, err := build()
	if err != nil {
		s.t.Fatal(err)
	}
	argv := append(slices.Clone(s.wrap), binary, "serve")
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the server is ready", func() bool {
		res, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (s *server) stop(sig syscall.Signal) {
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait()
}

// crash kills the server, as a failing machine does, and starts it again.
func (s *server) crash() {
	s.t.Helper()
	s.stop(syscall.SIGKILL)
	s.start()
}

func (s *server) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(deadline); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not within %s: %s", deadline, what)
		}
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

// code is the exception that a call was refused with.
func code(err error) string {
	if e, ok := errors.AsType[*awsjson.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// files are those of a bundle, by path.
type files map[string]string

func (f files) archive() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range f {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}) // into memory: never fails
		_, _ = w.Write([]byte(text))
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

// folder reads a bundle's files.
func folder(t *testing.T, dir string) files {
	t.Helper()
	f := files{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		path, _ := filepath.Rel(dir, name)
		f[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// upload puts a bundle into the built-in bucket store.
func (s *server) upload(f files) *api.TemplateVersionSourceInput {
	s.t.Helper()
	s.objects++
	key := fmt.Sprintf("bundle-%d.tar.gz", s.objects)
	if s.objects == 1 {
		s.put("/templates", nil)
	}
	s.put("/templates/"+key, f.archive())
	return &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: p("templates"), Key: p(key)}}
}

func (s *server) put(path string, body []byte) {
	s.t.Helper()
	r := must(http.NewRequestWithContext(s.t.Context(), http.MethodPut, s.url+path, bytes.NewReader(body)))(s.t)
	if err := auth.Sign(r, body, rootID, rootKey, "", region, "s3", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	answer := must(http.DefaultClient.Do(r))(s.t)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.t.Fatalf("PUT %s: %s", path, answer.Status)
	}
}

// environmentTemplate registers and publishes the next minor version of an
// environment template.
func (s *server) environmentTemplate(name string, f files) {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := s.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: &name}); err != nil && code(err) != "ConflictException" {
		s.t.Fatal(err)
	}
	in := &api.CreateEnvironmentTemplateVersionInput{TemplateName: &name, Source: s.upload(f)}
	in.MajorVersion = s.major(func() error {
		_, err := s.GetEnvironmentTemplateVersion(ctx, &api.GetEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: p("1"), MinorVersion: p("0")})
		return err
	})
	v := must(s.CreateEnvironmentTemplateVersion(ctx, in))(s.t).EnvironmentTemplateVersion
	get := &api.GetEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion}
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, s.Client, get); err != nil {
		s.t.Fatalf("%v: %s", err, api.Value(must(s.GetEnvironmentTemplateVersion(ctx, get))(s.t).EnvironmentTemplateVersion.StatusMessage))
	}
	must(s.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: api.Ptr(api.TemplateVersionStatusPublished)}))(s.t)
}

// serviceTemplate is environmentTemplate for services of its environments.
func (s *server) serviceTemplate(name, environmentTemplate string, f files) {
	s.t.Helper()
	ctx := s.t.Context()
	create := &api.CreateServiceTemplateInput{Name: &name}
	if _, ok := f["pipeline_infrastructure/manifest.yaml"]; !ok {
		create.PipelineProvisioning = api.Ptr(api.ProvisioningCustomerManaged)
	}
	if _, err := s.CreateServiceTemplate(ctx, create); err != nil && code(err) != "ConflictException" {
		s.t.Fatal(err)
	}
	in := &api.CreateServiceTemplateVersionInput{TemplateName: &name, Source: s.upload(f),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: &environmentTemplate, MajorVersion: p("1")}}}
	in.MajorVersion = s.major(func() error {
		_, err := s.GetServiceTemplateVersion(ctx, &api.GetServiceTemplateVersionInput{TemplateName: &name, MajorVersion: p("1"), MinorVersion: p("0")})
		return err
	})
	v := must(s.CreateServiceTemplateVersion(ctx, in))(s.t).ServiceTemplateVersion
	get := &api.GetServiceTemplateVersionInput{TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion}
	if err := api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, s.Client, get); err != nil {
		s.t.Fatalf("%v: %s", err, api.Value(must(s.GetServiceTemplateVersion(ctx, get))(s.t).ServiceTemplateVersion.StatusMessage))
	}
	must(s.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{
		TemplateName: &name, MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion, Status: api.Ptr(api.TemplateVersionStatusPublished)}))(s.t)
}

// major is the major version to add a minor to; nil makes the first one.
func (s *server) major(get func() error) *string {
	s.t.Helper()
	switch err := get(); {
	case err == nil:
		return p("1")
	case code(err) != "ResourceNotFoundException":
		s.t.Fatal(err)
	}
	return nil
}

const environmentSpec = "proton: EnvironmentSpec\nspec: "

// createEnvironment starts one of version 1 of a template; spec is YAML flow.
func (s *server) createEnvironment(name, template, spec string, change ...func(*api.CreateEnvironmentInput)) {
	s.t.Helper()
	in := &api.CreateEnvironmentInput{Name: &name, TemplateName: &template, TemplateMajorVersion: p("1"), Spec: p(environmentSpec + spec)}
	for _, f := range change {
		f(in)
	}
	must(s.CreateEnvironment(s.t.Context(), in))(s.t)
}

// previewNew says what createEnvironment would make.
func (s *server) previewNew(name, template, spec string, change ...func(*api.CreateEnvironmentInput)) string {
	s.t.Helper()
	in := &api.CreateEnvironmentInput{Name: &name, TemplateName: &template, TemplateMajorVersion: p("1"), Spec: p(environmentSpec + spec)}
	for _, f := range change {
		f(in)
	}
	out := must(s.PreviewCreation(s.t.Context(), &api.PreviewCreationInput{Environment: in}))(s.t)
	v := out.Previews[0].Preview
	return *v.Summary + "\n" + strings.Join(v.Details, "\n")
}

// updateEnvironment starts to deploy the newest minor, with a new spec if one
// is given.
func (s *server) updateEnvironment(name, spec string, change ...func(*api.UpdateEnvironmentInput)) {
	s.t.Helper()
	in := &api.UpdateEnvironmentInput{Name: &name, DeploymentType: api.Ptr(api.DeploymentUpdateTypeMinorVersion)}
	if spec != "" {
		in.Spec = p(environmentSpec + spec)
	}
	for _, f := range change {
		f(in)
	}
	must(s.UpdateEnvironment(s.t.Context(), in))(s.t)
}

func (s *server) environment(name string) *api.Environment {
	s.t.Helper()
	return must(s.GetEnvironment(s.t.Context(), &api.GetEnvironmentInput{Name: &name}))(s.t).Environment
}

// environmentEnds waits for the end of an environment's deployment and returns
// its message.
func (s *server) environmentEnds(name string, want api.DeploymentStatus) string {
	s.t.Helper()
	var e *api.Environment
	s.eventually("the deployment of environment "+name+" ends", func() bool {
		e = s.environment(name)
		return !running(e.DeploymentStatus)
	})
	if *e.DeploymentStatus != want {
		s.t.Fatalf("environment %s is %s (%s), want %s\n%s", name, *e.DeploymentStatus, api.Value(e.DeploymentStatusMessage), want, s.logOf(api.Value(e.LastAttemptedDeploymentId)))
	}
	return api.Value(e.DeploymentStatusMessage)
}

func running(status *api.DeploymentStatus) bool {
	return strings.HasSuffix(string(*status), "IN_PROGRESS") || *status == api.DeploymentStatusCancelling
}

func (s *server) deleteEnvironment(name string) {
	s.t.Helper()
	must(s.DeleteEnvironment(s.t.Context(), &api.DeleteEnvironmentInput{Name: &name}))(s.t)
	s.eventually("environment "+name+" is gone", func() bool {
		out, err := s.GetEnvironment(s.t.Context(), &api.GetEnvironmentInput{Name: &name})
		if err == nil && *out.Environment.DeploymentStatus == api.DeploymentStatusDeleteFailed {
			s.t.Fatalf("environment %s could not be deleted: %s", name, api.Value(out.Environment.DeploymentStatusMessage))
		}
		return code(err) == "ResourceNotFoundException"
	})
}

// outputs are an environment's, as the list shows them.
func (s *server) outputs(environment string) map[string]string {
	s.t.Helper()
	list := must(s.ListEnvironmentOutputs(s.t.Context(), &api.ListEnvironmentOutputsInput{EnvironmentName: &environment}))(s.t)
	return byKey(list.Outputs)
}

func byKey(list []api.Output) map[string]string {
	m := map[string]string{}
	for _, o := range list {
		m[*o.Key] = *o.ValueString
	}
	return m
}

// logOf is the log of a deployment.
func (s *server) logOf(deployment string) string {
	s.t.Helper()
	var b strings.Builder
	out, err := s.ListDeploymentLogEvents(context.WithoutCancel(s.t.Context()), &api.ListDeploymentLogEventsInput{DeploymentId: &deployment})
	if err != nil {
		return err.Error()
	}
	for _, e := range out.Events {
		b.WriteString(api.Value(e.Message) + "\n")
	}
	return b.String()
}

// environmentLog is the log of an environment's last deployment.
func (s *server) environmentLog(name string) string {
	s.t.Helper()
	return s.logOf(api.Value(s.environment(name).LastAttemptedDeploymentId))
}

// shopInput makes a service called shop with instances in environments.
func shopInput(template, spec string, pipeline bool) *api.CreateServiceInput {
	in := &api.CreateServiceInput{Name: p("shop"), TemplateName: &template, TemplateMajorVersion: p("1"), Spec: p("proton: ServiceSpec\n" + spec)}
	if pipeline {
		in.RepositoryConnectionArn = p("arn:aws:codestar-connections:eu-west-1:123456789012:connection/0f0e0d0c-1111-2222-3333-444455556666")
		in.RepositoryId, in.BranchName = p("acme/shop"), p("main")
	}
	return in
}

func (s *server) createService(template, spec string, pipeline bool) {
	s.t.Helper()
	must(s.CreateService(s.t.Context(), shopInput(template, spec, pipeline)))(s.t)
}

func (s *server) service(name string) *api.Service {
	s.t.Helper()
	return must(s.GetService(s.t.Context(), &api.GetServiceInput{Name: &name}))(s.t).Service
}

func (s *server) serviceEnds(name string, want api.ServiceStatus) {
	s.t.Helper()
	var service *api.Service
	s.eventually("service "+name+" comes to rest", func() bool {
		service = s.service(name)
		return !strings.HasSuffix(string(*service.Status), "IN_PROGRESS")
	})
	if *service.Status != want {
		s.t.Fatalf("service %s is %s (%s), want %s; its parts: %s", name, *service.Status, api.Value(service.StatusMessage), want, s.failures(name))
	}
}

func (s *server) instance(name string) *api.ServiceInstance {
	s.t.Helper()
	return must(s.GetServiceInstance(s.t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: &name}))(s.t).ServiceInstance
}

// failures are the messages of the parts of a service.
func (s *server) failures(service string) string {
	s.t.Helper()
	var b strings.Builder
	list := must(s.ListServiceInstances(s.t.Context(), &api.ListServiceInstancesInput{ServiceName: &service}))(s.t)
	for _, i := range list.ServiceInstances {
		fmt.Fprintf(&b, "%s %s %s\n", *i.Name, *i.DeploymentStatus, api.Value(i.DeploymentStatusMessage))
	}
	if pipeline := s.service(service).Pipeline; pipeline != nil {
		fmt.Fprintf(&b, "pipeline %s %s\n", *pipeline.DeploymentStatus, api.Value(pipeline.DeploymentStatusMessage))
	}
	return b.String()
}

func (s *server) deleteService(name string) {
	s.t.Helper()
	must(s.DeleteService(s.t.Context(), &api.DeleteServiceInput{Name: &name}))(s.t)
	s.eventually("service "+name+" is gone", func() bool {
		out, err := s.GetService(s.t.Context(), &api.GetServiceInput{Name: &name})
		if err == nil && *out.Service.Status == api.ServiceStatusDeleteFailed {
			s.t.Fatalf("service %s could not be deleted: %s", name, s.failures(name))
		}
		return code(err) == "ResourceNotFoundException"
	})
}

// tofu is the variable that names the pinned OpenTofu.
func tofu(t *testing.T) string { return "HADRON_TOFU=" + enginetest.Tofu(t) }

// cloudFormation are the variables that point a server at another AWS.
func cloudFormation(url string) []string {
	return []string{"HADRON_CLOUDFORMATION_ENDPOINT=" + url, "HADRON_STS_ENDPOINT=" + url}
}
