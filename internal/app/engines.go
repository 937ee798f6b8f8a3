package app

import (
	"context"
	"crypto/hmac"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsread"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/cloudformation"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/opentofu"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/identity"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/tofustate"
)

// silence is after how long commands are stopped whose server stands still:
// before another server can take their run over, whose lease lasts for 10 s
// from a heartbeat of at most 3 s ago.
func (s *Server) silence() time.Duration {
	if s.store.Shared() {
		return 5 * time.Second
	}
	return 0
}

// engines are the tools that this server provisions with.
func (s *Server) engines(c Config, k *keys) (engine.Set, error) {
	data, hide, err := s.hidden(c)
	if err != nil {
		return nil, err
	}
	who := s.aws.Identity
	container, err := containers(c)
	if err != nil {
		return nil, err
	}
	commands, err := command.New(command.Driver{
		Container: container,
		Root:      filepath.Join(data, workFolder), Hide: hide, Keep: []string{QuickstartFolder(data)}, Bounds: c.runLimits(), Key: k.runCredentials, Silence: s.silence(),
		Credentials: func(ctx context.Context, r engine.Run) (map[string]string, error) {
			if !c.CommandAssumeRole {
				r.RoleARN = ""
			}
			return who.Variables(ctx, r.Region, r.RoleARN)
		},
		Secret: func(ctx context.Context, r engine.Run, source command.SecretSource, reference string) (string, error) {
			as := awsread.Who{Region: r.Region}
			if c.CommandAssumeRole {
				as.Role = r.RoleARN
			}
			if source == command.SecretsManager {
				return s.aws.Secret(ctx, as, reference)
			}
			return s.aws.Parameter(ctx, as, reference)
		},
		Environment: func(context.Context, engine.Run) (map[string]string, error) {
			return map[string]string{"AWS_ENDPOINT_URL_PROTON": s.commandURL()}, nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("command engine: %w", err)
	}
	tofu, err := opentofu.New(opentofu.Driver{
		Root: filepath.Join(data, "opentofu"), Hide: hide, Bounds: c.runLimits(), Binary: c.Tofu, URL: s.local + tofustate.Prefix, States: s.states, Key: k.runCredentials, Silence: s.silence(),
		Credentials: func(ctx context.Context, r engine.Run) (map[string]string, error) {
			return who.Variables(ctx, r.Region, r.RoleARN)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("OpenTofu engine: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.closeEngines = func() {
		stop()
		tofu.Close()
	}
	s.wait.Go(func() { s.sweep(ctx, commands, tofu) })
	s.wait.Go(func() { tofu.Ready(ctx) })
	set := engine.Set{
		engine.Command: commands, engine.OpenTofu: tofu,
		engine.CloudFormation: s.cloudFormation(c),
	}
	if pulls := s.pullRequests(c, k); pulls != nil {
		set[engine.PullRequest] = pulls
	}
	return set, nil
}

// containers are what commands run in; nil: in none.
func containers(c Config) (*command.Container, error) {
	if c.ContainerRuntime == "" {
		return nil, nil
	}
	path, err := exec.LookPath(c.ContainerRuntime)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("container-runtime: %w", err)
	}
	return &command.Container{Runtime: path, Image: c.ContainerImage, Options: strings.Fields(c.ContainerOptions)}, nil
}

func (s *Server) cloudFormation(c Config) *cloudformation.Driver {
	storage := c.S3Endpoint
	if c.CloudformationEndpoint == "" {
		storage = "" // AWS's CloudFormation reads AWS's buckets
	}
	return cloudformation.New(cloudformation.Config{
		Endpoint: c.CloudformationEndpoint, Identity: s.aws.Identity, Bucket: c.CloudformationBucket, S3Endpoint: storage, Logger: s.log,
	})
}

// newReader reads at AWS what templates refer to.
func newReader(c Config, k *keys) *awsread.Reader {
	return &awsread.Reader{
		Identity:   identity.New(identity.Config{STSEndpoint: c.StsEndpoint, Ours: k.ours}),
		S3Endpoint: c.S3Endpoint, SecretsEndpoint: c.SecretsmanagerEndpoint, SSMEndpoint: c.SsmEndpoint,
	}
}

// QuickstartFolder is where the quickstart's deployments put what they make: a
// place that commands may use, of what is in the data folder.
func QuickstartFolder(data string) string { return filepath.Join(data, "quickstart") }

// hidden are the paths that what templates run must not see, none if it is not
// to be kept from anything, and the data folder's path without links.
func (s *Server) hidden(c Config) (data string, hide []string, err error) {
	if data, err = filepath.Abs(c.Data); err == nil {
		data, err = filepath.EvalSymlinks(data)
	}
	if err != nil || c.Sandbox == "off" {
		return data, nil, err
	}
	if why := sandbox.Available(); why != nil {
		if c.Sandbox == "require" {
			return data, nil, fmt.Errorf("sandbox: what templates run cannot be kept from the server's files on this machine: %w", why)
		}
		if c.runLimits() != (sandbox.Limits{}) {
			return data, nil, fmt.Errorf("run-memory-limit, run-file-limit: hold in the sandbox only, which this machine does not allow: %w", why)
		}
		s.log.Warn("what templates run is not kept from the server's files: this machine allows no sandbox; see docs/security.md", "err", why)
		return data, nil, nil
	}
	hide = []string{data}
	if file, ok := strings.CutPrefix(c.database(), "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			path, err := filepath.Abs(file + suffix)
			if err == nil {
				path, err = filepath.EvalSymlinks(path)
			}
			if err == nil && !strings.HasPrefix(path, data+string(filepath.Separator)) {
				hide = append(hide, path)
			}
		}
	}
	return data, hide, nil
}

// keepFolders is how long the folder of a run is kept whose end was recorded
// but not followed by its removal; above any run's time.
const keepFolders = 7 * 24 * time.Hour

// sweep removes what earlier processes have left of runs.
func (s *Server) sweep(ctx context.Context, drivers ...interface {
	Sweep(context.Context, time.Duration) error
}) {
	for _, d := range drivers {
		if err := d.Sweep(ctx, keepFolders); err != nil && ctx.Err() == nil {
			s.log.Warn("remove old work folders", "err", err)
		}
	}
}

// newStates keeps the states of OpenTofu and Terraform.
func newStates(st *store.Store, k *keys, log *slog.Logger) (*tofustate.States, error) {
	return tofustate.New(tofustate.Config{Store: st, Sealer: k.sealer, Authorizer: stateKeys{k}, Ended: k.ended, Logger: log})
}

// stateKeys says which access keys may use a state: that of a running
// deployment the state of its target; others what their policy says about the
// action proton:UseState on the resource, in their account.
type stateKeys struct{ keys *keys }

func (s stateKeys) Authorize(ctx context.Context, user, password, state string) error {
	key, ok, err := s.keys.Key(ctx, user, "")
	if err != nil {
		return err
	}
	if !ok || !hmac.Equal([]byte(key.Secret), []byte(password)) {
		return tofustate.ErrDenied
	}
	account, rest, _ := strings.Cut(state, "/")
	region, resource, _ := strings.Cut(rest, "/")
	arn := "arn:aws:proton:" + region + ":" + account + ":" + resource
	p := auth.Principal{AccessKeyID: user, AccountID: key.AccountID, ARN: key.ARN, Policy: key.Policy}
	if account != key.AccountID || !p.May("proton:UseState", arn) {
		return tofustate.ErrDenied
	}
	return nil
}

// ended reports whether an access key was that of a deployment that has ended.
func (k *keys) ended(ctx context.Context, user string) (bool, error) {
	deployment, ok := runOfKey(user)
	if !ok {
		return false, nil
	}
	var d proton.Deployment
	err := k.store.View(ctx, func(tx *store.Tx) (err error) {
		d, ok, err = tx.DeploymentByID(ctx, deployment)
		return err
	})
	return err == nil && (!ok || !d.Status.Running()), err
}
