package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
)

// Script is how a run of a Scripted driver goes. The zero Script succeeds in
// one step, without outputs.
type Script struct {
	Steps       int           // calls of Step until the run is done; 0 is 1
	Wait        time.Duration // asked for between steps
	Log         string        // printed in the first step
	Err         error         // returned by the first Errs calls of Step
	Errs        int           // 0 with Err set: each call
	Hold        <-chan struct{}
	Timeout     time.Duration // of waiting for Hold; then the run fails
	Fail        string        // Status.Failure
	Outputs     []engine.Output
	Resources   []engine.Resource
	Preview     engine.Changes
	NoPreview   error // what Preview answers instead
	SlowPreview time.Duration
}

// Call is one call of a Scripted driver, recorded when it begins.
type Call struct {
	Method     string // Preview, Step or Cancel
	Run        engine.Run
	Checkpoint string
}

// Scripted is a driver that does what tests tell it to. It is safe for
// concurrent use. The outside world it changes is a set of resources that are
// there or not; like a real tool it finds a run that it has finished before.
type Scripted struct {
	*scriptedWorld
}

type scriptedWorld struct {
	mu        sync.Mutex
	scripts   map[string][]Script     // of a resource, the next first; the last stays
	runs      map[string]*scriptedRun // by run ID
	resources map[string][]engine.Output
	calls     []Call
	changes   int
	holding   int
	moved     chan struct{} // closed and replaced when a hold begins or ends
}

type scriptedRun struct {
	Script
	step, errs int
	waiting    int // steps that hold
	done       *engine.Status
	stopped    bool          // by Cancel
	stop       chan struct{} // closed by it
}

var errStopped = errors.New("the run was stopped")

// NewScripted returns a driver whose runs all succeed at once.
func NewScripted() *Scripted {
	return &Scripted{&scriptedWorld{
		scripts: map[string][]Script{}, runs: map[string]*scriptedRun{},
		resources: map[string][]engine.Output{}, moved: make(chan struct{}),
	}}
}

// On sets how the next new runs for a resource go, one script each; the last
// one is for all that follow. The ARN "" is for resources without scripts.
func (s *Scripted) On(arn string, scripts ...Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[arn] = slices.Clone(scripts)
}

// Calls returns what was called so far.
func (s *Scripted) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Exists reports whether a resource was made and not removed since.
func (s *Scripted) Exists(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.resources[arn]
	return ok
}

// Outputs returns the outputs of a resource, and whether it exists.
func (s *Scripted) Outputs(arn string) ([]engine.Output, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	outputs, ok := s.resources[arn]
	return slices.Clone(outputs), ok
}

// Changes counts the runs that took effect.
func (s *Scripted) Changes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

// Holding returns how many runs wait for their Hold at this moment.
func (s *Scripted) Holding() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holding
}

// Restart returns another driver over the same world.
func (s *Scripted) Restart() *Scripted { return &Scripted{s.scriptedWorld} }

func (s *Scripted) record(method string, r engine.Run, checkpoint string) {
	s.calls = append(s.calls, Call{method, r, checkpoint})
}

// next returns the script of a resource's next run; take uses it up.
func (s *Scripted) next(arn string, take bool) Script {
	key := arn
	if len(s.scripts[key]) == 0 {
		key = ""
	}
	list := s.scripts[key]
	if len(list) == 0 {
		return Script{}
	}
	if take && len(list) > 1 {
		s.scripts[key] = list[1:]
	}
	return list[0]
}

// Preview returns the Preview of the script that a next run would have.
func (s *Scripted) Preview(ctx context.Context, r engine.Run) (engine.Changes, error) {
	s.mu.Lock()
	s.record("Preview", r, "")
	script := s.next(r.ResourceARN, false)
	s.mu.Unlock()
	if script.SlowPreview > 0 {
		select {
		case <-time.After(script.SlowPreview):
		case <-ctx.Done():
			return engine.Changes{}, context.Cause(ctx)
		}
	}
	if script.NoPreview != nil {
		return engine.Changes{}, script.NoPreview
	}
	c := script.Preview
	if c.Summary == "" {
		c.Summary = fmt.Sprintf("%s %s", strings.ToLower(string(r.Goal)), r.ResourceARN)
	}
	return c, nil
}

