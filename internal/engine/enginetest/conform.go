// Package enginetest holds what tests of deployments need: Conform, the suite
// that every engine driver passes, and Scripted, the project's one fake driver,
// which passes it too.
//
// The suite knows nothing of any tool. It asks a World, written beside each
// driver's tests, for runs that behave in a given way, and looks only at what
// the contract of package engine promises.
package enginetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
)

// Behaviour is how a run is to go.
type Behaviour int

const (
	Succeed Behaviour = iota
	Fail              // change nothing, then fail for good
	Hold              // start something, wait for World.Release, then succeed
	TimeOut           // start something that outlasts the run's time
	Hostile           // print control characters, invalid UTF-8, a line of megabytes; succeed
	Leak              // print World.Secret; succeed
)

// Plan is what a run is to do to the one resource of a World.
type Plan struct {
	Goal      engine.Goal
	Value     string // what Apply sets; the run's output "Value"
	Behaviour Behaviour
}

// World is a driver and what it changes, seen from outside. It starts empty and
// is used by one test. Its methods are safe for concurrent use.
type World interface {
	// Driver returns a new driver over the same state, as after a restart.
	Driver() engine.Driver
	// Run returns a new run with an ID of its own. Log is set by the suite, and so
	// is Report if it is nil.
	Run(Plan) engine.Run
	// State returns what the resource is set to, and whether it is there.
	State() (value string, exists bool)
	// Changes counts how often the resource was really changed.
	Changes() int
	// Started reports whether a held run has begun to do its work, Alive whether
	// anything that runs have started is still going on.
	Started() bool
	Alive() bool
	// Release lets held runs, also later ones, go on.
	Release()
	Secret() string
}

// Harness makes worlds.
type Harness struct {
	World func(t *testing.T) World
	// Patience bounds each wait of the suite; zero means 10 seconds.
	Patience time.Duration
	// MaxLine is the longest line a log may have, in bytes; zero means 20,000.
	MaxLine int
}

// Conform runs the suite.
func Conform(t *testing.T, h Harness) {
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	if h.MaxLine == 0 {
		h.MaxLine = 20_000
	}
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"preview changes nothing", (*suite).preview},
		{"preview of what is there changes nothing", (*suite).previewExisting},
		{"previews show no secrets", (*suite).previewSecret},
		{"a destroy dies, loses its checkpoint and is repeated", (*suite).destroyAgain},
		{"apply, again, change, destroy", (*suite).life},
		{"destroy of nothing succeeds", (*suite).destroyNothing},
		{"a repeated step does nothing twice", (*suite).repeat},
		{"dying between steps loses nothing", (*suite).dieBetween},
		{"dying within a step loses nothing", (*suite).dieWithin},
		{"cancel between steps leaves nothing", (*suite).cancelBetween},
		{"cancel within a step leaves nothing", (*suite).cancelWithin},
		{"cancel of a destroy at each step", (*suite).cancelDestroy},
		{"cancel after the end keeps the result", (*suite).cancelAfter},
		{"planners tell before they change", (*suite).plans},
		{"a run out of time fails", (*suite).timeOut},
		{"success after failure", (*suite).failThenSucceed},
		{"hostile output is tamed", (*suite).hostile},
		{"secrets are not logged", (*suite).leak},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*h.Patience)
			defer cancel()
			c.test(&suite{T: t, Harness: h, World: h.World(t), ctx: ctx})
		})
	}
}

type suite struct {
	*testing.T
	Harness
	World
	ctx context.Context
}

func (s *suite) run(p Plan) (engine.Run, *Journal) {
	j := &Journal{}
	r := s.World.Run(p)
	r.Log = j
	if r.Report == nil {
		r.Report = func(context.Context) (engine.Report, error) { return engine.Report{}, nil }
	}
	return r, j
}

