package cloudformation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/cloudformation"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/identity"
)

// Moto is a second opinion on the protocol: it has no states in progress, gives
// events no tokens, and shows no outputs of what a change set made.
func TestLifeOfAStackOnMoto(t *testing.T) {
	t.Parallel()
	url := enginetest.Moto(t)
	d := newMotoDriver(url)
	finish := func(r engine.Run) engine.Status {
		t.Helper()
		st := engine.Status{}
		for range 100 {
			var err error
			if st, err = d.Step(t.Context(), r, st.Checkpoint); err != nil {
				t.Fatal(err)
			}
			if st.Done {
				return st
			}
			time.Sleep(st.Wait)
		}
		t.Fatal("not done after 100 steps")
		return st
	}
	const text = `
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: hadron-bucket}
Outputs:
  Value: {Value: !Ref Bucket}
`
	withTopic := strings.Replace(text, "Outputs:", "  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: hadron}}\nOutputs:", 1)
	newMotoRun := func(goal engine.Goal, text string) (engine.Run, *journal) {
		r, log := newRun(goal, text)
		r.RoleARN = "arn:aws:iam::123456789012:role/deploy"
		r.Tags = []engine.Tag{{Key: "proton:environment", Value: arn}}
		return r, log
	}

	r, _ := newMotoRun(engine.Apply, text)
	c, err := d.Preview(t.Context(), r)
	if err != nil || !strings.HasPrefix(c.Summary, "create stack") {
		t.Errorf("preview: %+v, %v", c, err)
	}
	first, log := newMotoRun(engine.Apply, text)
	st := finish(first)
	if st.Failure != "" || len(st.Resources) != 1 {
		t.Fatalf("creation: %+v\n%s", st, log)
	}
	if !strings.Contains(log.String(), "CREATE_COMPLETE") {
		t.Errorf("no events in the log:\n%s", log)
	}
	again, log := newMotoRun(engine.Apply, text)
	if st := finish(again); st.Failure != "" || !strings.Contains(log.String(), "nothing to change") {
		t.Errorf("the same again: %+v\n%s", st, log)
	}
	update, log := newMotoRun(engine.Apply, withTopic)
	if st := finish(update); st.Failure != "" || !strings.Contains(log.String(), "UPDATE_COMPLETE") {
		t.Errorf("update: %+v\n%s", st, log)
	}
	tooLarge, log := newMotoRun(engine.Apply, strings.Replace(withTopic, "Outputs:", "  Queue: {Type: AWS::SQS::Queue}\n# "+strings.Repeat("x", 60_000)+"\nOutputs:", 1))
	if st := finish(tooLarge); st.Failure != "" || !strings.Contains(log.String(), "UPDATE_COMPLETE") {
		t.Errorf("update by a template in a bucket: %+v\n%s", st, log)
	}
	destroy, _ := newMotoRun(engine.Destroy, "")
	c, err = d.Preview(t.Context(), destroy)
	if diff := cmp.Diff([]string{"Remove Bucket (AWS::S3::Bucket)", "Remove Topic (AWS::SNS::Topic)", "Remove Queue (AWS::SQS::Queue)"}, c.Details); diff != "" || err != nil {
		t.Errorf("what was made: %v (-want +got):\n%s", err, diff)
	}
	for range 2 {
		r, _ := newMotoRun(engine.Destroy, "")
		if st := finish(r); st.Failure != "" {
			t.Errorf("deletion: %s", st.Failure)
		}
	}
	last, _ := newMotoRun(engine.Apply, text)
	if st := finish(last); st.Failure != "" {
		t.Errorf("creation after the deletion: %s", st.Failure)
	}
}

func newMotoDriver(url string) *cloudformation.Driver {
	c := cloudformation.Config{Endpoint: url, PollMin: 5 * time.Millisecond, PollMax: 50 * time.Millisecond}
	c.S3Endpoint = strings.Replace(url, "127.0.0.1", "localhost", 1) // the only form of such URLs that moto finds a bucket in
	c.Identity = identity.New(identity.Config{STSEndpoint: url, Own: testCredentials})
	return cloudformation.New(c)
}
