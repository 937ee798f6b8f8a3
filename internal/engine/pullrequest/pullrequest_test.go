package pullrequest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/engine/pullrequest"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

const (
	arn        = "arn:aws:proton:us-east-1:123456789012:environment/dev"
	repository = "acme/infra"
	secret     = "hunter22-hunter22"
)

func TestDriverConforms(t *testing.T) {
	t.Parallel()
	enginetest.Conform(t, enginetest.Harness{World: func(t *testing.T) enginetest.World { return newWorld(t) }})
}

// world is a repository on a Hub, and the automation of who owns it: it merges
// a pull request when it is looked at, applies what is on the branch then, and
// reports. What it applies is one value.
type world struct {
	t       *testing.T
	hub     *forgetest.Hub
	git     *gittest.Repository
	clones  *git.Git
	gate    chan struct{}
	once    sync.Once
	mu      sync.Mutex
	plans   map[string]enginetest.Plan // by branch
	reports map[string]engine.Report   // by branch
	told    map[string]bool            // branches about which something was said
	value   string
	exists  bool
	changes int
	waiting int // looks that the automation holds
	calls   int // of the driver, that are going on
	cancels int // that are going on
	timeout time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clones, err := git.New(git.Config{Folder: t.TempDir()})
	if err != nil {
		t.Skip(err)
	}
	w := &world{
		t: t, hub: forgetest.NewHub(t), clones: clones, gate: make(chan struct{}),
		plans: map[string]enginetest.Plan{}, reports: map[string]engine.Report{}, told: map[string]bool{},
	}
	w.git = w.hub.Repository(t, repository)
	w.hub.Page = func(n int) string {
		return fmt.Sprintf("https://hub.example.com/\x1b[2J%s/%d", strings.Repeat("x", 1<<15), n)
	}
	w.hub.Through(w.automation)
	return w
}

func (w *world) Driver() engine.Driver {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &driver{w, &pullrequest.Driver{
		Git: w.clones, Author: "Hadron", Email: "hadron@localhost", Poll: 5 * time.Millisecond, Timeout: w.timeout,
		Access: func(ctx context.Context, _ engine.Run) (pullrequest.Access, error) {
			return access(ctx, w.hub, func(p forge.PullRequests) forge.PullRequests { return counted{p, w} })
		},
	}}
}

// driver keeps the automation from acting while a run is cancelled.
type driver struct {
	*world
	*pullrequest.Driver
}

func (d *driver) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	d.count(&d.cancels, +1)
	defer d.count(&d.cancels, -1)
	return d.Driver.Cancel(ctx, r, checkpoint)
}

func access(ctx context.Context, h *forgetest.Hub, around func(forge.PullRequests) forge.PullRequests) (a pullrequest.Access, err error) {
	forges, server := forge.New(), forge.Server{Kind: forge.GitHub, URL: h.URL, Token: auth.Secret(h.Token)}
	if a.Remote, err = forges.Remote(ctx, server, repository); err != nil {
		return a, err
	}
	a.Pulls, err = forges.PullRequests(ctx, server)
	if around != nil {
		a.Pulls = around(a.Pulls)
	}
	return a, err
}

// counted counts the looks of the driver that are going on.
type counted struct {
	forge.PullRequests
	*world
}

func (c counted) Get(ctx context.Context, repository string, number int64) (*forge.PullRequest, error) {
	c.count(&c.calls, +1)
	defer c.count(&c.calls, -1)
	return c.PullRequests.Get(ctx, repository, number)
}

// Close returns once looks that were held have seen it, as a server cancels
// only what it does not step.
func (c counted) Close(ctx context.Context, repository string, number int64) error {
	err := c.PullRequests.Close(ctx, repository, number)
	for c.Alive() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	return err
}

func (w *world) count(n *int, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n += by
}

func (w *world) Secret() string { return secret }
func (w *world) Release()       { w.once.Do(func() { close(w.gate) }) }

func (w *world) State() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.value, w.exists
}

func (w *world) Changes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes
}

func (w *world) Started() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting > 0
}

func (w *world) Alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls > 0
}

func (w *world) Run(p enginetest.Plan) engine.Run {
	r := newRun(p.Goal, p.Value)
	branch := "proton--proton-environment-" + r.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plans[branch] = p
	if p.Behaviour == enginetest.TimeOut {
		w.timeout = 30 * time.Millisecond
	}
	r.Report = func(context.Context) (engine.Report, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.reports[branch], nil
	}
	return r
}

