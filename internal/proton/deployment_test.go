package proton

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDeploymentEnds(t *testing.T) {
	t.Parallel()
	const cancelled = "User initiated cancellation."
	outcomes := map[string]Outcome{
		"success": {Outputs: []Output{{Key: "k"}}, Resources: []ProvisionedResource{{Name: "r"}}},
		"failure": {Failure: "why", Outputs: []Output{{Key: "k"}}},
		"cancel":  {Cancelled: true},
	}
	type end struct {
		status  DeploymentStatus
		message string
	}
	want := map[string]end{
		"APPLY IN_PROGRESS success":          {Succeeded, ""},
		"APPLY IN_PROGRESS failure":          {Failed, "why"},
		"APPLY IN_PROGRESS cancel":           {Cancelled, cancelled},
		"APPLY CANCELLING success":           {Succeeded, ""},
		"APPLY CANCELLING failure":           {Failed, "why"},
		"APPLY CANCELLING cancel":            {Cancelled, cancelled},
		"DESTROY DELETE_IN_PROGRESS success": {DeleteComplete, ""},
		"DESTROY DELETE_IN_PROGRESS failure": {DeleteFailed, "why"},
		"DESTROY DELETE_IN_PROGRESS cancel":  {DeleteFailed, cancelled},
	}
	tried := 0
	for _, goal := range []Goal{GoalApply, GoalDestroy} {
		for _, status := range DeploymentStatuses {
			for name, o := range outcomes {
				pair := fmt.Sprintf("%s %s %s", goal, status, name)
				running := Deployment{Goal: goal, Status: status, LeaseOwner: "n", LeaseUntil: noon, Checkpoint: "c"}
				got, err := running.End(o, noon)
				to, ok := want[pair]
				if !ok {
					if KindOf(err) != Conflict || got.Status != status || got.LeaseOwner != "n" {
						t.Errorf("%s: got %s, %v; want Conflict and nothing changed", pair, got.Status, err)
					}
					continue
				}
				tried++
				if err != nil || got.Status != to.status || got.StatusMessage != to.message {
					t.Errorf("%s: got %s %q, %v; want %s %q", pair, got.Status, got.StatusMessage, err, to.status, to.message)
				}
				if got.LeaseOwner != "" || !got.LeaseUntil.IsZero() || got.Checkpoint != "" || !got.CompletedAt.Equal(noon) || !got.LastModifiedAt.Equal(noon) {
					t.Errorf("%s: not closed: %+v", pair, got)
				}
				if keeps := to.status == Succeeded; keeps != (got.Outputs != nil) || keeps != (got.Resources != nil) {
					t.Errorf("%s: outputs %v, resources %v", pair, got.Outputs, got.Resources)
				}
			}
		}
	}
	if tried != len(want) {
		t.Errorf("%d of %d expected ends were tried", tried, len(want))
	}
}

