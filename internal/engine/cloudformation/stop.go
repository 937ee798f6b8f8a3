package cloudformation

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// stop takes the next step to nothing of the run going on, and reports whether
// that is so.
func (s *session) stop(ctx context.Context, v view) (ended bool, err error) {
	if s.run.Goal == engine.Destroy {
		return s.outlastDeletion(v)
	}
	switch {
	case v.stack == nil:
		return true, nil
	case v.status() == types.StackStatusReviewInProgress:
		return s.stopReview(ctx, v)
	case !v.ours:
		return s.dropChangeSet(ctx)
	case v.status() == types.StackStatusCreateInProgress:
		return false, s.deleteStack(ctx, v, cancelTheGoal)
	case v.status() == types.StackStatusUpdateInProgress && v.purpose == theGoal:
		_, err := s.api.CancelUpdateStack(ctx, &cfn.CancelUpdateStackInput{
			StackName: v.stack.StackId, ClientRequestToken: aws.String(s.token(cancelTheGoal)),
		})
		if identity.Says(err, "ValidationError") { // it has come to its end meanwhile
			err = nil
		}
		return false, err
	case v.changing():
		return false, nil
	case v.status() == types.StackStatusDeleteFailed || v.status() == types.StackStatusUpdateRollbackFailed:
		why, err := s.why(ctx, v)
		if err == nil {
			err = engine.MarkPermanent(fmt.Errorf("%s", s.clean(why)))
		}
		return false, err
	}
	return s.dropChangeSet(ctx)
}

// outlastDeletion waits for the end of a deletion, which nothing can stop.
func (s *session) outlastDeletion(v view) (ended bool, err error) {
	switch {
	case v.stack == nil && s.deleting:
		return false, engine.MarkPermanent(fmt.Errorf("the deletion of stack %s could not be stopped: it is gone", s.name))
	case v.stack != nil && v.status() == types.StackStatusDeleteInProgress:
		s.deleting = true
		return false, nil
	}
	return true, nil
}

// stopReview deletes a stack that this run has planned and not begun to make.
func (s *session) stopReview(ctx context.Context, v view) (ended bool, err error) {
	set, err := s.changeSetOf(ctx, s.changeSet())
	switch {
	case err != nil:
		return false, err
	case set == nil: // another run's
		return true, nil
	case set.ExecutionStatus == types.ExecutionStatusExecuteInProgress:
		return false, nil
	}
	return false, s.deleteStack(ctx, v, cancelTheGoal)
}

// dropChangeSet deletes the run's change set unless it was executed.
func (s *session) dropChangeSet(ctx context.Context) (ended bool, err error) {
	set, err := s.changeSetOf(ctx, s.changeSet())
	if err != nil || set == nil {
		return err == nil, err
	}
	switch set.ExecutionStatus {
	case types.ExecutionStatusExecuteInProgress:
		return false, nil
	case types.ExecutionStatusExecuteComplete, types.ExecutionStatusExecuteFailed:
		return true, nil
	}
	if err := s.deleteChangeSet(ctx, s.changeSet()); err != nil {
		return false, err
	}
	return true, nil
}
