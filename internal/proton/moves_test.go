package proton

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// allEvents is every event, in the order of their declaration.
var allEvents = []Event{
	DeploymentRequested, DeploymentSucceeded, DeploymentFailed, CancelRequested, DeploymentCancelled, CancelFailed,
	DeleteRequested, DeleteSucceeded, DeleteHasFailed,
	UpdateRequested, InstanceAddFailed, CleanupSucceeded, CleanupFailed, Repaired,
	RegistrationSucceeded, RegistrationRefused, PublishRequested,
}

// machine is one status type with its moves, its status texts made equal.
type machine struct {
	title    string
	shape    string // of the API model
	intro    string
	statuses []string
	moves    map[string]map[Event]string
	on       func(string, Event) (string, error)
	starts   []string // entered by creation
	final    []string // nothing leads out of them
	reserved []string // in the model, never entered
}

func machineOf[S ~string](statuses []S, m moves[S], on func(S, Event) (S, error)) machine {
	out := machine{
		moves: map[string]map[Event]string{},
		on: func(s string, e Event) (string, error) {
			next, err := on(S(s), e)
			return string(next), err
		},
	}
	for _, s := range statuses {
		out.statuses = append(out.statuses, string(s))
	}
	for s, row := range m {
		out.moves[string(s)] = map[Event]string{}
		for e, next := range row {
			out.moves[string(s)][e] = string(next)
		}
	}
	return out
}

func machines() []machine {
	d := machineOf(DeploymentStatuses, deploymentMoves, DeploymentStatus.On)
	d.title, d.shape = "Deployments, and what they deploy", "DeploymentStatus"
	d.intro = "The status of an environment, a service instance, a pipeline, a component, and of each deployment of one.\n" +
		"`DELETE_COMPLETE` shows in the history only: the resource itself is gone by then."
	d.starts, d.final = []string{"IN_PROGRESS"}, []string{"DELETE_COMPLETE"}

	s := machineOf(ServiceStatuses, serviceMoves, ServiceStatus.On)
	s.title, s.shape = "Services", "ServiceStatus"
	s.intro = "The status of a service as a whole. A service without instances and pipeline is `ACTIVE` at once."
	s.starts = []string{"CREATE_IN_PROGRESS"}
	s.reserved = []string{"CREATE_FAILED_CLEANUP_IN_PROGRESS", "CREATE_FAILED_CLEANUP_COMPLETE", "CREATE_FAILED_CLEANUP_FAILED"}

	v := machineOf(TemplateVersionStatuses, templateVersionMoves, TemplateVersionStatus.On)
	v.title, v.shape = "Template versions", "TemplateVersionStatus"
	v.intro = "The status of a version of an environment template or a service template."
	v.starts = []string{"REGISTRATION_IN_PROGRESS"}
	return []machine{d, s, v}
}

