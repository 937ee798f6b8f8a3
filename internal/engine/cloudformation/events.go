package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
)

// report writes events to the run's log.
func (s *session) report(events []types.StackEvent) {
	for _, e := range events {
		line := fmt.Sprintf("%s %s %s %s", aws.ToTime(e.Timestamp).UTC().Format(time.RFC3339), e.ResourceStatus,
			aws.ToString(e.ResourceType), aws.ToString(e.LogicalResourceId))
		if reason := aws.ToString(e.ResourceStatusReason); reason != "" {
			line += ": " + reason
		}
		s.log.Note(line)
		s.cp.LastEvent, s.cp.Polls = aws.ToString(e.EventId), 0
	}
}

// ofStack reports whether an event is about the stack, not a resource in it.
func ofStack(e types.StackEvent) bool {
	return aws.ToString(e.PhysicalResourceId) == aws.ToString(e.StackId)
}

func failedResource(e types.StackEvent) bool {
	return strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && !ofStack(e)
}

const (
	maxReason    = 1500 // characters of one resource's reason in a failure
	maxResources = 5    // resources that a failure names
)

// describeFailure words the failure of one resource.
func describeFailure(e types.StackEvent) string {
	reason := []rune(aws.ToString(e.ResourceStatusReason))
	if len(reason) > maxReason {
		reason = append(reason[:maxReason:maxReason], '…')
	}
	text := fmt.Sprintf("%s of %s (%s)", e.ResourceStatus, aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType))
	if len(reason) > 0 {
		text += ": " + string(reason)
	}
	return text
}

// failure ends the run with the reason that its events give: the first resource
// that failed, since the others mostly follow from it; where a deletion failed,
// each resource that stayed.
func (s *session) failure(ctx context.Context, v view) (engine.Status, error) {
	why, err := s.why(ctx, v)
	if err != nil {
		return engine.Status{}, err
	}
	return failed(why), nil
}

func (s *session) why(ctx context.Context, v view) (string, error) {
	events, newest, err := s.events(ctx, aws.ToString(v.stack.StackId), "")
	if err != nil {
		return "", err
	}
	if newest != nil { // of several operations of the run, the last
		purpose, _ := s.mine(*newest)
		events = slices.DeleteFunc(events, func(e types.StackEvent) bool { p, _ := s.mine(e); return p != purpose })
	}
	text := fmt.Sprintf("stack %s is in %s", s.name, v.status())
	if v.status() == types.StackStatusDeleteFailed {
		return text + undeleted(events), nil
	}
	back := slices.IndexFunc(events, func(e types.StackEvent) bool {
		return ofStack(e) && strings.HasSuffix(string(e.ResourceStatus), "ROLLBACK_IN_PROGRESS")
	})
	forth := events
	if back >= 0 {
		forth = events[:back]
	}
	first := slices.IndexFunc(forth, failedResource)
	if first >= 0 {
		text += ": " + describeFailure(forth[first])
	} else if reason := aws.ToString(v.stack.StackStatusReason); reason != "" {
		text += ": " + reason
	}
	if back < 0 || !strings.HasSuffix(string(v.status()), "ROLLBACK_FAILED") {
		return text, nil
	}
	if i := slices.IndexFunc(events[back:], failedResource); i >= 0 {
		text += "; the rollback failed too: " + describeFailure(events[back+i])
	}
	return text, nil
}

// undeleted names the resources that could not be deleted.
func undeleted(events []types.StackEvent) string {
	var b strings.Builder
	stuck := stuckResources(events)
	for _, e := range stuck[:min(len(stuck), maxResources)] {
		b.WriteString("; " + describeFailure(e))
	}
	if more := len(stuck) - maxResources; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return strings.Replace(b.String(), ";", ":", 1)
}

// stuckResources are those that could not be deleted, each once.
func stuckResources(events []types.StackEvent) (stuck []types.StackEvent) {
	seen := map[string]bool{}
	for _, e := range events {
		if id := aws.ToString(e.LogicalResourceId); e.ResourceStatus == types.ResourceStatusDeleteFailed && !ofStack(e) && !seen[id] {
			seen[id] = true
			stuck = append(stuck, e)
		}
	}
	return stuck
}

// retain deletes a stack without the resources that could not be deleted with it.
func (s *session) retain(ctx context.Context, v view) (engine.Status, error) {
	events, _, err := s.events(ctx, aws.ToString(v.stack.StackId), "")
	if err != nil {
		return engine.Status{}, err
	}
	stuck := stuckResources(events)
	if len(stuck) == 0 {
		return s.failure(ctx, v)
	}
	in := &cfn.DeleteStackInput{StackName: v.stack.StackId, ClientRequestToken: aws.String(s.token(retainRest))}
	for _, e := range stuck {
		in.RetainResources = append(in.RetainResources, aws.ToString(e.LogicalResourceId))
	}
	if _, err := s.api.DeleteStack(ctx, in); err != nil {
		return engine.Status{}, err
	}
	s.cp.StackID, s.cp.Retained = aws.ToString(v.stack.StackId), fmt.Sprintf("stack %s is in %s%s", s.name, v.status(), undeleted(events))
	s.log.Note(fmt.Sprintf("[hadron] deleting stack %s without %s", s.name, strings.Join(in.RetainResources, ", ")))
	return s.soon(), nil
}

// destroy takes the next step to a stack that is not there.
func (s *session) destroy(ctx context.Context, v view) (engine.Status, error) {
	switch {
	case v.stack == nil && s.cp.Retained != "":
		return failed(s.cp.Retained + "; the stack was deleted without what stays"), nil
	case v.stack == nil:
		return engine.Status{Done: true, Checkpoint: finished}, nil
	case v.changing():
		return s.wait(v), nil
	case v.status() == types.StackStatusDeleteFailed && v.ours && v.purpose == retainRest:
		return s.failure(ctx, v)
	case v.status() == types.StackStatusDeleteFailed && v.ours && s.run.Force:
		return s.retain(ctx, v)
	case v.status() == types.StackStatusDeleteFailed && (v.ours && v.purpose == theGoal || !v.ours && !s.cp.Executed.IsZero()):
		return s.failure(ctx, v)
	}
	changes, err := s.previewDestroy(ctx)
	s.plan(ctx, changes, err)
	if err := s.deleteStack(ctx, v, theGoal); err != nil {
		return engine.Status{}, err
	}
	s.cp.Executed = time.Now().UTC()
	return s.soon(), nil
}
