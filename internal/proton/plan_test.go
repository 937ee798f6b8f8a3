package proton

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanServiceWritesEverythingAtOnce(t *testing.T) {
	t.Parallel()
	r := ServiceRequest{
		Service:   Service{Scope: scope, Name: "shop", TemplateName: "web", Spec: "spec", HasPipeline: true, Creation: Creation{RequestHash: "h"}},
		Version:   webVersion(),
		Instances: []WantedInstance{{"b", "prod"}, {"a", "test"}},
	}
	got, err := PlanService(r, map[string]Environment{"prod": environment("prod"), "test": environment("test")}, ids(), noon)
	if err != nil {
		t.Fatal(err)
	}
	service := r.Service
	service.Status, service.TemplateMajor, service.CreatedAt, service.LastModifiedAt = ServiceCreateInProgress, 1, noon, noon
	deployment := func(id, run string, of TargetType, instance, env string, ready bool) Deployment {
		return Deployment{
			Scope: scope, ID: id, RunID: run, TargetType: of, ServiceName: "shop", InstanceName: instance, EnvironmentName: env,
			Goal: GoalApply, Status: InProgress, CreatedAt: noon, LastModifiedAt: noon, TargetCreatedAt: noon, Ready: ready,
			Target: State{TemplateName: "web", Version: Version{1, 2}, Spec: "spec"},
		}
	}
	begun := func(id string) Deployable {
		return Deployable{Status: InProgress, Attempted: Version{1, 2}, CreatedAt: noon, LastAttemptedAt: noon, LastAttemptedDeploymentID: id}
	}
	want := ServicePlan{
		Service: service,
		Instances: []ServiceInstance{
			{Scope: scope, ServiceName: "shop", Name: "b", EnvironmentName: "prod", TemplateName: "web", Position: 0, Deployable: begun("1")},
			{Scope: scope, ServiceName: "shop", Name: "a", EnvironmentName: "test", TemplateName: "web", Position: 1, Deployable: begun("3")},
		},
		Pipeline: &Pipeline{Scope: scope, ServiceName: "shop", TemplateName: "web", Deployable: begun("5")},
		Deployments: []Deployment{
			deployment("1", "2", TargetServiceInstance, "b", "prod", true),
			deployment("3", "4", TargetServiceInstance, "a", "test", true),
			deployment("5", "6", TargetPipeline, "", "", false),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlanServiceWithoutInstances(t *testing.T) {
	t.Parallel()
	if w := createService(t, 0, false); w.service.Status != ServiceActive || len(w.deployments) != 0 {
		t.Errorf("with nothing at all: %s, %d deployments", w.statuses(), len(w.deployments))
	}
	if w := createService(t, 0, true); w.service.Status != ServiceCreateInProgress || len(w.ready()) != 1 {
		t.Errorf("with a pipeline alone: %s, ready %v", w.statuses(), w.ready())
	}
}

func TestAcceptsInstances(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Environment)
		kind   Kind
		want   string
	}{
		"deployed":                  {func(*Environment) {}, 0, ""},
		"a later update has failed": {func(e *Environment) { e.Status = Failed }, 0, ""},
		"being updated":             {func(e *Environment) { e.Status = InProgress }, 0, ""},
		"another compatible major":  {func(e *Environment) { e.Version = Version{2, 0} }, 0, ""},
		"being deleted":             {func(e *Environment) { e.Status = DeleteInProgress }, Conflict, "is being deleted"},
		"delete has failed":         {func(e *Environment) { e.Status = DeleteFailed }, Conflict, "is being deleted"},
		"never deployed":            {func(e *Environment) { e.LastSucceededDeploymentID, e.Status = "", Failed }, Invalid, "deployment status is FAILED"},
		"an incompatible major":     {func(e *Environment) { e.Version = Version{3, 0} }, Invalid, "not compatible"},
		"an environment of another": {func(e *Environment) { e.TemplateName = "ecs" }, Invalid, "not compatible"},
	} {
		e := environment("prod")
		c.change(&e)
		err := AcceptsInstances(e, webVersion())
		if (err == nil) != (c.want == "") || err != nil && (KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		r := ServiceRequest{Service: Service{Scope: scope, Name: "s"}, Version: webVersion(), Instances: []WantedInstance{{"i", "prod"}}}
		plan, planErr := PlanService(r, map[string]Environment{"prod": e}, ids(), noon)
		if cmp.Diff(err == nil, planErr == nil) != "" || planErr != nil && len(plan.Deployments)+len(plan.Instances) > 0 {
			t.Errorf("%s: the plan says %v, %+v", name, planErr, plan)
		}
	}
}

func TestPlanEnvironment(t *testing.T) {
	t.Parallel()
	v := TemplateVersion{Version: Version{2, 1}}
	e, d, err := PlanEnvironment(Environment{Scope: scope, Name: "prod", TemplateName: "vpc"}, "spec", v, nil, ids(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != InProgress || !e.Version.IsZero() || e.Spec != "" || e.Attempted != v.Version || !e.LastAttemptedAt.Equal(e.CreatedAt) {
		t.Errorf("the environment: %+v", e)
	}
	if d.TargetARN() != e.ARN() || !d.Ready || d.Goal != GoalApply || d.ID != e.LastAttemptedDeploymentID || d.RunID == d.ID {
		t.Errorf("the deployment: %+v", d)
	}

	outputs := []Output{{Key: "VpcId", Value: "vpc-1"}}
	e, d, err = PlanEnvironment(Environment{Scope: scope, Name: "prod", CustomerManaged: true}, "spec", v, outputs, ids(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != Succeeded || e.Version != v.Version || e.Spec != "spec" || e.LastSucceededDeploymentID != d.ID {
		t.Errorf("a customer-managed environment is done at once; got %+v", e)
	}
	if d.Ready || d.Status != Succeeded || d.CompletedAt.IsZero() || cmp.Diff(outputs, d.Outputs) != "" {
		t.Errorf("its deployment: %+v", d)
	}
}

func TestRefuseEnvironmentDelete(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:proton:eu-west-1:123456789012:environment/prod"
	for name, c := range map[string]struct {
		status                DeploymentStatus
		instances, components []ARN
		want                  string
	}{
		"idle":            {Succeeded, nil, nil, ""},
		"failed":          {Failed, nil, nil, ""},
		"delete failed":   {DeleteFailed, nil, nil, ""},
		"deploying":       {InProgress, nil, nil, "Environment " + arn + " has a deployment in progress."},
		"being cancelled": {Cancelling, nil, nil, "Environment " + arn + " has a deployment in progress."},
		"with instances":  {Succeeded, []ARN{"x", "y"}, []ARN{"z"}, "Environment " + arn + " can't be deleted because it has service instances: [x, y]"},
		"with components": {Succeeded, nil, []ARN{"z"}, "Environment " + arn + " can't be deleted because it has components: [z]"},
	} {
		e := environment("prod")
		e.Status = c.status
		err := RefuseEnvironmentDelete(e, c.instances, c.components)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case c.want != "" && (err == nil || err.Error() != c.want || KindOf(err) != Conflict):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestServiceDeleteIsRefusedWhileAnythingRuns(t *testing.T) {
	t.Parallel()
	for _, status := range ServiceStatuses {
		_, err := PlanServiceDelete(Service{Scope: scope, Name: "shop", Status: status}, nil, nil, ids(), noon)
		if status.Running() != (err != nil) || err != nil && KindOf(err) != Conflict {
			t.Errorf("service %s: %v", status, err)
		}
	}
	for _, status := range DeploymentStatuses {
		if status == DeleteComplete {
			continue // no record has it
		}
		service := Service{Scope: scope, Name: "shop", Status: ServiceActive}
		part := Deployable{Status: status}
		_, err := PlanServiceDelete(service, []ServiceInstance{{Scope: scope, ServiceName: "shop", Name: "i", Deployable: part}}, nil, ids(), noon)
		_, errPipeline := PlanServiceDelete(service, nil, &Pipeline{Scope: scope, ServiceName: "shop", Deployable: part}, ids(), noon)
		for _, err := range []error{err, errPipeline} {
			if status.Running() != (err != nil) || err != nil && (KindOf(err) != Conflict || !strings.Contains(err.Error(), "has a deployment in progress.")) {
				t.Errorf("a part in %s: %v", status, err)
			}
		}
	}
}

func TestPlanDestroyRemovesWhatWasDeployed(t *testing.T) {
	t.Parallel()
	r := Deployable{
		Status: Failed, StatusMessage: "no", Version: Version{1, 1}, Attempted: Version{1, 2}, Spec: "last good", CreatedAt: noon,
		LastAttemptedAt: noon, LastAttemptedDeploymentID: "a", LastSucceededDeploymentID: "s",
	}
	after, d, err := PlanDestroy(scope, TargetServiceInstance, r, "web", ids(), noon.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	state := State{TemplateName: "web", Version: Version{1, 1}, Spec: "last good"}
	if diff := cmp.Diff([]State{state, state}, []State{d.Initial, d.Target}); diff != "" {
		t.Error(diff)
	}
	if d.Goal != GoalDestroy || d.Status != DeleteInProgress || d.PrecedingAttemptedID != "a" || d.PrecedingSucceededID != "s" || !d.TargetCreatedAt.Equal(noon) {
		t.Errorf("%+v", d)
	}
	if after.Status != DeleteInProgress || after.StatusMessage != "" || !after.LastAttemptedAt.Equal(noon) || after.LastAttemptedDeploymentID != d.ID {
		t.Errorf("a delete is no attempt to deploy; got %+v", after)
	}

	never := Deployable{Status: Failed, Attempted: Version{1, 2}}
	if _, d, _ = PlanDestroy(scope, TargetServiceInstance, never, "web", ids(), noon); d.Target.Version != (Version{1, 2}) || cmp.Diff(State{}, d.Initial) != "" {
		t.Errorf("of what was never deployed: initial %+v, target %+v", d.Initial, d.Target)
	}
}