// allowed is every move that Proton's documented behaviour has; whatever is
// not here must be refused.
var allowed = map[string]string{
	"DeploymentStatus": `
		IN_PROGRESS: deployment succeeded: SUCCEEDED
		IN_PROGRESS: deployment failed: FAILED
		IN_PROGRESS: cancel requested: CANCELLING
		IN_PROGRESS: deployment cancelled: CANCELLED
		CANCELLING: deployment cancelled: CANCELLED
		CANCELLING: cancel failed: FAILED
		CANCELLING: deployment failed: FAILED
		CANCELLING: deployment succeeded: SUCCEEDED
		SUCCEEDED: deployment requested: IN_PROGRESS
		FAILED: deployment requested: IN_PROGRESS
		CANCELLED: deployment requested: IN_PROGRESS
		SUCCEEDED: delete requested: DELETE_IN_PROGRESS
		FAILED: delete requested: DELETE_IN_PROGRESS
		CANCELLED: delete requested: DELETE_IN_PROGRESS
		DELETE_FAILED: delete requested: DELETE_IN_PROGRESS
		DELETE_IN_PROGRESS: delete succeeded: DELETE_COMPLETE
		DELETE_IN_PROGRESS: delete failed: DELETE_FAILED`,
	"ServiceStatus": `
		CREATE_IN_PROGRESS: deployment succeeded: ACTIVE
		CREATE_IN_PROGRESS: deployment failed: CREATE_FAILED
		CREATE_FAILED: every part succeeded after a repair: ACTIVE
		CREATE_FAILED: update requested: UPDATE_IN_PROGRESS
		CREATE_FAILED: delete requested: DELETE_IN_PROGRESS
		ACTIVE: update requested: UPDATE_IN_PROGRESS
		ACTIVE: delete requested: DELETE_IN_PROGRESS
		UPDATE_IN_PROGRESS: deployment succeeded: ACTIVE
		UPDATE_IN_PROGRESS: deployment failed: UPDATE_FAILED
		UPDATE_IN_PROGRESS: an added instance failed: UPDATE_FAILED_CLEANUP_IN_PROGRESS
		UPDATE_IN_PROGRESS: cleanup failed: UPDATE_COMPLETE_CLEANUP_FAILED
		UPDATE_FAILED_CLEANUP_IN_PROGRESS: cleanup succeeded: UPDATE_FAILED_CLEANUP_COMPLETE
		UPDATE_FAILED_CLEANUP_IN_PROGRESS: cleanup failed: UPDATE_FAILED_CLEANUP_FAILED
		UPDATE_FAILED: every part succeeded after a repair: ACTIVE
		UPDATE_FAILED: update requested: UPDATE_IN_PROGRESS
		UPDATE_FAILED: delete requested: DELETE_IN_PROGRESS
		UPDATE_FAILED_CLEANUP_COMPLETE: update requested: UPDATE_IN_PROGRESS
		UPDATE_FAILED_CLEANUP_COMPLETE: delete requested: DELETE_IN_PROGRESS
		UPDATE_FAILED_CLEANUP_FAILED: cleanup succeeded: UPDATE_FAILED_CLEANUP_COMPLETE
		UPDATE_FAILED_CLEANUP_FAILED: update requested: UPDATE_IN_PROGRESS
		UPDATE_FAILED_CLEANUP_FAILED: delete requested: DELETE_IN_PROGRESS
		UPDATE_COMPLETE_CLEANUP_FAILED: every part succeeded after a repair: ACTIVE
		UPDATE_COMPLETE_CLEANUP_FAILED: update requested: UPDATE_IN_PROGRESS
		UPDATE_COMPLETE_CLEANUP_FAILED: delete requested: DELETE_IN_PROGRESS
		DELETE_IN_PROGRESS: delete succeeded: (gone)
		DELETE_IN_PROGRESS: delete failed: DELETE_FAILED
		DELETE_FAILED: delete requested: DELETE_IN_PROGRESS
		CREATE_FAILED_CLEANUP_IN_PROGRESS: cleanup succeeded: CREATE_FAILED_CLEANUP_COMPLETE
		CREATE_FAILED_CLEANUP_IN_PROGRESS: cleanup failed: CREATE_FAILED_CLEANUP_FAILED
		CREATE_FAILED_CLEANUP_COMPLETE: delete requested: DELETE_IN_PROGRESS
		CREATE_FAILED_CLEANUP_FAILED: delete requested: DELETE_IN_PROGRESS`,
	"TemplateVersionStatus": `
		REGISTRATION_IN_PROGRESS: registration succeeded: DRAFT
		REGISTRATION_IN_PROGRESS: registration refused: REGISTRATION_FAILED
		DRAFT: publish requested: PUBLISHED
		PUBLISHED: publish requested: PUBLISHED
		DRAFT: delete requested: (gone)
		PUBLISHED: delete requested: (gone)
		REGISTRATION_FAILED: delete requested: (gone)`,
}

func TestStatusesAreTheModels(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../gen/model/proton.json")
	if err != nil {
		t.Fatal(err)
	}
	var model struct {
		Shapes map[string]struct{ Enum []string }
	}
	if err := json.Unmarshal(text, &model); err != nil {
		t.Fatal(err)
	}
	for _, m := range machines() {
		if diff := cmp.Diff(model.Shapes[m.shape].Enum, m.statuses); diff != "" {
			t.Errorf("%s (-model +ours):\n%s", m.shape, diff)
		}
	}
}

func TestEveryStatusAgainstEveryEvent(t *testing.T) {
	t.Parallel()
	for _, m := range machines() {
		want := map[string]string{} // "status: event" → status
		for line := range strings.Lines(strings.TrimSpace(allowed[m.shape])) {
			line = strings.TrimSpace(line)
			cut := strings.LastIndex(line, ": ")
			want[line[:cut]] = line[cut+2:]
		}
		for _, status := range m.statuses {
			for _, event := range allEvents {
				pair := status + ": " + string(event)
				next, err := m.on(status, event)
				to, ok := want[pair]
				delete(want, pair)
				switch {
				case ok && (err != nil || next != to):
					t.Errorf("%s %s = %s, %v; want %s", m.shape, pair, next, err, to)
				case !ok && (KindOf(err) != Conflict || next != status):
					t.Errorf("%s %s = %s, %v; want Conflict and no move", m.shape, pair, next, err)
				}
			}
		}
		for pair := range want {
			t.Errorf("%s: the expected move %q names no status or event", m.shape, pair)
		}
	}
}

