package cloudformation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/cloudformation"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

type props = map[string]cfntest.Properties

// run steps to the end, with a new driver and checkpoint as given for each step.
func run(t *testing.T, s *cfntest.Server, r engine.Run) engine.Status {
	t.Helper()
	st := engine.Status{}
	for range 1000 {
		var err error
		if st, err = newDriver(s, nil).Step(t.Context(), r, st.Checkpoint); err != nil {
			t.Fatalf("step: %v", err)
		}
		if st.Done {
			return st
		}
		time.Sleep(st.Wait)
	}
	t.Fatal("not done after 1000 steps")
	return st
}

func apply(t *testing.T, s *cfntest.Server, value string, resources props) (engine.Status, *journal) {
	t.Helper()
	r, log := newRun(engine.Apply, template(value, resources))
	return run(t, s, r), log
}

func mustApply(t *testing.T, s *cfntest.Server, value string, resources props) engine.Status {
	t.Helper()
	st, log := apply(t, s, value, resources)
	if st.Failure != "" {
		t.Fatalf("failed: %s\n%s", st.Failure, log)
	}
	return st
}

func stackOf(t *testing.T, s *cfntest.Server) (cfntest.Snapshot, bool) {
	t.Helper()
	r, _ := newRun(engine.Apply, "")
	name, err := cloudformation.StackName(r)
	if err != nil {
		t.Fatal(err)
	}
	return s.Stack(name)
}

func wantStatus(t *testing.T, s *cfntest.Server, want string) {
	t.Helper()
	got, ok := stackOf(t, s)
	if want == "" && ok || want != "" && got.Status != want {
		t.Errorf("the stack is in %q (there: %v), want %q", got.Status, ok, want)
	}
}

func wantFailure(t *testing.T, st engine.Status, parts ...string) {
	t.Helper()
	if !st.Done || st.Failure == "" {
		t.Fatalf("got %+v, want a failure", st)
	}
	for _, part := range parts {
		if !strings.Contains(st.Failure, part) {
			t.Errorf("failure is %q, want %q in it", st.Failure, part)
		}
	}
}

func TestStackNameFollowsFromTheResource(t *testing.T) {
	t.Parallel()
	r, _ := newRun(engine.Apply, "")
	first, err := cloudformation.StackName(r)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(first, "--")
	if head != "AWSProton-dev-cloudformation" || len(tail) != 15 || strings.Trim(tail, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		t.Errorf("stack name is %q", first)
	}
	r.ID = "another"
	if again, _ := cloudformation.StackName(r); again != first {
		t.Errorf("the next run's stack is %q, want %q", again, first)
	}
	r.ResourceARN += "2"
	if other, _ := cloudformation.StackName(r); other == first {
		t.Error("two resources share a stack")
	}
	r.StackName = "no_underscores"
	if _, err := cloudformation.StackName(r); err == nil {
		t.Error("a name that CloudFormation refuses was accepted")
	}
}

func TestCallsAreSpansOfTheTrace(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	ctx, spans := enginetest.Traced(t.Context())
	r, _ := newRun(engine.Apply, template("a", nil))
	if _, err := newDriver(s, nil).Step(ctx, r, ""); err != nil {
		t.Fatal(err)
	}
	if got := spans(); !slices.Contains(got, "CloudFormation DescribeStacks") || !slices.Contains(got, "CloudFormation CreateChangeSet") {
		t.Errorf("spans of the first step: %q", got)
	}
}