// steps takes at most n steps from the checkpoint.
func (s *suite) steps(d engine.Driver, r engine.Run, checkpoint string, n int) engine.Status {
	s.Helper()
	st := engine.Status{Checkpoint: checkpoint}
	for range n {
		var err error
		if st, err = d.Step(s.ctx, r, st.Checkpoint); err != nil {
			s.Fatalf("step: %v", err)
		}
		if st.Done {
			break
		}
		time.Sleep(min(st.Wait, 50*time.Millisecond))
	}
	return st
}

const enough = 1000 // steps

func (s *suite) finish(d engine.Driver, r engine.Run, checkpoint string) engine.Status {
	s.Helper()
	st := s.steps(d, r, checkpoint, enough)
	if !st.Done {
		s.Fatalf("not done after %d steps", enough)
	}
	return st
}

func (s *suite) succeed(p Plan) engine.Status {
	s.Helper()
	r, log := s.run(p)
	st := s.finish(s.Driver(), r, "")
	if st.Failure != "" {
		s.Fatalf("%s failed: %s\n%s", p.Goal, st.Failure, log)
	}
	return st
}

func (s *suite) wantState(value string, exists bool) {
	s.Helper()
	if got, ok := s.State(); got != value || ok != exists {
		s.Errorf("resource is %q (there: %v), want %q (there: %v)", got, ok, value, exists)
	}
}

func (s *suite) wantOutput(st engine.Status, value string) {
	s.Helper()
	for _, o := range st.Outputs {
		if o.Key == "Value" && o.Value == value {
			return
		}
	}
	s.Errorf("outputs are %v, want Value=%q among them", st.Outputs, value)
}

func (s *suite) eventually(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(s.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not within %s: %s", s.Patience, what)
		}
	}
}

func (s *suite) preview() {
	for _, goal := range []engine.Goal{engine.Apply, engine.Destroy} {
		r, _ := s.run(Plan{Goal: goal, Value: "a"})
		c, err := s.Driver().Preview(s.ctx, r)
		if err != nil {
			s.Fatalf("preview: %v", err)
		}
		if c.Summary == "" {
			s.Errorf("%s: the preview says nothing", goal)
		}
	}
	s.wantState("", false)
	if n := s.Changes(); n != 0 || s.Alive() {
		s.Errorf("preview made %d changes, alive: %v", n, s.Alive())
	}
}

func (s *suite) previewExisting() {
	s.succeed(Plan{Goal: engine.Apply, Value: "a"})
	before := s.Changes()
	for _, p := range []Plan{{Goal: engine.Apply, Value: "a"}, {Goal: engine.Apply, Value: "b"}, {Goal: engine.Destroy}} {
		r, _ := s.run(p)
		c, err := s.Driver().Preview(s.ctx, r)
		if err != nil {
			s.Fatalf("preview of %s %q: %v", p.Goal, p.Value, err)
		}
		if c.Summary == "" {
			s.Errorf("%s %q: the preview says nothing", p.Goal, p.Value)
		}
	}
	s.wantState("a", true)
	if n := s.Changes() - before; n != 0 || s.Alive() {
		s.Errorf("previews made %d changes, alive: %v", n, s.Alive())
	}
	s.succeed(Plan{Goal: engine.Apply, Value: "b"}) // no preview stands in the way
	s.wantState("b", true)
}

func (s *suite) previewSecret() {
	r, log := s.run(Plan{Goal: engine.Apply, Value: s.Secret(), Behaviour: Leak})
	c, err := s.Driver().Preview(s.ctx, r)
	if err != nil {
		s.Fatalf("preview: %v", err)
	}
	if text := c.Summary + strings.Join(c.Details, "\n") + log.String(); strings.Contains(text, s.Secret()) {
		s.Errorf("the secret is in the preview:\n%s", text)
	}
}

