package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
)

// Plans is true: a change set says what it changes before it is executed.
func (d *Driver) Plans() bool { return true }

// plan tells the caller what is about to change. That it can't be found out
// holds nothing up.
func (s *session) plan(ctx context.Context, c engine.Changes, err error) {
	switch {
	case err != nil:
		s.Logger.WarnContext(ctx, "what a run will change is not known", "deployment", s.run.DeploymentID, "engine", engine.CloudFormation, "err", s.clean(err.Error()))
	case s.run.Planned != nil:
		s.run.Planned(s.presentable(c))
	}
}

func (s *session) presentable(c engine.Changes) engine.Changes {
	c.Summary = s.clean(c.Summary)
	for i, text := range c.Details {
		c.Details[i] = s.clean(text)
	}
	return c
}

// Preview describes the change set of an Apply, which it deletes again, or the
// resources that a Destroy would delete. Of a stack that an Apply must repair
// or delete first it says so, without details.
func (d *Driver) Preview(ctx context.Context, r engine.Run) (engine.Changes, error) {
	s, err := d.open(r, "")
	var c engine.Changes
	if err == nil {
		defer s.log.Close()
		if r.Goal == engine.Destroy {
			c, err = s.previewDestroy(ctx)
		} else {
			c, err = s.previewApply(ctx)
		}
	}
	if err := classed(ctx, r, err); err != nil {
		return engine.Changes{}, err
	}
	return s.presentable(c), nil
}

func (s *session) previewDestroy(ctx context.Context) (engine.Changes, error) {
	stack, err := s.describe(ctx, s.name)
	if err != nil {
		return engine.Changes{}, err
	}
	if stack == nil {
		return engine.Changes{Summary: fmt.Sprintf("nothing to delete: there is no stack %s", s.name)}, nil
	}
	var c engine.Changes
	pages := cfn.NewListStackResourcesPaginator(s.api, &cfn.ListStackResourcesInput{StackName: stack.StackId})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return engine.Changes{}, err
		}
		for _, res := range page.StackResourceSummaries {
			if res.ResourceStatus != types.ResourceStatusDeleteComplete {
				c.Details = append(c.Details, fmt.Sprintf("Remove %s (%s)", aws.ToString(res.LogicalResourceId), aws.ToString(res.ResourceType)))
			}
		}
	}
	c.Summary = fmt.Sprintf("delete stack %s with %s", s.name, engine.Count(len(c.Details), "resource"))
	return c, nil
}

func (s *session) previewApply(ctx context.Context) (engine.Changes, error) {
	if _, err := template(s.run); err != nil {
		return engine.Changes{}, engine.MarkPermanent(err)
	}
	stack, err := s.describe(ctx, s.name)
	if err != nil {
		return engine.Changes{}, err
	}
	if stack == nil {
		return s.previewChangeSet(ctx, types.ChangeSetTypeCreate)
	}
	v := view{stack: stack}
	switch {
	case v.changing():
		return engine.Changes{}, engine.MarkTransient(fmt.Errorf("stack %s is in %s: what would change shows once that has ended", s.name, v.status()))
	case v.status() == types.StackStatusReviewInProgress:
		return s.previewChangeSet(ctx, types.ChangeSetTypeCreate)
	case v.status() == types.StackStatusUpdateRollbackFailed:
		return engine.Changes{Summary: fmt.Sprintf("continue the rollback that left stack %s in %s, then update it", s.name, v.status())}, nil
	}
	switch v.status() {
	case types.StackStatusCreateFailed, types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusDeleteFailed:
		return engine.Changes{Summary: fmt.Sprintf("delete stack %s, which was left in %s, and create it anew", s.name, v.status())}, nil
	}
	return s.previewChangeSet(ctx, types.ChangeSetTypeUpdate)
}

// cleanUpTime bounds the removal of a preview's change set after its context
// has ended.
const cleanUpTime = 30 * time.Second

// previewChangeSet makes a change set, describes it and removes it, and with it
// the stack that CloudFormation plans for the first one.
func (s *session) previewChangeSet(ctx context.Context, kind types.ChangeSetType) (c engine.Changes, err error) {
	before, err := s.describe(ctx, s.name)
	if err != nil {
		return engine.Changes{}, err
	}
	name := "hadron-preview-" + s.run.ID
	id, err := s.createChangeSet(ctx, name, kind)
	if err != nil {
		return engine.Changes{}, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		s.unstage(ctx, name)
		if before == nil && id != "" {
			err = errors.Join(err, s.unplan(ctx, id))
			return
		}
		err = errors.Join(err, s.deleteChangeSet(ctx, name))
	}()
	for {
		set, err := s.changeSetOf(ctx, name)
		switch {
		case err != nil:
			return engine.Changes{}, err
		case set == nil:
			return engine.Changes{}, engine.MarkTransient(fmt.Errorf("the change set of the preview of stack %s was deleted by someone else", s.name))
		case set.Status == types.ChangeSetStatusFailed:
			if reason := refusedFor(aws.ToString(set.StatusReason)); reason != "" {
				return engine.Changes{}, engine.MarkPermanent(fmt.Errorf("stack %s: the change set could not be made: %s", s.name, reason))
			}
			return engine.Changes{Summary: fmt.Sprintf("stack %s is as the template says: nothing to change", s.name)}, nil
		case set.Status == types.ChangeSetStatusCreateComplete:
			return s.describeChanges(ctx, set, kind)
		}
		select {
		case <-ctx.Done():
			return engine.Changes{}, context.Cause(ctx)
		case <-time.After(s.again().Wait):
		}
	}
}

// unplan deletes the stack that was planned with a change set, and waits for
// its end.
func (s *session) unplan(ctx context.Context, id string) error {
	if _, err := s.api.DeleteStack(ctx, &cfn.DeleteStackInput{StackName: &id}); err != nil {
		return err
	}
	s.cp.Polls = 0
	for {
		stack, err := s.describe(ctx, id)
		if err != nil || stack == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stack %s, planned for a preview, is still in %s: %w", s.name, stack.StackStatus, ctx.Err())
		case <-time.After(s.again().Wait):
		}
	}
}

func (s *session) describeChanges(ctx context.Context, set *cfn.DescribeChangeSetOutput, kind types.ChangeSetType) (engine.Changes, error) {
	var c engine.Changes
	for {
		for _, change := range set.Changes {
			if change.ResourceChange != nil {
				c.Details = append(c.Details, describeChange(*change.ResourceChange))
			}
		}
		if aws.ToString(set.NextToken) == "" {
			break
		}
		next, err := s.api.DescribeChangeSet(ctx, &cfn.DescribeChangeSetInput{StackName: &s.name, ChangeSetName: set.ChangeSetName, NextToken: set.NextToken})
		if err != nil {
			return engine.Changes{}, err
		}
		set = next
	}
	verb := "update"
	if kind == types.ChangeSetTypeCreate {
		verb = "create"
	}
	c.Summary = fmt.Sprintf("%s stack %s with %s", verb, s.name, engine.Count(len(c.Details), "change"))
	return c, nil
}

// describeChange words one change in CloudFormation's terms.
func describeChange(c types.ResourceChange) string {
	text := fmt.Sprintf("%s %s (%s)", c.Action, aws.ToString(c.LogicalResourceId), aws.ToString(c.ResourceType))
	switch c.Replacement {
	case types.ReplacementTrue:
		text += ", which is replaced"
	case types.ReplacementConditional:
		text += ", which may be replaced"
	}
	return text
}