func TestSuccessHasOutputsResourceTagsAndLog(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	s.PageSize(2)
	r, log := newRun(engine.Apply, template("v", props{"A": {Value: "1"}, "B": {Value: "2"}, "C": {Value: "3"}}))
	r.Tags = []engine.Tag{{Key: "proton:environment", Value: arn}, {Key: "proton:account", Value: "123456789012"}}
	st := run(t, s, r)
	stack, _ := stackOf(t, s)
	name, _ := cloudformation.StackName(r)
	want := engine.Status{
		Done: true, Outputs: []engine.Output{{Key: "Value", Value: "v"}},
		Resources: []engine.Resource{{Name: name, Identifier: stack.ID}}, Checkpoint: st.Checkpoint,
	}
	if diff := cmp.Diff(want, st); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"proton:environment": arn, "proton:account": "123456789012"}, stack.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		got = append(got, rest)
	}
	wantLog := []string{"CREATE_IN_PROGRESS AWS::CloudFormation::Stack " + name + ": User Initiated"}
	for _, id := range []string{"A", "B", "C"} {
		wantLog = append(wantLog, "CREATE_IN_PROGRESS Test::Some::"+id+" "+id, "CREATE_COMPLETE Test::Some::"+id+" "+id)
	}
	wantLog = append(wantLog, "CREATE_COMPLETE AWS::CloudFormation::Stack "+name)
	if diff := cmp.Diff(wantLog, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestNothingToChangeIsSuccess(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	mustApply(t, s, "v", props{"A": {Value: "1"}})
	st, log := apply(t, s, "v", props{"A": {Value: "1"}})
	if st.Failure != "" || len(st.Outputs) != 1 || len(st.Resources) != 1 {
		t.Errorf("got %+v", st)
	}
	if stack, _ := stackOf(t, s); stack.ChangeSets != 0 || s.Changes() != 1 {
		t.Errorf("%d change sets left, %d changes", stack.ChangeSets, s.Changes())
	}
	if !strings.Contains(log.String(), "nothing to change") {
		t.Errorf("log: %s", log)
	}
}

func TestFirstFailedResourceIsTheReason(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	bad := props{"A": {Value: "1"}, "B": {Fail: `Resource handler returned message: "no room" (HandlerErrorCode: GeneralServiceException)`}, "C": {}}
	st, _ := apply(t, s, "v", bad)
	wantFailure(t, st, "ROLLBACK_COMPLETE", "CREATE_FAILED of B (Test::Some::B)", `Resource handler returned message: "no room"`)
	wantStatus(t, s, "ROLLBACK_COMPLETE")

	st, log := apply(t, s, "w", props{"A": {Value: "1"}})
	if st.Failure != "" || !strings.Contains(log.String(), "removing stack") {
		t.Errorf("after a failed creation: %+v\n%s", st, log)
	}
	wantStatus(t, s, "CREATE_COMPLETE")

	st, _ = apply(t, s, "x", props{"A": {Value: "2"}, "B": {Fail: "no"}})
	wantFailure(t, st, "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED of B (Test::Some::B): no")
	if stack, _ := stackOf(t, s); stack.Values["A"] != "1" {
		t.Errorf("A is %q after the rollback, want 1", stack.Values["A"])
	}
	mustApply(t, s, "y", props{"A": {Value: "3"}})
}

func TestRestsOfEarlierRunsAreDealtWith(t *testing.T) {
	t.Parallel()
	good := props{"A": {Value: "good"}}
	for name, c := range map[string]struct {
		leave func(*testing.T, *cfntest.Server)
		left  string
		note  string
	}{
		"a planned stack": {func(t *testing.T, s *cfntest.Server) {
			r, _ := newRun(engine.Apply, template("v", good))
			if _, err := newDriver(s, nil).Step(t.Context(), r, ""); err != nil {
				t.Fatal(err)
			}
		}, "REVIEW_IN_PROGRESS", "removing"},
		"a creation that could not be rolled back": {func(t *testing.T, s *cfntest.Server) {
			st, _ := apply(t, s, "v", props{"A": {FailDelete: "in use"}, "B": {Fail: "no"}})
			wantFailure(t, st, "ROLLBACK_FAILED", "CREATE_FAILED of B (Test::Some::B): no", "the rollback failed too: DELETE_FAILED of A", "in use")
			s.Relent()
		}, "ROLLBACK_FAILED", "removing"},
		"a failed rollback": {func(t *testing.T, s *cfntest.Server) {
			mustApply(t, s, "v", good)
			st, _ := apply(t, s, "w", props{"A": {Value: "x", FailRollback: "stuck"}, "B": {Fail: "no"}})
			wantFailure(t, st, "UPDATE_ROLLBACK_FAILED", "CREATE_FAILED of B", "the rollback failed too: UPDATE_FAILED of A (Test::Some::A): stuck")
			s.Relent()
		}, "UPDATE_ROLLBACK_FAILED", "continuing the rollback"},
		"a failed deletion": {func(t *testing.T, s *cfntest.Server) {
			mustApply(t, s, "v", props{"A": {FailDelete: "not empty"}})
			r, _ := newRun(engine.Destroy, "")
			wantFailure(t, run(t, s, r), "DELETE_FAILED", "not empty")
			s.Relent()
		}, "DELETE_FAILED", "removing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			c.leave(t, s)
			wantStatus(t, s, c.left)
			r, log := newRun(engine.Apply, template("new", props{"A": {Value: "new"}}))
			if st := run(t, s, r); st.Failure != "" || st.Outputs[0].Value != "new" {
				t.Fatalf("got %+v\n%s", st, log)
			}
			if !strings.Contains(log.String(), c.note) {
				t.Errorf("the log does not say %q:\n%s", c.note, log)
			}
			if stack, _ := stackOf(t, s); stack.Values["A"] != "new" {
				t.Errorf("A is %q", stack.Values["A"])
			}
		})
	}
}

func TestRepairThatFailsIsAFailureAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	mustApply(t, s, "v", props{"A": {Value: "1"}})
	apply(t, s, "w", props{"A": {Value: "x", FailRollback: "stuck"}, "B": {Fail: "no"}})
	st, _ := apply(t, s, "x", props{"A": {Value: "2"}})
	wantFailure(t, st, "UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED of A (Test::Some::A): stuck")
	s.Relent()
	mustApply(t, s, "y", props{"A": {Value: "3"}})
}

func TestDestroyNamesWhatStaysAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	mustApply(t, s, "v", props{"A": {FailDelete: "The bucket you tried to delete is not empty"}, "B": {FailDelete: "in use"}, "C": {}})
	r, _ := newRun(engine.Destroy, "")
	st := run(t, s, r)
	wantFailure(t, st, "DELETE_FAILED of A (Test::Some::A): The bucket you tried to delete is not empty", "DELETE_FAILED of B (Test::Some::B): in use")
	if strings.Contains(st.Failure, " C ") {
		t.Errorf("failure names what was deleted: %s", st.Failure)
	}
	s.Relent()
	if again := run(t, s, r); again.Failure != st.Failure {
		t.Errorf("the same run says %q now", again.Failure)
	}
	next, _ := newRun(engine.Destroy, "")
	if st := run(t, s, next); st.Failure != "" {
		t.Errorf("second deletion: %s", st.Failure)
	}
	wantStatus(t, s, "")
}

func TestForcedDestroyLeavesWhatCannotBeDeletedAndDeletesTheStack(t *testing.T) {
	t.Parallel()
	for _, forgetful := range []bool{false, true} { // a lost checkpoint costs the message alone
		s := cfntest.New(t)
		mustApply(t, s, "v", props{"A": {FailDelete: "The bucket you tried to delete is not empty"}, "B": {}})
		r, log := newRun(engine.Destroy, "")
		r.Force = true
		st := engine.Status{}
		for !st.Done {
			var err error
			if st, err = newDriver(s, nil).Step(t.Context(), r, st.Checkpoint); err != nil {
				t.Fatal(err)
			}
			if forgetful && !st.Done {
				st.Checkpoint = ""
			}
			time.Sleep(st.Wait)
		}
		if !forgetful {
			wantFailure(t, st, "DELETE_FAILED of A (Test::Some::A): The bucket you tried to delete is not empty", "the stack was deleted without what stays")
		}
		if !strings.Contains(log.String(), "without A") {
			t.Errorf("log:\n%s", log)
		}
		wantStatus(t, s, "")
	}
}

// Each situation is driven with a crash after each step: a new driver carries
// on, once with the checkpoint and once without.
func TestCrashAfterAnyStepLosesNothing(t *testing.T) {
	t.Parallel()
	good := props{"A": {Value: "1"}}
	situations := map[string]struct {
		leave func(*testing.T, *cfntest.Server)
		goal  engine.Goal
		want  string
	}{
		"create": {func(*testing.T, *cfntest.Server) {}, engine.Apply, "CREATE_COMPLETE"},
		"make anew": {func(t *testing.T, s *cfntest.Server) {
			apply(t, s, "v", props{"A": {Fail: "no"}})
		}, engine.Apply, "CREATE_COMPLETE"},
		"continue a rollback": {func(t *testing.T, s *cfntest.Server) {
			mustApply(t, s, "v", good)
			apply(t, s, "w", props{"A": {Value: "x", FailRollback: "stuck"}, "B": {Fail: "no"}})
			s.Relent()
		}, engine.Apply, "UPDATE_COMPLETE"},
		"nothing to change": {func(t *testing.T, s *cfntest.Server) {
			mustApply(t, s, "new", props{"A": {Value: "new"}})
		}, engine.Apply, "CREATE_COMPLETE"},
		"destroy": {func(t *testing.T, s *cfntest.Server) { mustApply(t, s, "v", good) }, engine.Destroy, ""},
	}
	for name, c := range situations {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, kept %v", name, kept), func(t *testing.T) {
				t.Parallel()
				for crash := range 12 {
					s := cfntest.New(t)
					c.leave(t, s)
					r, _ := newRun(c.goal, template("new", props{"A": {Value: "new"}}))
					st := engine.Status{}
					var err error
					for i := 0; i <= crash && !st.Done; i++ {
						if st, err = newDriver(s, nil).Step(t.Context(), r, st.Checkpoint); err != nil {
							t.Fatal(err)
						}
						time.Sleep(st.Wait)
					}
					if !kept {
						st = engine.Status{}
					}
					for !st.Done {
						if st, err = newDriver(s, nil).Step(t.Context(), r, st.Checkpoint); err != nil {
							t.Fatal(err)
						}
						time.Sleep(st.Wait)
					}
					if st.Failure != "" {
						t.Fatalf("crash after step %d: %s", crash, st.Failure)
					}
					wantStatus(t, s, c.want)
				}
			})
		}
	}
}

