package cloudformation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
)

// apply takes the next step to a stack that is as the template says.
func (s *session) apply(ctx context.Context, v view) (engine.Status, error) {
	switch {
	case v.stack == nil && !s.cp.Executed.IsZero():
		return failed(fmt.Sprintf("stack %s was deleted while it was being deployed", s.name)), nil
	case v.stack == nil:
		return s.change(ctx, v, types.ChangeSetTypeCreate)
	case v.changing():
		return s.wait(v), nil
	case v.status() == types.StackStatusReviewInProgress:
		return s.review(ctx, v)
	case v.ours && v.purpose == theGoal:
		return s.result(ctx, v)
	case v.ours && v.purpose == cancelTheGoal:
		return failed(fmt.Sprintf("stack %s: the deployment was cancelled", s.name)), nil
	case v.ours && v.purpose == clearRest:
		return s.failure(ctx, v)
	case v.ours && v.purpose == continueBack && v.status() == types.StackStatusUpdateRollbackFailed:
		return s.failure(ctx, v)
	case !s.cp.Executed.IsZero():
		return s.executed(ctx, v)
	}
	switch v.status() {
	case types.StackStatusCreateFailed, types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusDeleteFailed:
		return s.clear(ctx, v)
	case types.StackStatusUpdateRollbackFailed:
		return s.continueRollback(ctx, v)
	}
	return s.change(ctx, v, types.ChangeSetTypeUpdate)
}

// wait follows an operation, whoever began it.
func (s *session) wait(v view) engine.Status {
	if status := string(v.status()); !v.ours && s.cp.Executed.IsZero() && s.cp.Waiting != status {
		s.cp.Waiting = status
		s.log.Note(fmt.Sprintf("[hadron] waiting for stack %s, which is in %s", s.name, status))
	}
	return s.again()
}

// review deals with a stack that has never been more than planned: by this run,
// or by one that went no further, whose rest is removed.
func (s *session) review(ctx context.Context, v view) (engine.Status, error) {
	set, err := s.changeSetOf(ctx, s.changeSet())
	switch {
	case err != nil:
		return engine.Status{}, err
	case set != nil:
		return s.act(ctx, v, set)
	case !s.cp.Executed.IsZero():
		return s.again(), nil // executed, but not seen yet
	}
	return s.clear(ctx, v)
}

// clear deletes what can't be updated; the stack is made anew after that.
func (s *session) clear(ctx context.Context, v view) (engine.Status, error) {
	if err := s.deleteStack(ctx, v, clearRest); err != nil {
		return engine.Status{}, err
	}
	s.log.Note(fmt.Sprintf("[hadron] removing stack %s, which was left in %s", s.name, v.status()))
	return s.soon(), nil
}

func (s *session) continueRollback(ctx context.Context, v view) (engine.Status, error) {
	_, err := s.api.ContinueUpdateRollback(ctx, &cfn.ContinueUpdateRollbackInput{
		StackName: v.stack.StackId, ClientRequestToken: aws.String(s.token(continueBack)),
	})
	if err != nil {
		return engine.Status{}, err
	}
	s.log.Note(fmt.Sprintf("[hadron] continuing the rollback that left stack %s in %s", s.name, v.status()))
	return s.soon(), nil
}

// change makes the change set, or acts on the one there is.
func (s *session) change(ctx context.Context, v view, kind types.ChangeSetType) (engine.Status, error) {
	set, err := s.changeSetOf(ctx, s.changeSet())
	if err != nil {
		return engine.Status{}, err
	}
	if set != nil {
		return s.act(ctx, v, set)
	}
	id, err := s.createChangeSet(ctx, s.changeSet(), kind)
	if err != nil {
		return engine.Status{}, err
	}
	s.cp.StackID, s.cp.LastEvent = id, ""
	s.Logger.DebugContext(ctx, "change set created", "deployment", s.run.DeploymentID, "engine", engine.CloudFormation, "stack", s.name)
	return s.soon(), nil
}

