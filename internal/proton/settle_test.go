package proton

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const instanceARN = "arn:aws:proton:eu-west-1:123456789012:service/shop/service-instance/"

// TestOutcomesOfCreateService tries every combination of instances' ends and
// the pipeline's end, in every order of the instances.
func TestOutcomesOfCreateService(t *testing.T) {
	t.Parallel()
	for instances := range 4 {
		for _, pipeline := range []bool{false, true} {
			for ends := range 1 << instances {
				for _, order := range permutations(instances) {
					for _, pipelineFails := range []bool{false, true} {
						outcomeOfCreate(t, instances, pipeline, ends, order, pipelineFails)
					}
				}
			}
		}
	}
}

// outcomeOfCreate ends instance n badly if bit n of ends is set.
func outcomeOfCreate(t *testing.T, instances int, pipeline bool, ends int, order []int, pipelineFails bool) {
	t.Helper()
	w := createService(t, instances, pipeline)
	at := fmt.Sprintf("%d instances, pipeline %t, failing %b, in order %v, pipeline fails %t", instances, pipeline, ends, order, pipelineFails)
	firstReady := w.ready()
	for _, n := range order {
		if w.service.Status != ServiceCreateInProgress {
			t.Errorf("%s: %s while instances still run", at, w.service.Status)
		}
		o := Outcome{}
		if ends&(1<<n) != 0 {
			o.Failure = "the stack failed"
		}
		w.end(firstReady[n], o)
	}
	pipelineRan := false
	if pipeline && ends == 0 {
		ready := w.ready()
		if len(ready) != 1 {
			t.Fatalf("%s: %d deployments are ready after the instances, want the pipeline's", at, len(ready))
		}
		pipelineRan = true
		o := Outcome{}
		if pipelineFails {
			o.Failure = "no repository"
		}
		w.end(ready[0], o)
	}
	var failed, want []string
	for n, i := range w.instances {
		status := Succeeded
		if ends&(1<<n) != 0 {
			status = Failed
			failed = append(failed, instanceARN+i.Name)
		}
		want = append(want, string(status))
	}
	service := ServiceActive
	if ends != 0 || pipelineRan && pipelineFails {
		service = ServiceCreateFailed
	}
	want = slices.Insert(want, 0, string(service))
	if pipeline {
		status := Succeeded
		if ends != 0 || pipelineFails {
			status = Failed
		}
		want = append(want, "pipeline:"+string(status))
	}
	if got := w.statuses(); got != strings.Join(want, " ") {
		t.Errorf("%s:\ngot  %s\nwant %s", at, got, strings.Join(want, " "))
	}
	if pipeline && ends != 0 {
		want := "Service Instance(s): [" + strings.Join(failed, ", ") + "] failed to deploy - canceling pipeline deployment"
		if w.pipeline.StatusMessage != want {
			t.Errorf("%s: the pipeline says %q, want %q", at, w.pipeline.StatusMessage, want)
		}
	}
	if starts := w.pipelineStarts; starts > 1 || starts == 1 && ends != 0 {
		t.Errorf("%s: the pipeline was started %d times", at, starts)
	}
	if len(w.ready()) != 0 {
		t.Errorf("%s: deployments are left running", at)
	}
}

// permutations are all orders of 0…n-1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

func TestCancelledInstanceFailsTheCreation(t *testing.T) {
	t.Parallel()
	w := createService(t, 2, true)
	ready := w.ready()
	w.end(ready[0], Outcome{Cancelled: true})
	w.end(ready[1], Outcome{})
	if got, want := w.statuses(), "CREATE_FAILED CANCELLED SUCCEEDED pipeline:FAILED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.service.StatusMessage, "Service Instance(s): ["+instanceARN+"i0] failed to deploy"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRepairsMakeAFailedServiceActive(t *testing.T) {
	t.Parallel()
	w := createService(t, 2, true)
	for _, id := range w.ready() {
		w.end(id, Outcome{Failure: "no"})
	}
	for _, step := range []struct {
		part    int // of the world; -1 is the pipeline
		failure string
		want    string
	}{
		{0, "again", "CREATE_FAILED FAILED FAILED pipeline:FAILED"},
		{0, "", "CREATE_FAILED SUCCEEDED FAILED pipeline:FAILED"},
		{1, "", "CREATE_FAILED SUCCEEDED SUCCEEDED pipeline:FAILED"},
		{-1, "", "ACTIVE SUCCEEDED SUCCEEDED pipeline:SUCCEEDED"},
		{1, "broken later", "ACTIVE SUCCEEDED FAILED pipeline:SUCCEEDED"},
	} {
		w.redeploy(step.part)
		w.end(w.ready()[0], Outcome{Failure: step.failure})
		if got := w.statuses(); got != step.want {
			t.Fatalf("after part %d with %q: got %s, want %s", step.part, step.failure, got, step.want)
		}
	}
	if w.pipelineStarts != 0 {
		t.Error("a pipeline that was given up was started as if it had waited")
	}
}

