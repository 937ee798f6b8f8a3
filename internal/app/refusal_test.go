package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// isRefused holds a refusal's exception and text against what is wanted.
func isRefused(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// A quota is looked at last: what is wrong with a call even with room for it
// comes first.
func TestQuotasAreCheckedLast(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.QuotaInstancesPerService, c.QuotaServices = 1, 1 })
	f.publish(t)
	f.createEnvironment(t, "one")
	elsewhere := shop()
	elsewhere.Spec = p(strings.ReplaceAll(*elsewhere.Spec, "one", "two"))
	missing := "ResourceNotFoundException: The requested environment does not exist: " + f.arn("environment/two")
	_, err := f.CreateService(t.Context(), elsewhere)
	isRefused(t, "too many instances in a missing environment", err, missing)
	_, err = f.CreateService(t.Context(), shop())
	isRefused(t, "too many instances", err, "ServiceQuotaExceededException: The maximum number of service instances per service has been reached.")

	single := shop()
	single.Spec = p("proton: ServiceSpec\ninstances:\n- {name: dev, environment: one, spec: {port: 80}}\n")
	must(f.CreateService(t.Context(), single))(t)
	f.waitService(t, api.ServiceStatusActive)
	elsewhere.Name, elsewhere.Spec = p("second"), p("proton: ServiceSpec\ninstances:\n- {name: dev, environment: two, spec: {port: 80}}\n")
	_, err = f.CreateService(t.Context(), elsewhere)
	isRefused(t, "too many services, in a missing environment", err, missing)
	_, err = f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: p(*single.Spec + "- {name: prod, environment: two, spec: {port: 80}}\n")})
	isRefused(t, "an addition too many, in a missing environment", err, missing)
	_, err = f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: p(*single.Spec + "- {name: prod, environment: one, spec: {port: 80}}\n")})
	isRefused(t, "an addition too many", err, "ServiceQuotaExceededException: The maximum number of service instances per service has been reached.")
}

func TestEveryCurrentValueInACreateIsNamed(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	in := shop()
	in.Spec = p(strings.NewReplacer("80", "'${Proton::CURRENT_VAL}'", "443", "'${Proton::CURRENT_VAL}'").Replace(*in.Spec))
	_, err := f.CreateService(t.Context(), in)
	isRefused(t, "two placeholders", err, "ValidationException: "+
		"Spec validation failed: instances[dev].spec.port: ${Proton::CURRENT_VAL} has no meaning in a create call: there is no current value\n"+
		"Spec validation failed: instances[prod].spec.port: ${Proton::CURRENT_VAL} has no meaning in a create call: there is no current value")
}

// What is being deployed or deleted can't be changed, not even its description.
func TestBusyResourcesTakeNoUpdate(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	hold := make(chan struct{})
	f.engine.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateService(t.Context(), shop()))(t)
	_, err := f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Description: p("new")})
	isRefused(t, "a service", err, "ConflictException: Service "+f.arn("service/shop")+" can't be updated while its status is CREATE_IN_PROGRESS.")
	if out := must(f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop")}))(t); *out.Service.Status != api.ServiceStatusCreateInProgress {
		t.Errorf("an update of nothing answers %s", *out.Service.Status)
	}
	eventually(t, "both instances are being deployed", func() bool { return f.engine.Holding() == 2 })

	again := &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}
	must(f.UpdateEnvironment(t.Context(), again))(t)
	for _, kind := range []api.DeploymentUpdateType{api.DeploymentUpdateTypeNone, api.DeploymentUpdateTypeCurrentVersion} {
		_, err = f.UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: &kind, Description: p("new")})
		isRefused(t, "an environment, "+string(kind), err, "ConflictException: Environment "+f.arn("environment/one")+" has a deployment in progress.")
	}
	close(hold)
	service := f.waitService(t, api.ServiceStatusActive)
	if service.Description != nil {
		t.Errorf("a refused update changed the description to %q", *service.Description)
	}
}

func TestInstanceAndPipelineInProgressAreNamedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	hold := make(chan struct{})
	defer close(hold)
	f.engine.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	for range 2 {
		_, err := f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)})
		if err != nil {
			isRefused(t, "an instance", err, "ConflictException: Service instance "+f.arn("service/shop/service-instance/dev")+" has a deployment in progress.")
		}
		_, err = f.UpdateServicePipeline(t.Context(), &api.UpdateServicePipelineInput{ServiceName: p("shop"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: shop().Spec})
		if err != nil {
			isRefused(t, "a pipeline", err, "ConflictException: Service pipeline "+f.arn("service/shop/pipeline")+" has a deployment in progress.")
		}
	}
	_, err := f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Description: p("new")})
	isRefused(t, "a service whose pipeline is being deployed", err, "ConflictException: Service pipeline "+f.arn("service/shop/pipeline")+" has a deployment in progress.")
}

// Major versions begin at 1: 0 is none of a template, not all of them.
func TestCompatibleTemplatesHaveAMajorVersion(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	zero := []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("0")}}
	_, err := f.CreateServiceTemplateVersion(t.Context(), &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), Source: s3("web.tar.gz"), CompatibleEnvironmentTemplates: zero})
	missing := "ResourceNotFoundException: The requested environment template version does not exist: " + f.arn("environment-template/net:0")
	isRefused(t, "create", err, missing)
	_, err = f.UpdateServiceTemplateVersion(t.Context(), &api.UpdateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0"), CompatibleEnvironmentTemplates: zero})
	isRefused(t, "update", err, missing)
}

// Values of the same key are alternatives, bounds of time too.
func TestBoundsOfTimeGivenTwiceAreAlternatives(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	early, late := "2000-01-01T00:00:00Z", "2999-01-01T00:00:00.5Z"
	for _, key := range []api.ListServiceInstancesFilterBy{"createdAtBefore", "createdAtAfter", "lastDeploymentAttemptedAtBefore", "lastDeploymentAttemptedAtAfter"} {
		for _, values := range [][]string{{early, late}, {late, early}} {
			in := &api.ListServiceInstancesInput{}
			for _, value := range values {
				in.Filters = append(in.Filters, api.ListServiceInstancesFilter{Key: &key, Value: &value})
			}
			if out := must(f.ListServiceInstances(t.Context(), in))(t); len(out.ServiceInstances) != 2 {
				t.Errorf("%s %v: %d instances, want both", key, values, len(out.ServiceInstances))
			}
		}
	}
}

// An environment whose first deployment failed shows the version that was
// tried, so that is the one it is found by.
func TestEnvironmentsAreFoundByTheVersionTheyShow(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	f.engine.On("", enginetest.Script{Fail: "no room"})
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("two"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec")}))(t)
	eventually(t, "the second environment has failed", func() bool {
		out := must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: p("two")}))(t)
		return *out.Environment.DeploymentStatus == api.DeploymentStatusFailed
	})
	for major, want := range map[string]string{"0": "", "1": "one two", "2": ""} {
		out := must(f.ListEnvironments(t.Context(), &api.ListEnvironmentsInput{EnvironmentTemplates: []api.EnvironmentTemplateFilter{{TemplateName: p("net"), MajorVersion: &major}}}))(t)
		var names []string
		for _, e := range out.Environments {
			names = append(names, *e.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("major %s: %q, want %q", major, got, want)
		}
	}
}