// act does what the state of the run's change set asks for.
func (s *session) act(ctx context.Context, v view, set *cfn.DescribeChangeSetOutput) (engine.Status, error) {
	if planned(set) {
		s.unstage(ctx, s.changeSet())
	}
	switch {
	case set.Status == types.ChangeSetStatusFailed:
		s.cp.Refused = &refusal{refusedFor(aws.ToString(set.StatusReason))}
		s.cp.StackID = aws.ToString(set.StackId)
		return s.soon(), nil
	case set.ExecutionStatus == types.ExecutionStatusObsolete: // the stack was changed since
		return s.soon(), s.deleteChangeSet(ctx, s.changeSet())
	case set.ExecutionStatus == types.ExecutionStatusAvailable:
		kind := types.ChangeSetTypeUpdate
		if v.stack == nil || v.status() == types.StackStatusReviewInProgress {
			kind = types.ChangeSetTypeCreate
		}
		changes, err := s.describeChanges(ctx, set, kind)
		s.plan(ctx, changes, err)
		return s.execute(ctx, set)
	case (set.ExecutionStatus == types.ExecutionStatusExecuteComplete || set.ExecutionStatus == types.ExecutionStatusExecuteFailed) &&
		v.stack != nil && v.status() != types.StackStatusReviewInProgress:
		return s.result(ctx, v)
	}
	return s.again(), nil
}

// planned reports whether a change set has come out, well or not: what it was
// made of is needed no more.
func planned(set *cfn.DescribeChangeSetOutput) bool {
	return set.Status == types.ChangeSetStatusFailed || set.ExecutionStatus == types.ExecutionStatusAvailable
}

func (s *session) execute(ctx context.Context, set *cfn.DescribeChangeSetOutput) (engine.Status, error) {
	began := time.Now().UTC()
	_, err := s.api.ExecuteChangeSet(ctx, &cfn.ExecuteChangeSetInput{
		StackName: set.StackId, ChangeSetName: set.ChangeSetName, ClientRequestToken: aws.String(s.token(theGoal)),
	})
	if err != nil {
		return engine.Status{}, err
	}
	s.cp.StackID, s.cp.Executed = aws.ToString(set.StackId), began
	s.Logger.DebugContext(ctx, "change set executed", "deployment", s.run.DeploymentID, "engine", engine.CloudFormation, "stack", s.name)
	return s.soon(), nil
}

// executed judges a stack whose newest events don't name this run although its
// change set was executed: they are not there yet, or never will be.
func (s *session) executed(ctx context.Context, v view) (engine.Status, error) {
	set, err := s.changeSetOf(ctx, s.changeSet())
	if err != nil {
		return engine.Status{}, err
	}
	if set != nil && (set.ExecutionStatus == types.ExecutionStatusAvailable || set.ExecutionStatus == types.ExecutionStatusExecuteInProgress) {
		return s.again(), nil
	}
	return s.result(ctx, v)
}

// refusedFor returns a change set's reason to fail, empty if there is nothing
// to change. CloudFormation tells that by nothing but these two sentences.
func refusedFor(reason string) string {
	for _, nothing := range []string{"The submitted information didn't contain changes", "No updates are to be performed"} {
		if strings.HasPrefix(reason, nothing) {
			return ""
		}
	}
	if reason == "" {
		reason = "CloudFormation gives no reason"
	}
	return reason
}

// tidy removes a change set that can't be executed, and the stack that was only
// planned with it, and ends the run.
func (s *session) tidy(ctx context.Context, v view) (engine.Status, error) {
	var err error
	if v.stack != nil && v.status() == types.StackStatusReviewInProgress && aws.ToString(v.stack.StackId) == s.cp.StackID {
		err = s.deleteStack(ctx, v, clearRest)
	} else {
		err = s.deleteChangeSet(ctx, s.changeSet())
	}
	switch {
	case err != nil:
		return engine.Status{}, err
	case s.cp.Refused.Reason != "":
		return failed(fmt.Sprintf("stack %s: the change set could not be made: %s", s.name, s.cp.Refused.Reason)), nil
	case v.stack == nil:
		return failed(fmt.Sprintf("stack %s was deleted while it was being deployed", s.name)), nil
	}
	s.log.Note(fmt.Sprintf("[hadron] stack %s is as the template says: nothing to change", s.name))
	return s.success(v), nil
}

func (s *session) result(ctx context.Context, v view) (engine.Status, error) {
	switch v.status() {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete:
		return s.success(v), nil
	}
	return s.failure(ctx, v)
}

func (s *session) success(v view) engine.Status {
	st := engine.Status{Done: true, Checkpoint: finished}
	for _, o := range v.stack.Outputs {
		st.Outputs = append(st.Outputs, engine.Output{Key: aws.ToString(o.OutputKey), Value: aws.ToString(o.OutputValue)})
	}
	id := aws.ToString(v.stack.StackId)
	if len(id) > maxResource {
		id = s.name
	}
	st.Resources = []engine.Resource{{Name: s.name, Identifier: id}}
	return st
}
