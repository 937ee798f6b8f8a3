package cloudformation

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
)

const (
	maxTemplate  = 51_200    // bytes of a template within a request
	maxStaged    = 1_048_576 // of one in a bucket
	maxStackName = 128
	maxResource  = 200 // characters of a provisioned resource's identifier
)

var (
	stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	runID     = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]{0,99}$`)
)

// StackName returns the real name of a run's stack, or an error if its fields
// make none.
func StackName(r engine.Run) (string, error) {
	if r.ResourceARN == "" {
		return "", fmt.Errorf("run %s: the ARN of the resource is empty", r.ID)
	}
	if !runID.MatchString(r.ID) {
		return "", fmt.Errorf("run id %q: must be a UUID", r.ID)
	}
	sum := sha256.Sum256([]byte(r.ResourceARN))
	letters := make([]byte, 15)
	for i := range letters {
		letters[i] = 'A' + sum[i]%26
	}
	name := r.StackName + "--" + string(letters)
	if !stackName.MatchString(name) || len(name) > maxStackName {
		return "", fmt.Errorf("stack name %q: must be letters, digits and hyphens, begin with a letter and have at most %d characters", name, maxStackName)
	}
	return name, nil
}

// Tokens of a run's operations. They tell in the stack's events what an
// operation was for; all begin with the run's ID.
func (s *session) token(what string) string { return s.run.ID + what }

const (
	theGoal       = ""          // executing the change set, or deleting the stack
	clearRest     = "-clear"    // deleting what a failed first creation left
	continueBack  = "-continue" // continuing a failed rollback
	cancelTheGoal = "-cancel"   // undoing theGoal
	retainRest    = "-retain"   // deleting the stack without what can't be deleted
)

// purpose returns what an operation was for, and whether it was this run's.
func (s *session) purpose(token string) (string, bool) {
	what, ok := strings.CutPrefix(token, s.run.ID)
	switch what {
	case theGoal, clearRest, continueBack, cancelTheGoal, retainRest:
		return what, ok
	}
	return "", false
}

func (s *session) changeSet() string { return "hadron-" + s.run.ID }

// template returns the one rendered template among a run's files.
func template(r engine.Run) (string, error) {
	var found []engine.File
	for _, f := range r.Files {
		base := path.Base(f.Path)
		if stem := strings.TrimSuffix(base, path.Ext(base)); stem != "manifest" {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the rendered files hold %d CloudFormation templates: there must be exactly one", len(found))
	}
	f := found[0]
	switch {
	case len(strings.TrimSpace(string(f.Content))) == 0:
		return "", fmt.Errorf("the rendered template %s is empty", f.Path)
	case len(f.Content) > maxStaged:
		return "", fmt.Errorf("the rendered template %s has %d bytes: CloudFormation takes at most %d", f.Path, len(f.Content), maxStaged)
	}
	return string(f.Content), nil
}

// checkpoint is what a run remembers between steps. Losing it costs a second
// look, a repeated log line, and restarts the run's clock.
type checkpoint struct {
	Started   time.Time `json:"started"`
	StackID   string    `json:"stackId,omitempty"`   // of the stack last acted on
	Executed  time.Time `json:"executed,omitzero"`   // when the change set was executed
	LastEvent string    `json:"lastEvent,omitempty"` // newest event in the log
	Waiting   string    `json:"waiting,omitempty"`   // status of another's operation, as logged
	Polls     int       `json:"polls,omitempty"`     // looks since something happened
	Retained  string    `json:"retained,omitempty"`  // why the stack is deleted without what
	Stopping  string    `json:"stopping,omitempty"`  // why the run is being stopped
	Refused   *refusal  `json:"refused,omitempty"`   // the change set can't be executed
}

// refusal is why a change set can't be executed; an empty reason is that there
// is nothing to change.
type refusal struct {
	Reason string `json:"reason,omitempty"`
}

// finished is the checkpoint of every run that has ended, however it did.
const finished = `{"finished":true}`

// parse reads a checkpoint; one that is not there starts anew.
func parse(saved string) checkpoint {
	var cp checkpoint
	if json.Unmarshal([]byte(saved), &cp) != nil || cp.Started.IsZero() {
		return checkpoint{Started: time.Now().UTC()}
	}
	return cp
}

func (c checkpoint) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain fields only
	}
	return string(text)
}
