package enginetest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

const arn = "arn:aws:proton:us-east-1:123456789012:environment/dev"

func TestScriptedConforms(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]int{"one step": 1, "three steps": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.Conform(t, enginetest.Harness{World: func(*testing.T) enginetest.World {
				return &world{s: enginetest.NewScripted(), steps: steps, gate: make(chan struct{})}
			}})
		})
	}
}

type world struct {
	s     *enginetest.Scripted
	steps int
	gate  chan struct{}
	once  sync.Once
}

func (w *world) Driver() engine.Driver { return w.s.Restart() }
func (w *world) Secret() string        { return "hunter22-hunter22" }
func (w *world) Changes() int          { return w.s.Changes() }
func (w *world) Started() bool         { return w.s.Holding() > 0 }
func (w *world) Alive() bool           { return w.s.Holding() > 0 }
func (w *world) Release()              { w.once.Do(func() { close(w.gate) }) }

func (w *world) Run(p enginetest.Plan) engine.Run {
	script := enginetest.Script{Steps: w.steps, Log: "working\n", Outputs: []engine.Output{{Key: "Value", Value: p.Value}}}
	switch p.Behaviour {
	case enginetest.Fail:
		script.Fail = "as told"
	case enginetest.Hold:
		script.Hold = w.gate
	case enginetest.TimeOut:
		script.Hold, script.Timeout = w.gate, 20*time.Millisecond
	case enginetest.Hostile:
		script.Log = "\x1b[2J\x00\xff\u202e\r" + strings.Repeat("x", 5<<20)
	case enginetest.Leak:
		script.Log = "token=" + w.Secret()
	}
	w.s.On(arn, script)
	return engine.Run{ID: uuid.NewString(), Goal: p.Goal, ResourceARN: arn, Secrets: []string{w.Secret()}}
}

func (w *world) State() (string, bool) {
	outputs, ok := w.s.Outputs(arn)
	if !ok || len(outputs) == 0 {
		return "", ok
	}
	return outputs[0].Value, true
}

func TestScriptedFollowsItsScripts(t *testing.T) {
	t.Parallel()
	s := enginetest.NewScripted()
	broken := errors.New("no connection")
	s.On(arn, enginetest.Script{Err: broken, Errs: 1, Fail: "refused"}, enginetest.Script{})
	ctx := context.Background()
	first := engine.Run{ID: "1", Goal: engine.Apply, ResourceARN: arn}
	if _, err := s.Step(ctx, first, ""); !errors.Is(err, broken) {
		t.Errorf("first step: got error %v, want %v", err, broken)
	}
	if st, err := s.Step(ctx, first, ""); err != nil || st.Failure != "refused" || s.Exists(arn) {
		t.Errorf("repeated step: got %+v, %v", st, err)
	}
	if st, err := s.Step(ctx, engine.Run{ID: "2", Goal: engine.Apply, ResourceARN: arn}, ""); err != nil || !st.Done || st.Failure != "" || !s.Exists(arn) {
		t.Errorf("next run: got %+v, %v", st, err)
	}
	if st, err := s.Step(ctx, engine.Run{ID: "3", Goal: engine.Apply, ResourceARN: "other"}, ""); err != nil || !st.Done || st.Failure != "" {
		t.Errorf("run without script: got %+v, %v", st, err)
	}
	if n := len(s.Calls()); n != 4 {
		t.Errorf("%d calls recorded, want 4", n)
	}
}