// destroyAgain takes a removal through every place where it can die, with and
// without its checkpoint, and repeats its last step.
func (s *suite) destroyAgain() {
	s.succeed(Plan{Goal: engine.Apply, Value: "a"})
	n := len(s.checkpoints(Plan{Goal: engine.Destroy}))
	s.wantState("", false)
	for i := 0; i <= n; i++ {
		for _, kept := range []bool{true, false} {
			s.succeed(Plan{Goal: engine.Apply, Value: "b"})
			r, log := s.run(Plan{Goal: engine.Destroy})
			st := s.steps(s.Driver(), r, "", i)
			if !kept {
				st.Checkpoint = ""
			}
			last := st.Checkpoint
			for st = s.steps(s.Driver(), r, last, 1); !st.Done; st = s.steps(s.Driver(), r, last, 1) {
				last = st.Checkpoint
			}
			if st.Failure != "" || len(st.Outputs) > 0 {
				s.Fatalf("died after step %d of a destroy: %+v\n%s", i, st, log)
			}
			s.wantState("", false)
			if diff := cmp.Diff(st, s.finish(s.Driver(), r, last)); diff != "" {
				s.Errorf("the last step of a destroy, repeated (-first +second):\n%s", diff)
			}
		}
	}
}

func (s *suite) life() {
	for _, value := range []string{"a", "a", "b"} {
		s.wantOutput(s.succeed(Plan{Goal: engine.Apply, Value: value}), value)
		s.wantState(value, true)
	}
	for range 2 {
		s.succeed(Plan{Goal: engine.Destroy})
		s.wantState("", false)
	}
	s.succeed(Plan{Goal: engine.Apply, Value: "c"})
	s.wantState("c", true)
}

func (s *suite) destroyNothing() {
	s.succeed(Plan{Goal: engine.Destroy})
	s.wantState("", false)
}

// checkpoints runs a plan to its end and returns each checkpoint, "" first.
func (s *suite) checkpoints(p Plan) []string {
	r, _ := s.run(p)
	d := s.Driver()
	all := []string{""}
	for range enough {
		st := s.steps(d, r, all[len(all)-1], 1)
		if st.Done {
			return all
		}
		all = append(all, st.Checkpoint)
	}
	s.Fatalf("not done after %d steps", enough)
	return nil
}

func (s *suite) repeat() {
	d := s.Driver()
	r, _ := s.run(Plan{Goal: engine.Apply, Value: "a"})
	checkpoint := ""
	for range enough {
		first := s.steps(d, r, checkpoint, 1)
		changes := s.Changes()
		second := s.steps(d, r, checkpoint, 1)
		if first.Done {
			if diff := cmp.Diff(first, second); diff != "" {
				s.Errorf("repeated last step (-first +second):\n%s", diff)
			}
			if n := s.Changes(); n != changes {
				s.Errorf("the repeated last step made %d changes", n-changes)
			}
			s.wantState("a", true)
			return
		}
		checkpoint = second.Checkpoint
		if second.Done {
			s.wantState("a", true)
			return
		}
	}
}

func (s *suite) dieBetween() {
	n := len(s.checkpoints(Plan{Goal: engine.Apply, Value: "first"}))
	for i := 0; i <= n; i++ {
		for _, kept := range []bool{true, false} {
			value := string(rune('a'+i)) + map[bool]string{true: "kept", false: "lost"}[kept]
			r, log := s.run(Plan{Goal: engine.Apply, Value: value})
			before := s.Changes()
			st := s.steps(s.Driver(), r, "", i)
			if !kept {
				st.Checkpoint = ""
			}
			st = s.finish(s.Driver(), r, st.Checkpoint)
			if st.Failure != "" {
				s.Fatalf("died after step %d: %s\n%s", i, st.Failure, log)
			}
			s.wantState(value, true)
			s.wantOutput(st, value)
			if made := s.Changes() - before; made != 1 {
				s.Errorf("died after step %d: %d changes, want 1", i, made)
			}
		}
	}
}