func TestLostAnswersAreNotActedOnTwice(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"CreateChangeSet", "ExecuteChangeSet", "DeleteStack"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			if action == "DeleteStack" {
				mustApply(t, s, "v", props{"A": {}})
			}
			s.Lose(action)
			goal := map[bool]engine.Goal{true: engine.Destroy, false: engine.Apply}[action == "DeleteStack"]
			r, _ := newRun(goal, template("v", props{"A": {}}))
			run(t, s, r) // the lost answer may read as a refusal; the next look knows better
			if st := run(t, s, r); st.Failure != "" {
				t.Errorf("got %q", st.Failure)
			}
			if n := len(s.Calls(action)); n != 1 {
				t.Errorf("%s was called %d times, want once", action, n)
			}
		})
	}
}

func TestAnotherOperationIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, nil)
	other, _ := newRun(engine.Apply, template("v", props{"A": {Value: "1", Hold: true}}))
	st := engine.Status{}
	for !s.Holding() {
		st, _ = d.Step(t.Context(), other, st.Checkpoint)
		time.Sleep(st.Wait)
	}
	r, log := newRun(engine.Apply, template("w", props{"A": {Value: "2"}}))
	st = engine.Status{}
	for range 5 {
		var err error
		if st, err = d.Step(t.Context(), r, st.Checkpoint); err != nil || st.Done {
			t.Fatalf("got %+v, %v; want it to wait", st, err)
		}
	}
	if n := strings.Count(log.String(), "waiting for stack"); n != 1 {
		t.Errorf("the log says %d times that it waits, want once:\n%s", n, log)
	}
	s.Release()
	if st := run(t, s, r); st.Failure != "" || st.Outputs[0].Value != "w" {
		t.Errorf("got %+v", st)
	}
}

func TestWaitsGrow(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, func(c *cloudformation.Config) { c.PollMin, c.PollMax = time.Second, 15*time.Second })
	r, _ := newRun(engine.Apply, template("v", props{"A": {Hold: true}}))
	st := engine.Status{}
	for !s.Holding() {
		st, _ = d.Step(t.Context(), r, st.Checkpoint)
		time.Sleep(time.Millisecond)
	}
	st, _ = d.Step(t.Context(), r, st.Checkpoint)
	var waits []time.Duration
	for range 12 {
		st, _ = d.Step(t.Context(), r, st.Checkpoint)
		waits = append(waits, st.Wait)
	}
	if waits[0] > 3*time.Second || waits[11] != 15*time.Second {
		t.Errorf("waits are %v, want them to grow from about 1 s to 15 s", waits)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, held props
		want         string
		value        string
	}{
		"a creation is deleted":       {nil, props{"A": {Value: "x"}, "B": {Hold: true}}, "", ""},
		"an update is rolled back":    {props{"A": {Value: "1"}}, props{"A": {Value: "2"}, "B": {Hold: true}}, "UPDATE_ROLLBACK_COMPLETE", "1"},
		"a replaced value comes back": {props{"A": {Value: "1"}}, props{"A": {Value: "2", Hold: true}}, "UPDATE_ROLLBACK_COMPLETE", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			if c.before != nil {
				mustApply(t, s, "v", c.before)
			}
			r, _ := newRun(engine.Apply, template("w", c.held))
			d, st := newDriver(s, nil), engine.Status{}
			for !s.Holding() {
				st, _ = d.Step(t.Context(), r, st.Checkpoint)
				time.Sleep(st.Wait)
			}
			if _, err := newDriver(s, nil).Cancel(t.Context(), r, ""); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, s, c.want)
			if stack, _ := stackOf(t, s); stack.Values["A"] != c.value || s.Busy() {
				t.Errorf("A is %q, busy: %v", stack.Values["A"], s.Busy())
			}
			if c.before != nil { // a later look must not begin again
				wantFailure(t, run(t, s, r), "cancelled")
			}
			mustApply(t, s, "z", props{"A": {Value: "9"}})
		})
	}
}

