package proton

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func queue(a Attachment) Component {
	return Component{Scope: scope, Name: "queue", EnvironmentName: "prod", Attachment: a, ServiceSpec: "spec", TemplateFile: "one", Manifest: "m"}
}

var atProd = Attachment{"shop", "prod"}

// deployed is the component once its first deployment has ended so.
func (c Component) ended(t *testing.T, d Deployment, o Outcome) Component {
	t.Helper()
	d, err := d.End(o, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c.Finish(d, noon.Add(time.Hour))
}

func TestComponentShowsWhatLastSucceeded(t *testing.T) {
	t.Parallel()
	newID := ids()
	c, d := PlanComponent(queue(atProd), newID, noon)
	if d.ServiceName != "shop" || d.InstanceName != "prod" || d.EnvironmentName != "prod" || d.ComponentName != "queue" || !d.Ready {
		t.Errorf("the first deployment is of %+v", d)
	}
	c = c.ended(t, d, Outcome{})
	if c.Status != Succeeded || c.LastModifiedAt != noon.Add(time.Hour) {
		t.Errorf("deployed: %s, modified %s", c.Status, c.LastModifiedAt)
	}
	for name, o := range map[string]Outcome{"failed": {Failure: "no room"}, "cancelled": {Cancelled: true}, "succeeded": {}} {
		before := c.State()
		to := ComponentState{TemplateFile: "two"}
		next, d, err := PlanComponentUpdate(c, to, newID, noon)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, next.State()); diff != "" || !next.Wanted.Detached() {
			t.Errorf("while it is detached it shows (-before +now)\n%s wanted %v", diff, next.Wanted)
		}
		if diff := cmp.Diff(&before, d.Initial.Component); diff != "" {
			t.Error(diff)
		}
		want := before
		if name == "succeeded" {
			want = to
		}
		next = next.ended(t, d, o)
		if diff := cmp.Diff(want, next.State()); diff != "" || next.Wanted != next.Attachment {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Nothing is in force that a failure could leave, so a component that never
// came to be can be detached, and deleted, whatever its template says.
func TestComponentThatNeverSucceededIsWhatWasLastTried(t *testing.T) {
	t.Parallel()
	newID := ids()
	c, d := PlanComponent(queue(atProd), newID, noon)
	c = c.ended(t, d, Outcome{Failure: "bad template"})
	if _, _, err := PlanComponentDelete(c, newID, noon); KindOf(err) != Conflict {
		t.Errorf("deleted while attached: %v", err)
	}
	c, d, err := PlanComponentUpdate(c, ComponentState{TemplateFile: "one"}, newID, noon)
	if err != nil {
		t.Fatal(err)
	}
	if d.Initial.Component != nil {
		t.Error("a first deployment starts from nothing")
	}
	c = c.ended(t, d, Outcome{Failure: "bad template"})
	if _, d, err = PlanComponentDelete(c, newID, noon); err != nil || d.Goal != GoalDestroy || d.Initial.Component != nil {
		t.Errorf("delete: %v, %+v", err, d)
	}
}

func TestComponentMoves(t *testing.T) {
	t.Parallel()
	p := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		from              Attachment
		service, instance *string
		want              Attachment
		kind              string
	}{
		"nothing said keeps":      {atProd, nil, nil, atProd, ""},
		"nothing said, detached":  {Attachment{}, nil, nil, Attachment{}, ""},
		"the same":                {atProd, p("shop"), p("prod"), atProd, ""},
		"detach":                  {atProd, p(""), p(""), Attachment{}, ""},
		"detach the detached":     {Attachment{}, p(""), p(""), Attachment{}, ""},
		"attach":                  {Attachment{}, p("shop"), p("prod"), atProd, ""},
		"to another instance":     {atProd, p("shop"), p("test"), Attachment{}, "conflict"},
		"only a service":          {Attachment{}, p("shop"), nil, Attachment{}, "invalid"},
		"only an instance":        {Attachment{}, nil, p("prod"), Attachment{}, "invalid"},
		"one empty, one not":      {atProd, p(""), p("prod"), Attachment{}, "invalid"},
		"one empty, one not said": {atProd, p(""), nil, Attachment{}, "invalid"},
	} {
		got, err := queue(c.from).Move(c.service, c.instance)
		switch {
		case c.kind != "" && (err == nil || KindOf(err).String() != c.kind):
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		case c.kind == "" && (err != nil || got != c.want):
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatComponentsCanBeAttachedTo(t *testing.T) {
	t.Parallel()
	instance := func(s DeploymentStatus) ServiceInstance {
		return ServiceInstance{Scope: scope, ServiceName: "shop", Name: "prod", EnvironmentName: "prod", Deployable: Deployable{Status: s}}
	}
	service := Service{Scope: scope, Name: "shop", Status: ServiceActive}
	supports := TemplateVersion{ComponentSources: []string{"DIRECTLY_DEFINED"}}
	adding := service
	adding.Status, adding.Update = ServiceUpdateInProgress, &ServiceUpdate{Added: []string{"prod"}}
	deleting := service
	deleting.Status = ServiceDeleteFailed
	here, other := queue(atProd), queue(atProd)
	other.Name = "table"
	elsewhere := queue(atProd)
	elsewhere.EnvironmentName = "dev"
	for name, c := range map[string]struct {
		component Component
		instance  ServiceInstance
		service   Service
		version   TemplateVersion
		attached  *Component
		want      string
	}{
		"idle":                {here, instance(Succeeded), service, supports, nil, ""},
		"failed":              {here, instance(Failed), service, supports, nil, ""},
		"its own":             {here, instance(Succeeded), service, supports, &here, ""},
		"busy":                {here, instance(InProgress), service, supports, nil, "conflict: Service instance " + instanceARN + "prod has a deployment in progress."},
		"being deleted":       {here, instance(DeleteInProgress), service, supports, nil, "conflict"},
		"delete failed":       {here, instance(DeleteFailed), service, supports, nil, "conflict"},
		"service deleting":    {here, instance(Succeeded), deleting, supports, nil, "conflict"},
		"added by an update":  {here, instance(Succeeded), adding, supports, nil, "conflict"},
		"another environment": {elsewhere, instance(Succeeded), service, supports, nil, "invalid"},
		"no support":          {here, instance(Succeeded), service, TemplateVersion{}, nil, "invalid: Service instance " + instanceARN + "prod doesn't support directly defined components."},
		"has another": {here, instance(Succeeded), service, supports, &other,
			"conflict: Service instance " + instanceARN + "prod already has an attached component: arn:aws:proton:eu-west-1:123456789012:component/table"},
	} {
		err := c.component.Attach(c.instance, c.service, c.version, c.attached)
		got := ""
		if err != nil {
			got = KindOf(err).String() + ": " + err.Error()
		}
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestEnvironmentsThatAcceptComponents(t *testing.T) {
	t.Parallel()
	ready := environment("prod")
	managed := ready
	managed.ProvisioningRepository = &ProvisioningRepository{}
	never := ready
	never.LastSucceededDeploymentID = ""
	deleting := ready
	deleting.Status = DeleteFailed
	for name, c := range map[string]struct {
		environment  Environment
		method, role string
		ok           bool
	}{
		"CloudFormation with a role":     {ready, "CLOUDFORMATION", "role", true},
		"CloudFormation without":         {ready, "CLOUDFORMATION", "", false},
		"OpenTofu run directly":          {ready, "TERRAFORM", "", true},
		"Terraform, self-managed":        {managed, "TERRAFORM", "", true},
		"CloudFormation, self-managed":   {managed, "CLOUDFORMATION", "role", false},
		"environment never deployed":     {never, "TERRAFORM", "", false},
		"environment that is going away": {deleting, "TERRAFORM", "", false},
	} {
		if err := AcceptsComponents(c.environment, c.method, c.role); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