// held starts a held run and returns once it is at its work. The channel gives
// the end of its steps.
func (s *suite) held(ctx context.Context, r engine.Run) <-chan error {
	s.Helper()
	d := s.Driver()
	ended := make(chan error, 1)
	go func() {
		var st engine.Status
		var err error
		for err == nil && !st.Done {
			st, err = d.Step(ctx, r, st.Checkpoint)
		}
		ended <- err
	}()
	s.eventually("the run starts", s.Started)
	if !s.Alive() {
		s.Error("the run has started, but nothing is alive")
	}
	return ended
}

func (s *suite) dieWithin() {
	r, log := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: Hold})
	cause := errors.New("the server goes down")
	ctx, cancel := context.WithCancelCause(s.ctx)
	ended := s.held(ctx, r)
	cancel(cause)
	select {
	case err := <-ended:
		if !errors.Is(err, cause) {
			s.Errorf("step ended with %v, want the cause", err)
		}
	case <-time.After(s.Patience):
		s.Fatal("step goes on after its context's end")
	}
	if s.Alive() {
		s.Error("step returned, but what it started is alive")
	}
	s.Release()
	if st := s.finish(s.Driver(), r, ""); st.Failure != "" {
		s.Fatalf("the run failed after a restart: %s\n%s", st.Failure, log)
	}
	s.wantState("a", true)
}

func (s *suite) cancelBetween() {
	all := s.checkpoints(Plan{Goal: engine.Apply, Value: "first"})
	for i := range all {
		r, _ := s.run(Plan{Goal: engine.Apply, Value: "b"})
		d := s.Driver()
		st := s.steps(d, r, "", i)
		for range 2 {
			end, err := d.Cancel(s.ctx, r, st.Checkpoint)
			if err != nil {
				s.Fatalf("cancel after step %d: %v", i, err)
			}
			if end.Done && end.Failure != "" {
				s.Errorf("cancelled after step %d, but it is said to have failed: %s", i, end.Failure)
			}
		}
		if s.Alive() {
			s.Errorf("cancelled after step %d, but something is alive", i)
		}
	}
	s.succeed(Plan{Goal: engine.Apply, Value: "c"})
	s.wantState("c", true)
}

// cancelDestroy stops a removal after each of its steps. One that can't be
// stopped has removed the resource; in either case another one can follow.
func (s *suite) cancelDestroy() {
	s.succeed(Plan{Goal: engine.Apply, Value: "a"})
	n := len(s.checkpoints(Plan{Goal: engine.Destroy}))
	for i := range n {
		s.succeed(Plan{Goal: engine.Apply, Value: "b"})
		r, _ := s.run(Plan{Goal: engine.Destroy})
		d := s.Driver()
		st := s.steps(d, r, "", i)
		if _, err := d.Cancel(s.ctx, r, st.Checkpoint); err != nil {
			if value, there := s.State(); there {
				s.Errorf("cancel after step %d of a destroy: %v, and the resource is %q", i, err, value)
			}
		}
		if s.Alive() {
			s.Errorf("cancelled after step %d of a destroy, but something is alive", i)
		}
		s.succeed(Plan{Goal: engine.Destroy})
		s.wantState("", false)
	}
}

func (s *suite) cancelWithin() {
	r, _ := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: Hold})
	ended := s.held(s.ctx, r)
	if end, err := s.Driver().Cancel(s.ctx, r, ""); err != nil || end.Done {
		s.Fatalf("cancel: %+v, %v", end, err)
	}
	if s.Alive() {
		s.Error("cancel returned, but something is alive")
	}
	select {
	case <-ended:
	case <-time.After(s.Patience):
		s.Fatal("step goes on after cancel")
	}
	s.wantState("", false)
	s.Release()
	s.succeed(Plan{Goal: engine.Apply, Value: "b"})
	s.wantState("b", true)
}