func TestCancelOfAnUpdateThatCannotRollBackIsAnError(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	mustApply(t, s, "v", props{"A": {Value: "1"}})
	r, _ := newRun(engine.Apply, template("w", props{"A": {Value: "2", FailRollback: "stuck"}, "B": {Hold: true}}))
	d, st := newDriver(s, nil), engine.Status{}
	for !s.Holding() {
		st, _ = d.Step(t.Context(), r, st.Checkpoint)
		time.Sleep(st.Wait)
	}
	if _, err := d.Cancel(t.Context(), r, st.Checkpoint); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("got %v, want the reason why it is stuck", err)
	}
}

func TestCancelDeletesAChangeSetThatWasNotExecuted(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	mustApply(t, s, "v", props{"A": {Value: "1"}})
	r, _ := newRun(engine.Apply, template("w", props{"A": {Value: "2"}}))
	d := newDriver(s, nil)
	st, err := d.Step(t.Context(), r, "")
	if err != nil {
		t.Fatal(err)
	}
	if stack, _ := stackOf(t, s); stack.ChangeSets != 1 {
		t.Fatalf("%d change sets, want 1", stack.ChangeSets)
	}
	if _, err := d.Cancel(t.Context(), r, st.Checkpoint); err != nil {
		t.Fatal(err)
	}
	if stack, _ := stackOf(t, s); stack.ChangeSets != 0 || stack.Values["A"] != "1" {
		t.Errorf("got %+v", stack)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	s.PageSize(1)
	d := newDriver(s, nil)
	preview := func(goal engine.Goal, resources props) engine.Changes {
		t.Helper()
		r, _ := newRun(goal, template("v", resources))
		before := s.Changes()
		c, err := d.Preview(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for s.Busy() {
			time.Sleep(time.Millisecond)
		}
		if stack, ok := stackOf(t, s); ok && stack.ChangeSets != 0 || s.Changes() != before {
			t.Errorf("the preview left something: %+v", stack)
		}
		return c
	}
	got := preview(engine.Apply, props{"A": {Value: "1"}, "B": {}})
	if diff := cmp.Diff([]string{"Add A (Test::Some::A)", "Add B (Test::Some::B)"}, got.Details); diff != "" {
		t.Errorf("creation (-want +got):\n%s", diff)
	}
	wantStatus(t, s, "")
	mustApply(t, s, "v", props{"A": {Value: "1"}, "B": {}})
	got = preview(engine.Apply, props{"A": {Value: "2"}, "C": {}})
	if diff := cmp.Diff([]string{"Modify A (Test::Some::A), which may be replaced", "Add C (Test::Some::C)", "Remove B (Test::Some::B)"}, got.Details); diff != "" {
		t.Errorf("update (-want +got):\n%s", diff)
	}
	if got = preview(engine.Apply, props{"A": {Value: "1"}, "B": {}}); !strings.Contains(got.Summary, "nothing to change") {
		t.Errorf("the same again: %+v", got)
	}
	got = preview(engine.Destroy, nil)
	if diff := cmp.Diff([]string{"Remove A (Test::Some::A)", "Remove B (Test::Some::B)"}, got.Details); diff != "" {
		t.Errorf("deletion (-want +got):\n%s", diff)
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":           {" \n", []string{"cloudformation.yaml is empty"}},
		"not a template":  {"Resources: [", []string{"CreateChangeSet", "Template format error"}},
		"no resources":    {"Outputs: {}", []string{"At least one Resources member must be defined"}},
		"unknown type":    {`{"Resources": {"A": {"Type": "AWS::Some::Unknown"}}}`, []string{"Unrecognized resource types: [AWS::Some::Unknown]"}},
		"more than a few": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			r, _ := newRun(engine.Apply, c.text)
			if c.want == nil {
				r.Files = append(r.Files, engine.File{Path: "other.yaml"}, engine.File{Path: "manifest.yaml"})
				c.want = []string{"2 CloudFormation templates"}
			}
			wantFailure(t, run(t, s, r), c.want...)
			wantFailure(t, run(t, s, r), c.want...)
			for s.Busy() {
				time.Sleep(time.Millisecond)
			}
			wantStatus(t, s, "")
		})
	}
}