func TestEveryStatusIsReachableUnlessReserved(t *testing.T) {
	t.Parallel()
	for _, m := range machines() {
		seen := reach(m, m.starts...)
		for _, status := range m.statuses {
			if reserved := slices.Contains(m.reserved, status); seen[status] == reserved {
				t.Errorf("%s %s: reachable = %t, reserved = %t", m.shape, status, seen[status], reserved)
			}
		}
	}
}

func TestNoStatusIsADeadEnd(t *testing.T) {
	t.Parallel()
	for _, m := range machines() {
		for _, status := range m.statuses {
			if slices.Contains(m.final, status) {
				if len(m.moves[status]) != 0 {
					t.Errorf("%s %s is final and has moves", m.shape, status)
				}
				continue
			}
			ends := append([]string{gone}, m.final...)
			seen := reach(m, status)
			if !slices.ContainsFunc(ends, func(end string) bool { return seen[end] }) {
				t.Errorf("%s %s: nothing leads from it to the record's end", m.shape, status)
			}
		}
	}
}

// reach is every status that moves lead to from the starts, these included.
func reach(m machine, starts ...string) map[string]bool {
	seen := map[string]bool{}
	for queue := starts; len(queue) > 0; queue = queue[1:] {
		if seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		queue = slices.AppendSeq(slices.Clone(queue), maps.Values(m.moves[queue[0]]))
	}
	return seen
}

func TestRunningStatusesAreThoseThatWorkLeaves(t *testing.T) {
	t.Parallel()
	for _, s := range DeploymentStatuses {
		_, err := s.On(DeploymentRequested)
		_, errDelete := s.On(DeleteRequested)
		idle := err == nil || errDelete == nil || s == DeleteComplete
		if s.Running() == idle {
			t.Errorf("%s: Running = %t, takes requests = %t", s, s.Running(), idle)
		}
	}
	for _, s := range ServiceStatuses {
		if want := strings.HasSuffix(string(s), "_IN_PROGRESS"); s.Running() != want {
			t.Errorf("%s: Running = %t", s, s.Running())
		}
	}
}

func TestStatesDocument(t *testing.T) {
	t.Parallel()
	const path = "../../docs/states.md"
	got := renderStates(machines())
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/states.md is not what the move tables say; run go test ./internal/proton -update (-file +tables):\n%s", diff)
	}
}

// renderStates writes the move tables as a document.
func renderStates(ms []machine) string {
	var b strings.Builder
	b.WriteString("# States\n\n<!-- Rendered from the move tables of internal/proton: go test ./internal/proton -update -->\n\n" +
		"What can happen to each status, and where it leads. An event that a status has no row for is refused with a\n" +
		"`ConflictException` and changes nothing.\n")
	for _, m := range ms {
		fmt.Fprintf(&b, "\n## %s\n\n%s\nCreation enters `%s`.\n\n| status | event | leads to |\n| --- | --- | --- |\n",
			m.title, m.intro, strings.Join(m.starts, "`, `"))
		for _, status := range m.statuses {
			for _, event := range allEvents {
				switch next, ok := m.moves[status][event]; {
				case ok && next == gone:
					fmt.Fprintf(&b, "| `%s` | %s | the record is removed |\n", status, event)
				case ok:
					fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", status, event, next)
				}
			}
		}
		if len(m.reserved) > 0 {
			fmt.Fprintf(&b, "\nThe API model has them, Hadron never enters them: `%s`.\n", strings.Join(m.reserved, "`, `"))
		}
	}
	b.WriteString("\n## Which calls leave a status\n\nWhat is at work also leaves its status by itself, when it ends. " +
		"`AbandonResource` forgets the record.\n\n| of | status | calls |\n| --- | --- | --- |\n")
	for _, row := range exits() {
		var calls []string
		for _, e := range row.exits {
			calls = append(calls, e.Call)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", row.of, row.status, strings.Join(slices.Compact(calls), ", "))
	}
	return b.String()
}