// plans holds a Planner to its word: what is about to change is told at once, not
// in the end. A tool may have begun by the time its word has come here.
func (s *suite) plans() {
	if planner, ok := s.Driver().(engine.Planner); !ok || !planner.Plans() {
		s.Skip("the driver is no Planner")
	}
	for _, p := range []Plan{{Goal: engine.Apply, Value: "a", Behaviour: Hold}, {Goal: engine.Apply, Value: "b"}, {Goal: engine.Destroy}} {
		r, _ := s.run(p)
		told := make(chan string, 10)
		r.Planned = func(c engine.Changes) { told <- c.Summary }
		var err error
		if p.Behaviour == Hold {
			ended := s.held(s.ctx, r)
			s.eventually("the plan is told while the run holds", func() bool { return len(told) > 0 })
			s.Release()
			err = <-ended
		} else if st := s.finish(s.Driver(), r, ""); st.Failure != "" {
			err = errors.New(st.Failure)
		}
		if err != nil || len(told) != 1 || <-told == "" {
			s.Errorf("%s %s: %v; told %d times, once with a summary is right", p.Goal, p.Value, err, len(told))
		}
	}
}

func (s *suite) cancelAfter() {
	r, _ := s.run(Plan{Goal: engine.Apply, Value: "a"})
	d := s.Driver()
	st := s.finish(d, r, "")
	changes := s.Changes()
	for _, checkpoint := range []string{st.Checkpoint, ""} {
		end, err := s.Driver().Cancel(s.ctx, r, checkpoint)
		if err != nil {
			s.Fatalf("cancel: %v", err)
		}
		if diff := cmp.Diff(st, end); diff != "" {
			s.Errorf("cancel of a finished run tells of another end (-step +cancel):\n%s", diff)
		}
	}
	if n := s.Changes(); n != changes {
		s.Error("cancel of a finished run changed something")
	}
	s.wantState("a", true)
}

func (s *suite) timeOut() {
	r, _ := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: TimeOut})
	st := s.finish(s.Driver(), r, "")
	if !strings.Contains(st.Failure, "time-out") {
		s.Errorf("failure is %q, want it to name the time-out", st.Failure)
	}
	if s.Alive() {
		s.Error("time is up, but something is alive")
	}
	s.wantState("", false)
}

func (s *suite) failThenSucceed() {
	r, _ := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: Fail})
	first := s.finish(s.Driver(), r, "")
	if first.Failure == "" || len(first.Outputs) > 0 {
		s.Errorf("got %+v, want a failure without outputs", first)
	}
	again := s.finish(s.Driver(), r, "")
	if diff := cmp.Diff(first, again); diff != "" {
		s.Errorf("a failed run asked again (-first +second):\n%s", diff)
	}
	s.succeed(Plan{Goal: engine.Apply, Value: "b"})
	s.wantState("b", true)
}

func (s *suite) hostile() {
	r, log := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: Hostile})
	if st := s.finish(s.Driver(), r, ""); st.Failure != "" {
		s.Fatalf("failed: %s", st.Failure)
	}
	text := log.String()
	if text == "" {
		s.Fatal("nothing was logged")
	}
	if !utf8.ValidString(text) {
		s.Error("the log is not valid UTF-8")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > s.MaxLine {
			s.Errorf("a line of %d bytes", len(line))
		}
		if i := strings.IndexFunc(line, func(c rune) bool { return unicode.IsControl(c) && c != '\t' }); i >= 0 {
			s.Errorf("control character %q in the log", line[i])
		}
	}
}

func (s *suite) leak() {
	r, log := s.run(Plan{Goal: engine.Apply, Value: "a", Behaviour: Leak})
	st := s.finish(s.Driver(), r, "")
	text := log.String()
	if !strings.Contains(text, engine.Redacted) {
		s.Errorf("nothing was redacted in the log:\n%s", text)
	}
	if strings.Contains(text+st.Failure, s.Secret()) {
		s.Error("the secret is in the log or the failure")
	}
}