func newRun(goal engine.Goal, value string) engine.Run {
	id := uuid.NewString()
	text, _ := json.Marshal(map[string]any{"environment": map[string]any{"name": "dev", "inputs": map[string]any{"value": value}}, "//": arn})
	return engine.Run{
		ID: id, DeploymentID: uuid.NewString(), Goal: goal, ResourceARN: arn, CreatedAt: time.Now(), Secrets: []string{secret},
		Repository: &engine.Repository{Provider: "GITHUB", Name: repository, Branch: "main", Account: "123456789012", Folder: "dev", Kind: "environment"},
		Files: []engine.File{
			{Path: "main.tf", Content: []byte("/*\nManaged by Proton: x\n*/\n\n# " + value + "\n")},
			{Path: "proton.auto.tfvars.json", Content: text},
			{Path: ".proton/deployment-metadata.json", Content: fmt.Appendf(nil, `{"deploymentId": %q, "isResourceDeleted": %v,
				"resourceMetadata": {"arn": %q, "templateArn": "arn:t", "templateMajorVersion": "1", "templateMinorVersion": "7"}}`, id, goal == engine.Destroy, arn)},
		},
	}
}

// automation acts when a pull request is looked at.
func (w *world) automation(rw http.ResponseWriter, r *http.Request, next http.Handler) {
	_, number, look := strings.Cut(r.URL.Path, "/pulls/")
	n, _ := strconv.Atoi(number)
	if r.Method != http.MethodGet || !look || !w.act(rw, r, n) {
		next.ServeHTTP(rw, r)
	}
}

// act does what the pull request's plan says, and reports whether it has
// answered the look.
func (w *world) act(rw http.ResponseWriter, r *http.Request, number int) (answered bool) {
	pull := w.hub.Pulls(repository)[number-1]
	w.mu.Lock()
	plan, first, cancelled := w.plans[pull.Head], !w.told[pull.Head], w.cancels > 0
	w.told[pull.Head] = true
	w.mu.Unlock()
	if pull.State != "open" || cancelled {
		return false
	}
	switch plan.Behaviour {
	case enginetest.TimeOut:
		return false
	case enginetest.Fail:
		w.report(pull.Head, engine.Report{Status: "FAILED", Message: "as told"})
		return false
	case enginetest.Hold:
		if !w.hold(r, number) {
			return false
		}
	case enginetest.Hostile, enginetest.Leak:
		if first {
			text, _ := json.Marshal(map[string]string{"message": map[enginetest.Behaviour]string{
				enginetest.Hostile: "\x1b[2J\x00\u202e\r" + strings.Repeat("x", 1<<19), enginetest.Leak: "wrong token " + secret,
			}[plan.Behaviour]})
			rw.WriteHeader(http.StatusInternalServerError)
			_, _ = rw.Write(text)
			return true
		}
	}
	w.merge(number)
	return false
}

// hold waits to be let go; false if the pull request is closed or nobody waits
// for the answer any more.
func (w *world) hold(r *http.Request, number int) bool {
	w.count(&w.waiting, +1)
	defer w.count(&w.waiting, -1)
	for {
		select {
		case <-w.gate:
			return true
		case <-r.Context().Done():
			return false
		case <-time.After(2 * time.Millisecond):
		}
		if w.hub.Pulls(repository)[number-1].State != "open" {
			return false
		}
	}
}

func (w *world) report(branch string, r engine.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports[branch] = r
}

// merge merges, applies what the base says then, and reports it; removals are
// not reported, as the published automation does not.
func (w *world) merge(number int) {
	pull := w.hub.Pulls(repository)[number-1]
	if err := w.hub.Merge(repository, number); err != nil {
		return // someone else was faster
	}
	var meta struct {
		IsResourceDeleted bool `json:"isResourceDeleted"`
	}
	var vars struct {
		Environment struct {
			Inputs struct{ Value string }
		}
	}
	for name, into := range map[string]any{".proton/deployment-metadata.json": &meta, "proton.auto.tfvars.json": &vars} {
		if err := json.Unmarshal([]byte(w.git.Show(w.t, "main", "dev/"+name)), into); err != nil {
			w.t.Errorf("%s after the merge: %v", name, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	if meta.IsResourceDeleted {
		w.value, w.exists = "", false
		return
	}
	w.value, w.exists = vars.Environment.Inputs.Value, true
	w.reports[pull.Head] = engine.Report{Status: "SUCCEEDED", HasOutputs: true, Outputs: []engine.Output{{Key: "Value", Value: w.value}}}
}
