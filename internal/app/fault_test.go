package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// drowsy is a driver whose first run sleeps through everything and then says
// that it succeeded, as a worker does whose machine stood still.
type drowsy struct {
	*enginetest.Scripted
	wake  chan struct{}
	slept chan struct{}
	first chan struct{} // holds one token
}

func (d *drowsy) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	select {
	case <-d.first:
		close(d.slept)
		<-d.wake
		return engine.Status{Done: true, Outputs: []engine.Output{{Key: "from", Value: "the dead"}}}, nil
	default:
		return d.Scripted.Step(ctx, r, checkpoint)
	}
}

func TestWorkerThatSleptPastItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	d := &drowsy{Scripted: f.engine, wake: make(chan struct{}), slept: make(chan struct{}), first: make(chan struct{}, 1)}
	d.first <- struct{}{}
	f.engines[engine.Command] = d
	f.engine.On("", enginetest.Script{Outputs: []engine.Output{{Key: "from", Value: "the living"}}})

	name := p("one")
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: name, TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	<-d.slept
	// Another worker takes the deployment over while the first one sleeps.
	if n, err := f.server.store.RequeueAll(t.Context()); err != nil || n != 1 {
		t.Fatalf("requeued %d: %v", n, err)
	}
	if err := api.WaiterEnvironmentDeployed.Every(5*time.Millisecond).Wait(t.Context(), f.Client, &api.GetEnvironmentInput{Name: name}); err != nil {
		t.Fatal(err)
	}
	before := must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: name}))(t)
	close(d.wake)
	time.Sleep(100 * time.Millisecond) // for the sleeper to try
	outputs := must(f.ListEnvironmentOutputs(t.Context(), &api.ListEnvironmentOutputsInput{EnvironmentName: name}))(t)
	if got := *outputs.Outputs[0].ValueString; got != "the living" {
		t.Errorf("outputs are from %s", got)
	}
	after := must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: name}))(t)
	if *before.Environment.LastSucceededDeploymentId != *after.Environment.LastSucceededDeploymentId {
		t.Error("the sleeper changed the environment")
	}
}