func TestRolesAreAssumedOnceEach(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, nil)
	for range 2 {
		for _, role := range []string{"", "arn:aws:iam::123456789012:role/one", "arn:aws:iam::210987654321:role/two"} {
			r, _ := newRun(engine.Destroy, "")
			r.RoleARN = role
			if st, err := d.Step(t.Context(), r, ""); err != nil || !st.Done || st.Failure != "" {
				t.Fatalf("got %+v, %v", st, err)
			}
			calls := s.Calls("DescribeStacks")
			if got := calls[len(calls)-1].Role; got != role {
				t.Errorf("acted as %q, want %q", got, role)
			}
		}
	}
	if n := len(s.Calls("AssumeRole")); n != 2 {
		t.Errorf("%d roles assumed, want 2", n)
	}
}

func TestRefusalsAreFinalAndNameRoleAndAction(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::123456789012:role/deploy"
	for name, c := range map[string]struct {
		action, code string
		status       int
		want         []string
	}{
		"denied":       {"CreateChangeSet", "AccessDenied", http.StatusForbidden, []string{"cloudformation:CreateChangeSet as role " + role, "AccessDenied: as the test asked"}},
		"expired":      {"DescribeStacks", "ExpiredToken", http.StatusForbidden, []string{"cloudformation:DescribeStacks as role " + role, "ExpiredToken"}},
		"unassumable":  {"AssumeRole", "AccessDenied", http.StatusForbidden, []string{"role " + role + " could not be assumed (sts:AssumeRole): AccessDenied"}},
		"over a limit": {"CreateChangeSet", "LimitExceededException", http.StatusBadRequest, []string{"LimitExceededException"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			s.Fault(c.action, c.code, c.status, 100)
			r, _ := newRun(engine.Apply, template("v", props{"A": {}}))
			r.RoleARN = role
			wantFailure(t, run(t, s, r), c.want...)
		})
	}
}

func TestTransientErrorsAreRetriedThenReturned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   string
		status int
	}{{"Throttling", 400}, {"InternalFailure", 500}, {"ServiceUnavailable", 503}} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			s := cfntest.New(t)
			s.Fault("DescribeStacks", c.code, c.status, 2)
			s.Fault("CreateChangeSet", c.code, c.status, 2)
			mustApply(t, s, "v", props{"A": {}})
			s.Fault("DescribeStacks", c.code, c.status, 1000)
			r, _ := newRun(engine.Apply, template("v", props{"A": {}}))
			if st, err := newDriver(s, nil).Step(t.Context(), r, ""); !engine.Transient(err) {
				t.Errorf("got %+v, %v; want a transient error", st, err)
			}
		})
	}
	for name, url := range map[string]string{"refused": "http://127.0.0.1:1", "unknown host": "http://nowhere.invalid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(cfntest.New(t), func(c *cloudformation.Config) { c.Endpoint = url })
			r, _ := newRun(engine.Apply, template("v", props{"A": {}}))
			if st, err := d.Step(t.Context(), r, ""); !engine.Transient(err) {
				t.Errorf("got %+v, %v; want a transient error", st, err)
			}
		})
	}
}

func TestEndedContextGivesItsCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("the server goes down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	r, _ := newRun(engine.Apply, template("v", props{"A": {}}))
	d := newDriver(cfntest.New(t), nil)
	if _, err := d.Step(ctx, r, ""); !errors.Is(err, cause) {
		t.Errorf("step: %v", err)
	}
	if _, err := d.Cancel(ctx, r, ""); !errors.Is(err, cause) {
		t.Errorf("cancel: %v", err)
	}
	if _, err := d.Preview(ctx, r); !errors.Is(err, cause) {
		t.Errorf("preview: %v", err)
	}
}

func TestStackThatVanishesIsAFailure(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, nil)
	r, _ := newRun(engine.Apply, template("v", props{"A": {Hold: true}}))
	st := engine.Status{}
	for !s.Holding() {
		st, _ = d.Step(t.Context(), r, st.Checkpoint)
		time.Sleep(st.Wait)
	}
	st, _ = d.Step(t.Context(), r, st.Checkpoint)
	other, _ := newRun(engine.Destroy, "")
	s.Release()
	if st := run(t, s, other); st.Failure != "" {
		t.Fatal(st.Failure)
	}
	for !st.Done {
		st, _ = d.Step(t.Context(), r, st.Checkpoint)
	}
	wantFailure(t, st, "was deleted while it was being deployed")
}
