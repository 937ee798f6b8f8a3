package cloudformation_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/cloudformation"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/identity"
)

var testCredentials = credentials.NewStaticCredentialsProvider("AKIAFAKE", "secret", "")

const arn = "arn:aws:proton:us-east-1:123456789012:environment/dev"

func newDriver(s *cfntest.Server, change func(*cloudformation.Config)) *cloudformation.Driver {
	c := cloudformation.Config{
		Endpoint: s.URL, Identity: identity.New(identity.Config{STSEndpoint: s.URL, Own: testCredentials}),
		PollMin: time.Millisecond, PollMax: 5 * time.Millisecond, S3Endpoint: s.URL,
	}
	if change != nil {
		change(&c)
	}
	return cloudformation.New(c)
}

// template renders one with the resources given, and the output Value.
func template(value string, resources map[string]cfntest.Properties) string {
	t := cfntest.Template{Resources: map[string]cfntest.Resource{}, Outputs: map[string]cfntest.Output{"Value": {Value: value}}}
	for id, p := range resources {
		t.Resources[id] = cfntest.Resource{Type: "Test::Some::" + id, Properties: p}
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func newRun(goal engine.Goal, templateText string) (engine.Run, *journal) {
	j := &journal{}
	return engine.Run{
		ID: uuid.NewString(), DeploymentID: "deployment", Goal: goal, ResourceARN: arn, StackName: "AWSProton-dev-cloudformation",
		AccountID: "123456789012", Region: "us-east-1", Log: j,
		Files: []engine.File{{Path: "cloudformation.yaml", Content: []byte(templateText)}},
	}, j
}

func TestDriverConforms(t *testing.T) {
	t.Parallel()
	enginetest.Conform(t, enginetest.Harness{World: func(t *testing.T) enginetest.World {
		return &world{Server: cfntest.New(t)}
	}})
}

type world struct {
	*cfntest.Server
	detached atomic.Bool
}

// server is a driver in a server that may go down: its runs then go on at AWS,
// on purpose, and are nothing of the server's that is alive.
type server struct {
	*cloudformation.Driver
	w *world
}

func (s server) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	st, err := s.Driver.Step(ctx, r, checkpoint)
	if ctx.Err() != nil {
		s.w.detached.Store(true)
	}
	return st, err
}

func (w *world) Driver() engine.Driver {
	return server{newDriver(w.Server, func(c *cloudformation.Config) { c.Timeout = 2 * time.Second }), w}
}

func (w *world) Run(p enginetest.Plan) engine.Run {
	props := cfntest.Properties{Value: p.Value}
	switch p.Behaviour {
	case enginetest.Fail:
		props.Fail = "as told"
	case enginetest.Hold, enginetest.TimeOut:
		props.Hold = true
	case enginetest.Hostile:
		props.Say = "\u0085\u202e\u2028\r\n" + strings.Repeat("x", 40<<10) + "\u009b"
	case enginetest.Leak:
		props.Say = "token=" + w.Secret()
	}
	r, _ := newRun(p.Goal, template(p.Value, map[string]cfntest.Properties{"Thing": props}))
	r.Secrets = []string{w.Secret()}
	return r
}

func (w *world) State() (string, bool) {
	r, _ := newRun(engine.Apply, "")
	name, err := cloudformation.StackName(r)
	if err != nil {
		panic(err)
	}
	st, ok := w.Stack(name)
	return st.Values["Thing"], ok
}

func (w *world) Started() bool  { return w.Holding() }
func (w *world) Alive() bool    { return w.Busy() && !w.detached.Load() }
func (w *world) Secret() string { return "hunter22-hunter22" }

type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
