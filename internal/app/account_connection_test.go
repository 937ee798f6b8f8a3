package app

import (
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
)

// account answers a client of an account of its own.
func (f *fixture) accountClient(t *testing.T, account string) *api.Client {
	t.Helper()
	user := must(f.CreateUser(t.Context(), &api.CreateUserInput{Name: p("owner"), AccountId: &account,
		Policy: p(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)}))(t)
	return client(f.server.URL, *user.AccessKeyId, auth.Secret(*user.SecretAccessKey))
}

func TestEnvironmentIsProvisionedThroughAnAccountConnection(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	const other = "111122223333"
	environmentAccount, stranger := f.accountClient(t, other), f.accountClient(t, "999999999999")
	role := "arn:aws:iam::" + other + ":role/provision"

	ask := &api.CreateEnvironmentAccountConnectionInput{EnvironmentName: p("one"), ManagementAccountId: &f.account, RoleArn: &role, ClientToken: p("t")}
	c := must(environmentAccount.CreateEnvironmentAccountConnection(ctx, ask))(t).EnvironmentAccountConnection
	if *c.Status != api.EnvironmentAccountConnectionStatusPending || *c.EnvironmentAccountId != other {
		t.Errorf("asked: %s by %s", *c.Status, *c.EnvironmentAccountId)
	}
	if again := must(environmentAccount.CreateEnvironmentAccountConnection(ctx, ask))(t).EnvironmentAccountConnection; *again.Id != *c.Id {
		t.Error("a repeat with the same token made another connection")
	}
	second := *ask
	second.ClientToken = p("u")
	if _, err := environmentAccount.CreateEnvironmentAccountConnection(ctx, &second); code(err) != "ConflictException" {
		t.Errorf("a second open connection: %v", err)
	}
	create := &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\n"), EnvironmentAccountConnectionId: c.Id}
	if _, err := f.CreateEnvironment(ctx, create); code(err) != "ValidationException" {
		t.Errorf("created through a pending connection: %v", err)
	}
	if _, err := environmentAccount.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}); code(err) != "AccessDeniedException" {
		t.Errorf("accepted by the account that asked: %v", err)
	}
	if _, err := stranger.GetEnvironmentAccountConnection(ctx, &api.GetEnvironmentAccountConnectionInput{Id: c.Id}); code(err) != "ResourceNotFoundException" {
		t.Errorf("seen by a stranger: %v", err)
	}
	must(f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	wrong := *create
	wrong.Name = p("two")
	if _, err := f.CreateEnvironment(ctx, &wrong); code(err) != "ValidationException" {
		t.Errorf("created under another name than the connection's: %v", err)
	}
	e := must(f.CreateEnvironment(ctx, create))(t).Environment
	if *e.EnvironmentAccountId != other {
		t.Errorf("environment account %s", *e.EnvironmentAccountId)
	}
	if err := api.WaiterEnvironmentDeployed.Every(10*time.Millisecond).Wait(ctx, f.Client, &api.GetEnvironmentInput{Name: p("one")}); err != nil {
		t.Fatal(err)
	}
	if run := f.engine.Calls()[0].Run; run.AccountID != other {
		t.Errorf("provisioned in account %s", run.AccountID)
	}
	if _, err := f.RejectEnvironmentAccountConnection(ctx, &api.RejectEnvironmentAccountConnectionInput{Id: c.Id}); code(err) != "ConflictException" {
		t.Errorf("rejected while in use: %v", err)
	}
	if _, err := environmentAccount.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("the environment account sees the environment: %v", err)
	}

	// Without its connection the environment keeps its record and can't be changed, until another is accepted.
	must(environmentAccount.DeleteEnvironmentAccountConnection(ctx, &api.DeleteEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	if _, err := f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}); code(err) != "ValidationException" {
		t.Errorf("deleted without its connection: %v", err)
	}
	none := &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeNone), Description: p("waiting")}
	if e := must(f.UpdateEnvironment(ctx, none))(t).Environment; *e.Description != "waiting" {
		t.Errorf("its description can be changed meanwhile, and is %s", *e.Description)
	}
	c = must(environmentAccount.CreateEnvironmentAccountConnection(ctx, &second))(t).EnvironmentAccountConnection
	must(f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	list := must(f.ListEnvironmentAccountConnections(ctx, &api.ListEnvironmentAccountConnectionsInput{
		RequestedBy: api.Ptr(api.EnvironmentAccountConnectionRequesterAccountTypeManagementAccount)}))(t).EnvironmentAccountConnections
	if len(list) != 1 || *list[0].Id != *c.Id || *list[0].Status != api.EnvironmentAccountConnectionStatusConnected {
		t.Errorf("listed: %v", list)
	}
	must(f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}))(t)
	eventually(t, "the environment is gone", func() bool {
		_, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")})
		return code(err) == "ResourceNotFoundException"
	})
	must(f.RejectEnvironmentAccountConnection(ctx, &api.RejectEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	if _, err := f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}); code(err) != "ConflictException" {
		t.Errorf("accepted after it was rejected: %v", err)
	}
}

// A connection that is accepted in place of one that was deleted is what the
// environment and all that lives in it are provisioned through from then on.
func TestAcceptedConnectionTakesTheDeletedOnesPlace(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	const other = "111122223333"
	environmentAccount := f.accountClient(t, other)
	connect := func() *string {
		t.Helper()
		c := must(environmentAccount.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{
			EnvironmentName: p("one"), ManagementAccountId: &f.account, RoleArn: p("arn:aws:iam::" + other + ":role/provision")}))(t).EnvironmentAccountConnection
		must(f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
		return c.Id
	}
	first := connect()
	must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"),
		Spec: p("proton: EnvironmentSpec\n"), EnvironmentAccountConnectionId: first}))(t)
	f.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)

	must(environmentAccount.DeleteEnvironmentAccountConnection(ctx, &api.DeleteEnvironmentAccountConnectionInput{Id: first}))(t)
	redeploy := func() api.DeploymentStatus {
		t.Helper()
		must(f.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"),
			DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
		return *f.waitInstance(t, "dev").DeploymentStatus
	}
	if got := redeploy(); got != api.DeploymentStatusFailed {
		t.Errorf("without a connection the instance is %s", got)
	}
	second := connect()
	e := must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
	if *e.EnvironmentAccountConnectionId != *second || *e.EnvironmentAccountId != other {
		t.Errorf("the environment has connection %s to %s, want %s", *e.EnvironmentAccountConnectionId, *e.EnvironmentAccountId, *second)
	}
	if got := redeploy(); got != api.DeploymentStatusSucceeded {
		t.Errorf("through the new connection the instance is %s", got)
	}
	if _, err := f.RejectEnvironmentAccountConnection(ctx, &api.RejectEnvironmentAccountConnectionInput{Id: second}); code(err) != "ConflictException" {
		t.Errorf("the new one is rejected while in use: %v", err)
	}
}
