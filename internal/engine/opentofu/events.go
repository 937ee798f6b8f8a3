package opentofu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hadronhq/hadron/internal/engine"
)

const (
	maxEvent   = 4 << 20 // longest line of the tool's that is read
	maxErrors  = 20
	maxPlanned = 1000
	maxFailure = 2000 // bytes of a failure's text
)

// events reads what plan and apply print with -json, a JSON object on each
// line, writes it to the log in the words people know, and keeps what is needed
// later. Lines that are something else are logged as they are.
type events struct {
	log     *engine.Log
	line    []byte
	cut     bool // the line is too long, its end is left out
	errors  []diagnostic
	planned []string // resource-level changes
	summary string
	plan    func() // called once the plan is made; nil: not
}

type diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
	Range    *struct {
		Filename string `json:"filename"`
		Start    struct {
			Line int `json:"line"`
		} `json:"start"`
	} `json:"range"`
}

// event is what we read of a line.
type event struct {
	Message    string      `json:"@message"`
	Type       string      `json:"type"`
	Diagnostic *diagnostic `json:"diagnostic"`
	Changes    struct {
		Operation string `json:"operation"`
	} `json:"changes"`
	Hook struct {
		Resource struct {
			Addr string `json:"addr"`
		} `json:"resource"`
		Provisioner string `json:"provisioner"`
		Output      string `json:"output"`
	} `json:"hook"`
}

func (e *events) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		room := max(0, maxEvent-len(e.line))
		e.cut = e.cut || len(part) > room
		e.line = append(e.line, part[:min(len(part), room)]...)
		if ended {
			e.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush takes the line that has come so far as a whole one.
func (e *events) flush() {
	line, cut := e.line, e.cut
	e.line, e.cut = e.line[:0], false
	if len(line) == 0 {
		return
	}
	var ev event
	if cut || json.Unmarshal(line, &ev) != nil || ev.Message == "" {
		e.log.Note(string(line))
		return
	}
	switch ev.Type {
	case "version", "outputs", "log", "refresh_start", "refresh_complete":
	case "diagnostic":
		e.diagnose(ev)
	case "provision_progress":
		e.log.Note(fmt.Sprintf("%s (%s): %s", ev.Hook.Resource.Addr, ev.Hook.Provisioner, ev.Hook.Output))
	case "planned_change":
		if len(e.planned) < maxPlanned {
			e.planned = append(e.planned, ev.Message)
		}
		e.log.Note(ev.Message)
	case "change_summary":
		e.summary = ev.Message
		e.log.Note(ev.Message)
		if ev.Changes.Operation == "plan" && e.plan != nil {
			e.plan()
		}
	default:
		e.log.Note(ev.Message)
	}
}

func (e *events) diagnose(ev event) {
	d := ev.Diagnostic
	if d == nil {
		e.log.Note(ev.Message)
		return
	}
	word := "Warning: "
	if d.Severity == "error" {
		word = "Error: "
		if len(e.errors) < maxErrors {
			e.errors = append(e.errors, *d)
		}
	}
	e.log.Note(word + d.text("\n"))
}

// text is what a diagnostic says: summary, place, detail.
func (d diagnostic) text(separator string) string {
	text := d.Summary
	if place := d.place(); place != "" {
		text += " (" + place + ")"
	}
	if d.Detail != "" {
		text += ":" + separator + d.Detail
	}
	return text
}

func (d diagnostic) place() string {
	var parts []string
	if d.Range != nil && d.Range.Filename != "" {
		parts = append(parts, fmt.Sprintf("%s:%d", d.Range.Filename, d.Range.Start.Line))
	}
	if d.Address != "" {
		parts = append(parts, d.Address)
	}
	return strings.Join(parts, ", ")
}

// failure words why a command failed.
func (e *events) failure(exit int) string {
	if len(e.errors) == 0 {
		return fmt.Sprintf("it exited with %d", exit)
	}
	var all []string
	for _, d := range e.errors {
		all = append(all, strings.Join(strings.Fields(d.text(" ")), " "))
	}
	return head(strings.Join(all, "; "), maxFailure)
}

// head returns the beginning of a text, whole characters only.
func head(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + " …"
}
