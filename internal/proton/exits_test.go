package proton

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type exitRow struct {
	of, status string
	exits      []Exit
	on         func(Event) error
}

// exits are those of every status of every resource, final ones aside.
func exits() (rows []exitRow) {
	for _, t := range []TargetType{TargetEnvironment, TargetServiceInstance, TargetPipeline, TargetComponent} {
		for _, s := range DeploymentStatuses {
			if s == DeleteComplete {
				continue // the resource is gone
			}
			on := func(e Event) error { _, err := s.On(e); return err }
			rows = append(rows, exitRow{strings.ToLower(strings.ReplaceAll(string(t), "_", " ")), string(s), s.Exits(t), on})
		}
	}
	for _, s := range ServiceStatuses {
		on := func(e Event) error { _, err := s.On(e); return err }
		rows = append(rows, exitRow{"service", string(s), s.Exits(), on})
	}
	return rows
}

func TestEveryStatusCanBeLeftByADocumentedCall(t *testing.T) {
	t.Parallel()
	operations := map[string]bool{}
	for _, file := range []string{"proton.json", "hadron.json"} {
		text, err := os.ReadFile("../gen/model/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var model struct{ Operations map[string]any }
		if err := json.Unmarshal(text, &model); err != nil {
			t.Fatal(err)
		}
		for name := range model.Operations {
			operations[name] = true
		}
	}
	implemented, err := os.ReadFile("../gen/model/implemented.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range exits() {
		if len(row.exits) == 0 {
			t.Errorf("%s %s: no call leaves it", row.of, row.status)
		}
		for _, e := range row.exits {
			call, _, _ := strings.Cut(e.Call, " ")
			if !operations[call] || !strings.Contains("\n"+string(implemented), "\n"+call+"\n") {
				t.Errorf("%s %s: %q is no operation that is carried out", row.of, row.status, call)
			}
			if e.Event == "" {
				continue
			}
			if err := row.on(e.Event); err != nil {
				t.Errorf("%s %s: %s: %v", row.of, row.status, e.Call, err)
			}
		}
	}
}