func TestDeleteRemovesThePipelineFirst(t *testing.T) {
	t.Parallel()
	w := createService(t, 2, true)
	for range 3 {
		w.end(w.ready()[0], Outcome{})
	}
	w.delete()
	if ready := w.ready(); len(ready) != 1 || w.deployments[ready[0]].TargetType != TargetPipeline {
		t.Fatalf("ready first: %v", ready)
	}
	if got, want := w.statuses(), "DELETE_IN_PROGRESS DELETE_IN_PROGRESS DELETE_IN_PROGRESS pipeline:DELETE_IN_PROGRESS"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.end(w.ready()[0], Outcome{})
	ready := w.ready()
	if len(ready) != 2 {
		t.Fatalf("ready after the pipeline: %v", ready)
	}
	w.end(ready[1], Outcome{})
	if w.removed {
		t.Error("removed while an instance is left")
	}
	w.end(ready[0], Outcome{})
	if !w.removed {
		t.Errorf("not removed: %s", w.statuses())
	}
}

func TestFailedDeleteNamesWhatIsLeftAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := createService(t, 2, true)
	for range 3 {
		w.end(w.ready()[0], Outcome{})
	}
	w.delete()
	w.end(w.ready()[0], Outcome{Failure: "no"}) // the pipeline
	ready := w.ready()
	w.end(ready[0], Outcome{})
	w.end(ready[1], Outcome{Failure: "no"})
	if got, want := w.statuses(), "DELETE_FAILED DELETE_FAILED pipeline:DELETE_FAILED"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	want := "Not everything could be deleted: [" + instanceARN + "i1, arn:aws:proton:eu-west-1:123456789012:service/shop/pipeline]"
	if w.service.StatusMessage != want {
		t.Errorf("got %q, want %q", w.service.StatusMessage, want)
	}
	w.delete()
	if n := len(w.deployments); n != 3+3+2 {
		t.Errorf("%d deployments in all; the second delete must retry only the two parts that are left", n)
	}
	w.end(w.ready()[0], Outcome{})
	w.end(w.ready()[0], Outcome{})
	if !w.removed {
		t.Errorf("not removed: %s", w.statuses())
	}
}

// TestRandomHistories takes services through creation, repairs and deletes
// with random failures in random orders.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := createService(t, r.IntN(5), r.IntN(2) == 0)
		failed := false
		run := func(probability float64) {
			for ready := w.ready(); len(ready) > 0; ready = w.ready() {
				o := Outcome{}
				if r.Float64() < probability {
					o.Failure, failed = "no", true
				}
				w.end(ready[r.IntN(len(ready))], o)
			}
		}
		instances, pipeline := len(w.instances), w.pipeline != nil
		run(0.2)
		switch {
		case failed != (w.service.Status == ServiceCreateFailed), !failed && w.service.Status != ServiceActive:
			t.Fatalf("seed %d: failures %t ended as %s", seed, failed, w.statuses())
		case w.startedEarly > 0:
			t.Fatalf("seed %d: the pipeline was started before every instance had succeeded", seed)
		case pipeline && instances > 0 && !failed && w.pipelineStarts != 1:
			t.Fatalf("seed %d: the pipeline was started %d times", seed, w.pipelineStarts)
		}
		for tries := 0; !w.removed; tries++ {
			w.delete()
			if failed = false; tries == 5 {
				run(0)
			} else {
				run(0.3)
			}
			if w.service.Status.Running() && !w.removed {
				t.Fatalf("seed %d: stuck in %s", seed, w.statuses())
			}
			if w.removed == failed && instances > 0 {
				t.Fatalf("seed %d: removed %t though failures %t", seed, w.removed, failed)
			}
		}
	}
}

func TestSettleLeavesOtherStatusesAlone(t *testing.T) {
	t.Parallel()
	for _, status := range ServiceStatuses {
		failed := ServiceInstance{Deployable: Deployable{Status: Failed}}
		s, err := Settle(Service{Status: status}, []ServiceInstance{failed}, nil, false)
		moves := status == ServiceCreateInProgress || status == ServiceDeleteInProgress ||
			status == ServiceUpdateFailedCleanupFailed // nothing is left to be removed
		if err != nil || (s != Settlement{}) != moves {
			t.Errorf("%s: %+v, %v", status, s, err)
		}
	}
}

func TestOnlyAWaitingPipelineIsGivenUp(t *testing.T) {
	t.Parallel()
	w := createService(t, 1, true)
	w.end(w.ready()[0], Outcome{})
	w.redeploy(0) // while the pipeline runs
	ready := w.ready()
	w.end(ready[1], Outcome{Failure: "no"})
	if got, want := w.statuses(), "CREATE_FAILED FAILED pipeline:IN_PROGRESS"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	w.end(ready[0], Outcome{})
	w.redeploy(0)
	w.end(w.ready()[0], Outcome{})
	if got, want := w.statuses(), "ACTIVE SUCCEEDED pipeline:SUCCEEDED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