func TestRestartTakesUpWhatWasUnfinished(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	scripted := enginetest.NewScripted()
	log := slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), c, log, WithEngines(engine.Set{engine.Command: scripted}))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{server: s, engine: scripted, account: c.AccountID, Client: client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)}
	f.publish(t)
	f.createEnvironment(t, "one")
	hold := make(chan struct{})
	scripted.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateService(t.Context(), shop()))(t)
	eventually(t, "both instances are being deployed", func() bool { return scripted.Holding() == 2 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
	close(hold)
	s, err = Start(t.Context(), c, log, WithEngines(engine.Set{engine.Command: scripted.Restart()}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	f.server, f.Client = s, client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)
	f.waitService(t, api.ServiceStatusActive)
	if n := scripted.Changes(); n != 4 { // environment, two instances, pipeline
		t.Errorf("%d runs took effect, want 4", n)
	}
}

// code is the exception that a call was refused with.
func code(err error) string {
	if e, ok := errors.AsType[*awsjson.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestCreateServiceIsRefusedWithEachOfItsExceptions(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.QuotaServices = 1 })
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()

	user := must(f.CreateUser(ctx, &api.CreateUserInput{Name: p("reader"), Policy: p(`{"Version": "2012-10-17", "Statement":
		{"Effect": "Allow", "Action": "proton:Get*", "Resource": "*"}}`)}))(t)
	reader := client(f.server.URL, *user.AccessKeyId, auth.Secret(*user.SecretAccessKey))
	_, err := reader.CreateService(ctx, shop())
	if got, want := fmt.Sprint(err), "AccessDeniedException: User: arn:aws:iam::000000000000:user/reader is not authorized to perform: proton:CreateService on resource: "+f.arn("service/shop"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	unknown := shop()
	unknown.TemplateName = p("nothing")
	_, err = f.CreateService(ctx, unknown)
	if got, want := fmt.Sprint(err), "ResourceNotFoundException: The requested service template does not exist: "+f.arn("service-template/nothing"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	bad := shop()
	bad.Spec = p(strings.ReplaceAll(*bad.Spec, "443", "70000"))
	_, err = f.CreateService(ctx, bad)
	if got, want := fmt.Sprint(err), "ValidationException: Spec validation failed: instances[prod].spec.port: 70000 is greater than maximum 65535"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	must(f.CreateService(ctx, shop()))(t)
	second := shop()
	second.Name = p("second")
	if _, err = f.CreateService(ctx, second); code(err) != "ServiceQuotaExceededException" {
		t.Errorf("over the quota: %v", err)
	}
	different := shop()
	different.Description = p("another")
	if _, err = f.CreateService(ctx, different); fmt.Sprint(err) != "ValidationException: Idempotent parameter mismatch" {
		t.Errorf("same name, other parameters: %v", err)
	}
	f.waitService(t, api.ServiceStatusActive)
	must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
	if _, err = f.CreateService(ctx, shop()); code(err) != "ConflictException" {
		// The deletion may be over already; then the name is free again.
		if err != nil {
			t.Errorf("while it is being deleted: %v", err)
		}
	}
	f.broken = true
	f.server.store.Close()
	if _, err = f.CreateService(ctx, second); fmt.Sprint(err) != "InternalServerException: internal error" {
		t.Errorf("with the database gone: %v", err)
	}
}

func TestCallsOverTheRateAreThrottled(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.ThrottleRate = 1 })
	var err error
	for range 5 {
		_, err = f.ListServices(t.Context(), &api.ListServicesInput{})
	}
	if got := fmt.Sprint(err); got != "ThrottlingException: Rate exceeded" {
		t.Errorf("the fifth call at once: %s", got)
	}
}

func TestRefusedCallsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	before := snapshot(t, f)
	for name, change := range map[string]func(*api.CreateServiceInput){
		"unknown environment": func(in *api.CreateServiceInput) { in.Spec = p(strings.ReplaceAll(*in.Spec, "one", "two")) },
		"unknown version":     func(in *api.CreateServiceInput) { in.TemplateMajorVersion = p("7") },
		"no repository":       func(in *api.CreateServiceInput) { in.RepositoryId = nil },
		"reserved tag":        func(in *api.CreateServiceInput) { in.Tags = []api.Tag{{Key: p("aws:x"), Value: p("y")}} },
		"no YAML":             func(in *api.CreateServiceInput) { in.Spec = p("proton: [") },
		"name too long":       func(in *api.CreateServiceInput) { in.Name = p(strings.Repeat("n", 101)) },
		"duplicate instance":  func(in *api.CreateServiceInput) { in.Spec = p(strings.ReplaceAll(*in.Spec, "prod", "dev")) },
	} {
		in := shop()
		change(in)
		if _, err := f.CreateService(t.Context(), in); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if after := snapshot(t, f); after != before {
		t.Errorf("refused calls changed the database:\nbefore %s\n after %s", before, after)
	}
}

// snapshot counts what a call could leave behind.
func snapshot(t *testing.T, f *fixture) string {
	t.Helper()
	s := proton.Scope{Account: f.account, Region: region}
	text := ""
	err := f.server.store.View(t.Context(), func(tx *store.Tx) error {
		services, err := tx.CountServices(t.Context(), s)
		if err != nil {
			return err
		}
		deployments, err := tx.Deployments(t.Context(), s, store.DeploymentFilter{}, nil, 1000)
		if err != nil {
			return err
		}
		tags, err := tx.Tags(t.Context(), s.ServiceARN("shop"))
		text = fmt.Sprintf("%d services, %d deployments, %d tags", services, len(deployments), len(tags))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSecretsOfTheDataFolderAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	f := start(t)
	names := []string{"credentials", "master.key", "hadron.db", "hadron.db-wal"}
	if onPostgres() {
		names = names[:2]
	}
	for _, name := range names {
		file := strings.Replace(f.server.Root.File, "credentials", name, 1)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", file, mode)
		}
	}
}

func TestEnvironmentThatNeverRenderedIsDeletedWithoutItsEngine(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.put(t, "/templates", nil)
	f.put(t, "/templates/net.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":           environmentSchema,
		"infrastructure/manifest.yaml": manifest + "        project_properties:\n          VpcConfig: {VpcId: \"{{ environment.inputs.vpc }}\"}\n",
	}))
	ctx := t.Context()
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), Source: s3("net.tar.gz")}))(t)
	err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client,
		&api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")})
	if err != nil {
		t.Fatal(err)
	}
	noticed := must(f.ListTemplateVersionWarnings(ctx, &api.ListTemplateVersionWarningsInput{
		TemplateType: api.Ptr(api.HadronTemplateTypeEnvironment), TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")}))(t)
	if text := strings.Join(noticed.Warnings, "\n"); !strings.Contains(text, "vpc") {
		t.Errorf("registration did not warn of the input that is not defined: %q", text)
	}
	must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"),
		TemplateMajorVersion: p("1"), TemplateMinorVersion: p("0"), Spec: p("proton: EnvironmentSpec\n")}))(t)
	var message string
	eventually(t, "the environment has failed", func() bool {
		e := must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
		message = api.Value(e.DeploymentStatusMessage)
		return *e.DeploymentStatus == api.DeploymentStatusFailed
	})
	if !strings.Contains(message, "environment.inputs.vpc' is undefined") {
		t.Errorf("message: %s", message)
	}
	must(f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}))(t)
	eventually(t, "the environment is gone", func() bool {
		_, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")})
		return code(err) == "ResourceNotFoundException"
	})
	if n := len(f.engine.Calls()); n != 0 {
		t.Errorf("the engine was called %d times", n)
	}
}