// Step takes one step of the run's script.
func (s *Scripted) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	if err := ctx.Err(); err != nil {
		return engine.Status{}, context.Cause(ctx)
	}
	run, done, err := s.begin(r, checkpoint)
	if done != nil || err != nil {
		if done != nil {
			return *done, nil
		}
		return engine.Status{}, err
	}
	if run.Hold != nil {
		failure, err := s.hold(ctx, r.ID, run)
		if err != nil {
			return engine.Status{}, err
		}
		if failure != "" {
			run.Fail = failure
		}
	}
	return s.end(r, run), nil
}

// begin finds or starts the run, and returns a copy of its script to work with.
func (s *Scripted) begin(r engine.Run, checkpoint string) (scriptedRun, *engine.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record("Step", r, checkpoint)
	run, ok := s.runs[r.ID]
	if !ok {
		run = &scriptedRun{Script: s.next(r.ResourceARN, true), stop: make(chan struct{})}
		s.runs[r.ID] = run
		if r.Log != nil && run.Log != "" {
			log := engine.NewLog(r.Log, engine.NewRedactor(r.Secrets...), engine.LogLimits{})
			io.WriteString(log, run.Log)
			log.Close()
		}
	}
	if run.done != nil {
		done := clone(*run.done)
		return scriptedRun{}, &done, nil
	}
	if run.Err != nil && (run.Errs == 0 || run.errs < run.Errs) {
		run.errs++
		return scriptedRun{}, nil, run.Err
	}
	// A lost checkpoint is found again by looking; one from the future cannot be.
	if n, _ := strconv.Atoi(strings.TrimPrefix(checkpoint, "step ")); n > run.step {
		return scriptedRun{}, nil, fmt.Errorf("run %s: checkpoint %q was never returned", r.ID, checkpoint)
	}
	return *run, nil, nil
}

// hold waits at the gate.
func (s *Scripted) hold(ctx context.Context, id string, run scriptedRun) (failure string, err error) {
	s.count(id, +1)
	defer s.count(id, -1)
	var late <-chan time.Time
	if run.Timeout > 0 {
		timer := time.NewTimer(run.Timeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-run.Hold:
		return "", nil
	case <-late:
		return fmt.Sprintf("still running at the time-out of %s", run.Timeout), nil
	case <-run.stop:
		return "", errStopped
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (s *Scripted) count(id string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding += n
	s.runs[id].waiting += n
	close(s.moved)
	s.moved = make(chan struct{})
}

// end counts the step and, after the last, makes the run's effect.
func (s *Scripted) end(r engine.Run, from scriptedRun) engine.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[r.ID]
	if run.done != nil { // the same step was taken twice at once
		return clone(*run.done)
	}
	run.step = max(run.step, from.step+1)
	if run.step < from.Steps && from.Fail == "" {
		return engine.Status{Wait: run.Wait, Checkpoint: fmt.Sprintf("step %d", run.step)}
	}
	st := engine.Status{Done: true, Failure: from.Fail, Checkpoint: "done"}
	if st.Failure == "" {
		s.changes++
		if r.Goal == engine.Destroy {
			delete(s.resources, r.ResourceARN)
		} else {
			s.resources[r.ResourceARN] = run.Outputs
			st.Outputs, st.Resources = run.Outputs, run.Resources
		}
	}
	run.done = &st
	return clone(st)
}

func clone(st engine.Status) engine.Status {
	st.Outputs, st.Resources = slices.Clone(st.Outputs), slices.Clone(st.Resources)
	return st
}

// Cancel stops the run: a Step that waits returns an error, later ones say
// that it was stopped. A finished run stays as it is.
func (s *Scripted) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	s.mu.Lock()
	s.record("Cancel", r, checkpoint)
	run, ok := s.runs[r.ID]
	if !ok {
		run = &scriptedRun{stop: make(chan struct{})}
		s.runs[r.ID] = run
	}
	if run.done == nil {
		run.done, run.stopped = &engine.Status{Done: true, Failure: errStopped.Error(), Checkpoint: "done"}, true
		close(run.stop)
	}
	var end engine.Status
	if !run.stopped {
		end = clone(*run.done)
	}
	s.mu.Unlock()
	for {
		s.mu.Lock()
		waiting, moved := run.waiting, s.moved
		s.mu.Unlock()
		if waiting == 0 {
			return end, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return engine.Status{}, context.Cause(ctx)
		}
	}
}

// Resources returns the resources that exist, sorted.
func (s *Scripted) Resources() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.resources))
}
