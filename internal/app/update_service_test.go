package app

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// newSpec keeps dev, drops prod and adds test.
const newSpec = "proton: ServiceSpec\npipeline: {}\ninstances:\n- name: dev\n  environment: one\n  spec: {port: 80}\n- name: test\n  environment: one\n  spec: {port: 81}\n"

func (f *fixture) updateService(t *testing.T, spec string) error {
	t.Helper()
	out, err := f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: &spec})
	if err == nil && *out.Service.Status != api.ServiceStatusUpdateInProgress {
		t.Errorf("the answer says %s", *out.Service.Status)
	}
	return err
}

func (f *fixture) instances(t *testing.T) string {
	t.Helper()
	var list []string
	for _, i := range must(f.ListServiceInstances(t.Context(), &api.ListServiceInstancesInput{ServiceName: p("shop")}))(t).ServiceInstances {
		list = append(list, *i.Name+" "+string(*i.DeploymentStatus))
	}
	return strings.Join(list, ", ")
}

func TestUpdateServiceAddsThenRemovesThenDeploysThePipeline(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	before := len(f.engine.Calls())
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	service := f.waitService(t, api.ServiceStatusActive)
	if got, want := f.instances(t), "dev SUCCEEDED, test SUCCEEDED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
	if *service.Spec != newSpec {
		t.Errorf("the spec is\n%s", *service.Spec)
	}
	var order []string
	for _, c := range f.engine.Calls()[before:] {
		if c.Method == "Preview" {
			continue
		}
		order = append(order, c.Run.ResourceARN[strings.LastIndex(c.Run.ResourceARN, "/")+1:]+" "+string(c.Run.Goal))
	}
	if got, want := strings.Join(order, ", "), "test APPLY, prod DESTROY, pipeline APPLY"; got != want {
		t.Errorf("the engine ran %s, want %s", got, want)
	}
}

func TestFailedAdditionIsTakenBackAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	was := f.waitService(t, api.ServiceStatusActive)
	f.engine.On(f.arn("service/shop/service-instance/test"), enginetest.Script{Fail: "no room"}, enginetest.Script{})
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	service := f.waitService(t, api.ServiceStatusUpdateFailedCleanupComplete)
	if got, want := f.instances(t), "dev SUCCEEDED, prod SUCCEEDED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
	if *service.Spec != *was.Spec || *service.Pipeline.DeploymentStatus != api.DeploymentStatusSucceeded ||
		*service.Pipeline.LastAttemptedDeploymentId != *was.Pipeline.LastAttemptedDeploymentId {
		t.Errorf("spec or pipeline are not what they were: %s", *service.Pipeline.DeploymentStatus)
	}
	// Nothing is stuck: the same update works once there is room.
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusActive)
}

func TestRemovalThatFailsLeavesTheInstanceToTheNextUpdate(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	prod := f.arn("service/shop/service-instance/prod")
	f.engine.On(prod, enginetest.Script{}, enginetest.Script{Fail: "not empty"}, enginetest.Script{})
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusUpdateCompleteCleanupFailed)
	if got, want := f.instances(t), "dev SUCCEEDED, prod DELETE_FAILED, test SUCCEEDED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusActive)
	if f.engine.Exists(prod) {
		t.Error("the removed instance is still there")
	}
}

func TestUpdateServiceRefusesEdits(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	f.createEnvironment(t, "two")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	for name, spec := range map[string]string{
		"an input":         strings.Replace(newSpec, "port: 80}", "port: 8080}", 1),
		"an environment":   strings.Replace(newSpec, "dev\n  environment: one", "dev\n  environment: two", 1),
		"the pipeline":     strings.Replace(newSpec, "pipeline: {}", "pipeline: {dockerfile: Other}", 1),
		"no instance left": "proton: ServiceSpec\ninstances: []\n",
	} {
		if err := f.updateService(t, spec); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A default written out, and an unchanged list, change nothing.
	same := strings.Replace(*shop().Spec, "pipeline: {}", "pipeline: {dockerfile: Dockerfile}", 1)
	out := must(f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: &same}))(t)
	if *out.Service.Status != api.ServiceStatusActive {
		t.Errorf("an update that changes nothing: %s", *out.Service.Status)
	}
	out = must(f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Description: p("ours")}))(t)
	if *out.Service.Status != api.ServiceStatusActive || *out.Service.Description != "ours" {
		t.Errorf("a description: %s", *out.Service.Status)
	}
}

// An update of the service does not block the instances it leaves alone.
func TestRemainingInstancesAreDeployedDuringAnUpdateOfTheService(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	hold := make(chan struct{})
	f.engine.On(f.arn("service/shop/service-instance/test"), enginetest.Script{Hold: hold})
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	redeploy := func(name string) error {
		_, err := f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: &name,
			DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)})
		return err
	}
	for _, name := range []string{"test", "prod"} {
		if err := redeploy(name); code(err) != "ConflictException" {
			t.Errorf("%s, which the update is about: %v", name, err)
		}
	}
	if err := f.updateService(t, newSpec); code(err) != "ConflictException" {
		t.Errorf("a second update, which changes nothing: %v", err)
	}
	if err := redeploy("dev"); err != nil {
		t.Fatalf("dev, which stays: %v", err)
	}
	if i := f.waitInstance(t, "dev"); *i.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("dev is %s", *i.DeploymentStatus)
	}
	close(hold)
	f.waitService(t, api.ServiceStatusActive)
	if got, want := f.instances(t), "dev SUCCEEDED, test SUCCEEDED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
}

func TestInstancesThatAreGoingOrNewAreNotTakenForOldOnes(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	_, err := f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: p(strings.Replace(newSpec, "port: 81", "port: '${Proton::CURRENT_VAL}'", 1))})
	isRefused(t, "a current value of an added instance", err, "ValidationException: Spec validation failed: instances[test].spec.port: "+
		"${Proton::CURRENT_VAL} has no meaning in a create call: there is no current value")
	f.engine.On(f.arn("service/shop/service-instance/prod"), enginetest.Script{Fail: "not empty"}, enginetest.Script{})
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusUpdateCompleteCleanupFailed)
	_, err = f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: p(newSpec + "- name: prod\n  environment: one\n  spec: {port: 443}\n")})
	isRefused(t, "an instance that could not be deleted is listed again", err, "ConflictException: Service instance "+
		f.arn("service/shop/service-instance/prod")+" is being deleted: it can't be kept.")
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatalf("the deletion is tried again: %v", err)
	}
	f.waitService(t, api.ServiceStatusActive)
}

// An added instance that neither came up nor could be removed has only ever
// been tried. It can't be kept, and the next update removes it.
func TestInstanceThatCouldNotBeTakenBackIsRemovedByTheNextUpdate(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	was := f.waitService(t, api.ServiceStatusActive)
	f.engine.On(f.arn("service/shop/service-instance/test"), enginetest.Script{Fail: "no room"}, enginetest.Script{Fail: "it holds on"}, enginetest.Script{})
	if err := f.updateService(t, newSpec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusUpdateFailedCleanupFailed)
	if got, want := f.instances(t), "dev SUCCEEDED, prod SUCCEEDED, test DELETE_FAILED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
	if err := f.updateService(t, newSpec); code(err) != "ConflictException" {
		t.Errorf("a spec that keeps it: %v", err)
	}
	if err := f.updateService(t, *was.Spec); err != nil {
		t.Fatal(err)
	}
	f.waitService(t, api.ServiceStatusActive)
	if got, want := f.instances(t), "dev SUCCEEDED, prod SUCCEEDED"; got != want {
		t.Errorf("instances: %s, want %s", got, want)
	}
}