// TestDeployableThroughItsLife follows what Get shows of one resource.
func TestDeployableThroughItsLife(t *testing.T) {
	t.Parallel()
	r := NewDeployable(Deployment{ID: "1", CreatedAt: noon, Target: State{Version: Version{1, 0}}})
	begin := func(id string, v Version, after time.Duration) Deployment {
		t.Helper()
		d := Deployment{ID: id, Goal: GoalApply, CreatedAt: noon.Add(after), Target: State{Version: v, Spec: "spec of " + id}}
		next, err := r.Begin(d)
		if err != nil {
			t.Fatal(err)
		}
		r = next
		return d
	}
	finish := func(d Deployment, status DeploymentStatus, message string) {
		d.Status, d.StatusMessage, d.CompletedAt = status, message, d.CreatedAt.Add(time.Minute)
		r = r.Finish(d)
	}
	type shown struct {
		Status          DeploymentStatus
		Message         string
		Version         Version
		Spec            string
		Attempted, Last string // deployments
		SucceededAt     time.Duration
	}
	check := func(when string, want shown) {
		t.Helper()
		got := shown{r.Status, r.StatusMessage, r.CurrentVersionShown(), r.Spec, r.LastAttemptedDeploymentID, r.LastSucceededDeploymentID, -1}
		if !r.LastSucceededAt.IsZero() {
			got.SucceededAt = r.LastSucceededAt.Sub(noon)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("the first deployment runs", shown{InProgress, "", Version{}, "", "1", "", -1})
	finish(Deployment{ID: "1", CreatedAt: noon, Target: State{Version: Version{1, 0}}}, Failed, "no")
	check("it failed: the attempted version shows, so that an update can start from it", shown{Failed, "no", Version{1, 0}, "", "1", "", -1})

	d := begin("2", Version{1, 1}, time.Hour)
	check("a second runs", shown{InProgress, "", Version{}, "", "2", "", -1})
	finish(d, Succeeded, "ignored")
	check("it succeeded: its start counts", shown{Succeeded, "", Version{1, 1}, "spec of 2", "2", "2", time.Hour})

	d = begin("3", Version{2, 0}, 2*time.Hour)
	check("an update runs: what is live shows", shown{InProgress, "", Version{1, 1}, "spec of 2", "3", "2", time.Hour})
	finish(d, Cancelled, "User initiated cancellation.")
	check("it was cancelled", shown{Cancelled, "User initiated cancellation.", Version{1, 1}, "spec of 2", "3", "2", time.Hour})

	if _, err := r.Begin(Deployment{Goal: GoalDestroy, ID: "4"}); err != nil {
		t.Error(err)
	}
	r.Status = InProgress
	for _, goal := range []Goal{GoalApply, GoalDestroy} {
		if same, err := r.Begin(Deployment{ID: "5", Goal: goal}); KindOf(err) != Conflict || same != r {
			t.Errorf("a second %s while one runs: %v", goal, err)
		}
	}
}

func TestFinishOfWhatHasNotEndedIsABug(t *testing.T) {
	t.Parallel()
	for _, status := range []DeploymentStatus{InProgress, Cancelling, DeleteInProgress, DeleteComplete} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", status)
				}
			}()
			Deployable{}.Finish(Deployment{Status: status})
		}()
	}
}

func TestTargetARNs(t *testing.T) {
	t.Parallel()
	d := Deployment{Scope: scope, EnvironmentName: "e", ServiceName: "s", InstanceName: "i", ComponentName: "c"}
	for of, want := range map[TargetType]ARN{
		TargetEnvironment: scope.EnvironmentARN("e"), TargetServiceInstance: scope.ServiceInstanceARN("s", "i"),
		TargetPipeline: scope.PipelineARN("s"), TargetComponent: scope.ComponentARN("c"),
	} {
		if d.TargetType = of; d.TargetARN() != want {
			t.Errorf("%s: %s, want %s", of, d.TargetARN(), want)
		}
	}
}

func TestErrorsKeepTheCauseFromTheCaller(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := fmt.Errorf("create: %w", &Error{Kind: Throttled, Message: "Rate exceeded", Err: cause})
	if KindOf(err) != Throttled || !errors.Is(err, cause) {
		t.Errorf("%v is %s", err, KindOf(err))
	}
	if e, _ := errors.AsType[*Error](err); e.Message != "Rate exceeded" {
		t.Errorf("message %q", e.Message)
	}
	if KindOf(cause) != Internal || KindOf(nil) != Internal || IsNotFound(nil) || IsNotFound(cause) {
		t.Error("what is not a refusal is internal")
	}
	for kind, name := range []string{"internal", "invalid", "not found", "conflict", "quota exceeded", "denied", "throttled"} {
		if Kind(kind).String() != name {
			t.Errorf("kind %d is %s", kind, Kind(kind))
		}
	}
}

func TestProvisioningAccountIsTheConnections(t *testing.T) {
	t.Parallel()
	e := Environment{Scope: scope}
	if got := e.ProvisioningAccount(); got != scope.Account {
		t.Error(got)
	}
	if e.AccountID = "999999999999"; e.ProvisioningAccount() != "999999999999" {
		t.Error(e.ProvisioningAccount())
	}
}
