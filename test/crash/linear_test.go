package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// A call on one environment template, which is a register of its display name
// that may not be there.
type templateCall struct {
	name, do, value string
}

// What a call has answered. Unknown: the connection was lost, or an internal
// error; it may have taken effect, now or later, or not.
type templateAnswer struct {
	code    string // of the exception
	value   string
	unknown bool
}

// absent is the state of a template that is not there.
const absent = "\x00"

// step is what a call may do to a template, by what it answered.
func step(state any, input, output any) []any {
	now, call, out := state.(string), input.(templateCall), output.(templateAnswer)
	next := now
	want := templateAnswer{}
	switch call.do {
	case "create":
		switch now {
		case absent, call.value: // the same call again answers what is there
			next = call.value
			want.value = call.value
		default:
			want.code = "ValidationException" // as Proton words a taken template name
		}
	case "update", "get":
		switch {
		case now == absent:
			want.code = "ResourceNotFoundException"
		case call.do == "update":
			next, want.value = call.value, call.value
		default:
			want.value = now
		}
	case "delete":
		next = absent
		want.value, want.code = out.value, out.code // answered alike whether it was there
	}
	switch {
	case out.unknown:
		return []any{now, next}
	case out != want:
		return nil
	}
	return []any{next}
}

var templates = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byName := map[string][]porcupine.Operation{}
		for _, o := range history {
			name := o.Input.(templateCall).name
			byName[name] = append(byName[name], o)
		}
		for _, part := range byName {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{absent} },
	Step: step,
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%v -> %+v", input, output)
	},
}

func (call templateCall) send(ctx context.Context, c *api.Client) (templateAnswer, error) {
	var a templateAnswer
	var err error
	switch call.do {
	case "create":
		var out *api.CreateEnvironmentTemplateOutput
		if out, err = c.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: &call.name, DisplayName: &call.value}); err == nil {
			a.value = api.Value(out.EnvironmentTemplate.DisplayName)
		}
	case "update":
		var out *api.UpdateEnvironmentTemplateOutput
		if out, err = c.UpdateEnvironmentTemplate(ctx, &api.UpdateEnvironmentTemplateInput{Name: &call.name, DisplayName: &call.value}); err == nil {
			a.value = api.Value(out.EnvironmentTemplate.DisplayName)
		}
	case "get":
		var out *api.GetEnvironmentTemplateOutput
		if out, err = c.GetEnvironmentTemplate(ctx, &api.GetEnvironmentTemplateInput{Name: &call.name}); err == nil {
			a.value = api.Value(out.EnvironmentTemplate.DisplayName)
		}
	case "delete":
		_, err = c.DeleteEnvironmentTemplate(ctx, &api.DeleteEnvironmentTemplateInput{Name: &call.name})
	}
	return a, err
}

// answer tells refusals from failures after which nobody knows.
func (call templateCall) answer(ctx context.Context, c *api.Client) templateAnswer {
	a, err := call.send(ctx, c)
	refusal, refused := errors.AsType[*awsjson.Error](err)
	switch {
	case refused && refusal.Code != "InternalServerException":
		a.code = refusal.Code
	case err != nil:
		a.unknown = true
	}
	return a
}

// TestAcknowledgedCallsAreLinearizable has clients change a few templates
// through all nodes while these are killed, and PostgreSQL too, and asks a
// checker whether there is an order in which all that was answered is true.
func TestAcknowledgedCallsAreLinearizable(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, database string, nodes int) {
		c := newCluster(t, database, nodes)
		ctx, stop := context.WithTimeout(t.Context(), min(lasting(t, 5*time.Second), 5*time.Minute)) // it takes all of a machine
		defer stop()
		var mu sync.Mutex
		var history []porcupine.Operation
		var group sync.WaitGroup
		var unknown atomic.Int64
		began := time.Now()
		values := atomic.Int64{}
		for client := range 6 {
			group.Go(func() {
				for ctx.Err() == nil {
					// Others from time to time: the checker takes long over long histories of one.
					call := templateCall{name: fmt.Sprintf("t-%d-%d", time.Since(began)/(20*time.Second), rand.N(3)), do: []string{"create", "update", "update", "get", "get", "delete"}[rand.N(6)]}
					if call.do == "create" || call.do == "update" {
						call.value = fmt.Sprintf("v%d", values.Add(1))
					}
					called := time.Since(began)
					a := call.answer(t.Context(), c.nodes[rand.N(len(c.nodes))].client())
					returned := time.Since(began)
					if a.unknown {
						unknown.Add(1)
						returned = time.Hour // it may take effect at any time
						time.Sleep(20 * time.Millisecond)
					}
					mu.Lock()
					history = append(history, porcupine.Operation{ClientId: client, Input: call, Call: int64(called), Output: a, Return: int64(returned)})
					mu.Unlock()
				}
			})
		}
		kills := 0
		for ctx.Err() == nil {
			time.Sleep(300*time.Millisecond + rand.N(700*time.Millisecond))
			n := c.nodes[rand.N(len(c.nodes))]
			n.kill()
			kills++
			n.start()
		}
		group.Wait()
		t.Logf("%d kills, %d calls, %d without an answer", kills, len(history), unknown.Load())
		if len(history) < 50 || unknown.Load() == 0 {
			t.Errorf("nothing was tested")
		}
		if result := porcupine.CheckOperationsTimeout(templates.ToModel(), history, time.Minute); result != porcupine.Ok {
			t.Errorf("the history of what was acknowledged is not linearizable: %s", result)
		}
	})
}
