package engines

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
)

// wire is a network between a server and what it talks to, which can be cut.
type wire struct {
	URL string

	t       *testing.T
	address string
	to      string
	mu      sync.Mutex
	in      net.Listener // nil: cut
	open    map[net.Conn]bool
}

func newWire(t *testing.T, url string) *wire {
	t.Helper()
	w := &wire{t: t, address: "127.0.0.1:0", to: strings.TrimPrefix(url, "http://"), open: map[net.Conn]bool{}}
	w.mend()
	w.address = w.in.Addr().String()
	w.URL = "http://" + w.address
	t.Cleanup(w.cut)
	return w
}

func (w *wire) mend() {
	w.t.Helper()
	in := must(net.Listen("tcp", w.address))(w.t)
	w.mu.Lock()
	w.in = in
	w.mu.Unlock()
	go func() {
		for {
			near, err := in.Accept()
			if err != nil {
				return
			}
			go w.carry(near)
		}
	}()
}

func (w *wire) carry(near net.Conn) {
	far, err := net.Dial("tcp", w.to)
	if err != nil || !w.keep(near, far) {
		near.Close()
		return
	}
	go func() { _, _ = io.Copy(far, near); far.Close() }()
	_, _ = io.Copy(near, far)
	near.Close()
}

// keep remembers the ends of a connection, unless the wire is cut already.
func (w *wire) keep(ends ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range ends {
		w.open[c] = true
	}
	return w.in != nil
}

// cut ends all connections and takes no more.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.in != nil {
		w.in.Close()
		w.in = nil
	}
	for c := range w.open {
		c.Close()
	}
	clear(w.open)
}

// updating is an environment on a CloudFormation behind a wire, whose stack is
// being updated and held.
func updating(t *testing.T, env ...string) (*server, *cfntest.Server, *wire) {
	t.Helper()
	aws := cfntest.New(t)
	w := newWire(t, aws.URL)
	s := serve(t, append(cloudFormation(w.URL), env...)...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", stackEnvironment(strings.Replace(scriptedNet, `{"Value": "{{`, `{"Hold": true, "Value": "{{`, 1)))
	s.updateEnvironment("one", "{size: large}")
	s.eventually("the stack is being updated", aws.Holding)
	return s, aws, w
}

func (s *server) details(environment string) *api.DeploymentDetails {
	s.t.Helper()
	return must(s.GetDeploymentDetails(s.t.Context(), &api.GetDeploymentDetailsInput{DeploymentId: s.environment(environment).LastAttemptedDeploymentId}))(s.t).Details
}

func (s *server) retry(environment string) {
	s.t.Helper()
	must(s.RetryDeployment(s.t.Context(), &api.RetryDeploymentInput{DeploymentId: s.environment(environment).LastAttemptedDeploymentId}))(s.t)
}

func TestNetworkThatComesBackDuringAStackUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	s, aws, w := updating(t)
	w.cut()
	aws.Release()
	s.eventually("the deployment is to be tried again", func() bool {
		for _, m := range s.details("one").Timeline {
			if *m.Kind == "RETRYING" && strings.Contains(api.Value(m.Message), "connection refused") {
				return true
			}
		}
		return false
	})
	w.mend()
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
	if n := len(aws.Calls("ExecuteChangeSet")); n != 2 {
		t.Errorf("%d change sets were executed for two deployments", n)
	}
}

func TestNetworkThatDoesNotComeBackFailsTheDeploymentUntilItDoes(t *testing.T) {
	t.Parallel()
	s, aws, w := updating(t, "HADRON_STEP_ATTEMPTS=1")
	w.cut()
	message := s.environmentEnds("one", api.DeploymentStatusFailed)
	if !strings.Contains(message, "cloudformation:Describe") || !strings.Contains(message, "connection refused") {
		t.Errorf("message: %s", message)
	}
	d := s.details("one")
	if !strings.HasPrefix(api.Value(d.StatusReason), "The engine could not be brought to work: ") || !strings.Contains(api.Value(d.NextSteps[1].Command), "hadron deployment retry") {
		t.Errorf("reason: %s; next: %+v", api.Value(d.StatusReason), d.NextSteps)
	}
	if got := s.outputs("one")["Net"]; got != "net-small" {
		t.Errorf("outputs after the failure: %v", s.outputs("one"))
	}
	w.mend()
	s.retry("one")
	s.eventually("the retry waits for what goes on", func() bool {
		return strings.Contains(s.environmentLog("one"), "which is in UPDATE_IN_PROGRESS")
	})
	aws.Release()
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
}

func TestCredentialsThatExpireDuringAStackUpdateFailTheDeploymentUntilTheyAreRenewed(t *testing.T) {
	t.Parallel()
	s, aws, _ := updating(t)
	aws.Fault("DescribeStacks", "ExpiredToken", http.StatusForbidden, 1)
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.HasPrefix(message, "cloudformation:DescribeStacks as the server's own AWS identity: ExpiredToken") {
		t.Errorf("message: %s", message)
	}
	aws.Release()
	s.retry("one")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("outputs: %v", s.outputs("one"))
	}
}
