package cloudformation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// view is what one look found.
type view struct {
	stack *types.Stack // nil: there is none of this name
	// The newest operation on the stack: whether it was this run's, and what for.
	ours    bool
	purpose string
	events  []types.StackEvent // of this run, not in its log yet, oldest first
}

func (v view) status() types.StackStatus { return v.stack.StackStatus }

// changing reports whether an operation is going on. A stack in review waits
// for one.
func (v view) changing() bool {
	return strings.HasSuffix(string(v.status()), "_IN_PROGRESS") && v.status() != types.StackStatusReviewInProgress
}

func (s *session) look(ctx context.Context) (view, error) {
	stack, err := s.describe(ctx, s.name)
	if err != nil {
		return view{}, err
	}
	v := view{stack: stack}
	id := s.cp.StackID // of a stack that is gone: its last events
	if stack != nil {
		id = aws.ToString(stack.StackId)
	}
	if id == "" {
		return v, nil
	}
	events, newest, err := s.events(ctx, id, s.cp.LastEvent)
	if err != nil {
		return view{}, err
	}
	v.events = events
	if stack != nil && newest != nil {
		v.purpose, v.ours = s.mine(*newest)
	}
	return v, nil
}

// describe returns a stack, or nil if there is none. CloudFormation has no code
// of its own for that, but nothing else about a well-formed name is invalid.
func (s *session) describe(ctx context.Context, name string) (*types.Stack, error) {
	out, err := s.api.DescribeStacks(ctx, &cfn.DescribeStacksInput{StackName: &name})
	if identity.Says(err, "ValidationError") {
		return nil, nil
	}
	if err != nil || len(out.Stacks) == 0 || out.Stacks[0].StackStatus == types.StackStatusDeleteComplete {
		return nil, err
	}
	return &out.Stacks[0], nil
}

// events returns the run's events on a stack that are newer than the one with
// the ID until, oldest first, and the newest of all.
func (s *session) events(ctx context.Context, id, until string) (mine []types.StackEvent, newest *types.StackEvent, err error) {
	seen := map[string]bool{} // pages move while events come in
	pages := cfn.NewDescribeStackEventsPaginator(s.api, &cfn.DescribeStackEventsInput{StackName: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if identity.Says(err, "ValidationError") {
			break // a stack that is long gone
		}
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page.StackEvents {
			if newest == nil {
				newest = &e
			}
			if n := len(mine); n > 0 && aws.ToTime(e.Timestamp).After(aws.ToTime(mine[n-1].Timestamp)) {
				continue // it came in since the first page was read: the next look's
			}
			// A stack has one operation at a time: before the first event that
			// is another's, nothing is this run's.
			if _, ours := s.mine(e); !ours || until != "" && aws.ToString(e.EventId) == until {
				slices.Reverse(mine)
				return mine, newest, nil
			}
			if id := aws.ToString(e.EventId); !seen[id] {
				seen[id] = true
				mine = append(mine, e)
			}
		}
	}
	slices.Reverse(mine)
	return mine, newest, nil
}

// clockSkew is how far the clocks of this machine and of an emulator may differ.
const clockSkew = 2 * time.Second

// mine returns what the operation of an event was for, and whether it was this
// run's. Some emulators give events no token; then the time decides.
func (s *session) mine(e types.StackEvent) (purpose string, ours bool) {
	if token := aws.ToString(e.ClientRequestToken); token != "" {
		return s.purpose(token)
	}
	ours = e.ResourceStatus != "REVIEW_IN_PROGRESS" && !s.cp.Executed.IsZero() &&
		aws.ToTime(e.Timestamp).After(s.cp.Executed.Add(-clockSkew))
	return theGoal, ours
}

// changeSetOf returns the run's change set, or nil.
func (s *session) changeSetOf(ctx context.Context, name string) (*cfn.DescribeChangeSetOutput, error) {
	out, err := s.api.DescribeChangeSet(ctx, &cfn.DescribeChangeSetInput{StackName: &s.name, ChangeSetName: &name})
	if identity.Says(err, "ChangeSetNotFound", "ValidationError") { // the second: no such stack
		return nil, nil
	}
	return out, err
}

func (s *session) deleteChangeSet(ctx context.Context, name string) error {
	_, err := s.api.DeleteChangeSet(ctx, &cfn.DeleteChangeSetInput{StackName: &s.name, ChangeSetName: &name})
	if identity.Says(err, "ChangeSetNotFound", "ValidationError") {
		return nil
	}
	return err
}

func (s *session) deleteStack(ctx context.Context, v view, purpose string) error {
	s.cp.StackID = aws.ToString(v.stack.StackId)
	_, err := s.api.DeleteStack(ctx, &cfn.DeleteStackInput{StackName: v.stack.StackId, ClientRequestToken: aws.String(s.token(purpose))})
	return err
}

// createChangeSet asks for a change set of the rendered template.
func (s *session) createChangeSet(ctx context.Context, name string, kind types.ChangeSetType) (stackID string, err error) {
	body, err := template(s.run)
	if err != nil {
		return "", engine.MarkPermanent(err)
	}
	in := &cfn.CreateChangeSetInput{
		StackName: &s.name, ChangeSetName: &name, ChangeSetType: kind,
		Description:  aws.String("deployment " + s.run.DeploymentID + " of " + s.run.ResourceARN),
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand},
	}
	if in.TemplateBody = &body; len(body) > maxTemplate {
		url, err := s.stage(ctx, name, body)
		if err != nil {
			return "", err
		}
		in.TemplateBody, in.TemplateURL = nil, &url
	}
	for _, t := range s.run.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: &t.Key, Value: &t.Value})
	}
	out, err := s.api.CreateChangeSet(ctx, in)
	if identity.Says(err, "AlreadyExistsException") { // by an earlier try whose answer was lost
		return s.cp.StackID, nil
	}
	if err != nil {
		s.unstage(ctx, name)
		return "", err
	}
	return aws.ToString(out.StackId), nil
}
