// Package crash kills, freezes and cuts off the built hadron program while
// clients use it, on both databases, and counts what was lost.
//
// HADRON_CRASH is for how long each test goes on; a few seconds without it.
package crash

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

const (
	rootKey    = "AKIACRASHTEST0000001"
	rootSecret = "crash/secret+of/the/root/key000000000001"
	region     = "eu-west-1"
)

var binary string // of hadron

func TestMain(m *testing.M) { os.Exit(withBinary(m.Run)) }

func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "hadron-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "hadron")
	build := exec.Command("go", "build", "-tags", "crashpoints", "-o", binary, "../../cmd/hadron")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build hadron: %v\n%s", err, out)
		return 1
	}
	return run()
}

// lasting is for how long a test goes on.
func lasting(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("HADRON_CRASH")
	if text == "" {
		return short
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("HADRON_CRASH: %v", err)
	}
	return long
}

// node is a hadron process that can be killed and started again.
type node struct {
	t         *testing.T
	address   string
	args, env []string
	log       string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// cluster are the nodes of one installation.
type cluster struct {
	nodes []*node
	key   string // of the database's secrets
}

// newCluster starts nodes: one on SQLite, or some on a PostgreSQL database.
func newCluster(t *testing.T, database string, n int, args ...string) *cluster {
	t.Helper()
	c := &cluster{key: filepath.Join(t.TempDir(), "master.key")}
	if err := os.WriteFile(c.key, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	for range n {
		c.add(t, database, args...)
	}
	return c
}

func (c *cluster) add(t *testing.T, database string, args ...string) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	s := &node{t: t, address: address, log: filepath.Join(dir, "log"),
		args: append([]string{"serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--master-key-file", c.key, "--stop-grace", "0"}, args...),
		env: append(os.Environ(), "HADRON_ROOT_ACCESS_KEY_ID="+rootKey, "HADRON_ROOT_SECRET_ACCESS_KEY="+rootSecret,
			"HADRON_DATABASE="+database, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")}
	c.nodes = append(c.nodes, s)
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			text, _ := os.ReadFile(s.log)
			t.Logf("log of %s:\n%s", s.address, text[max(0, len(text)-4000):])
		}
	})
	return s
}

// launch starts the process, with more in its environment.
func (s *node) launch(more ...string) bool {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Error(err)
		return false
	}
	defer log.Close()
	s.cmd = exec.Command(binary, s.args...)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = append(s.env[:len(s.env):len(s.env)], more...), log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Error(err)
		return false
	}
	return true
}

// start starts the process and waits until it answers.
func (s *node) start() {
	s.t.Helper()
	if !s.launch() {
		return
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + s.address + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
	}
	s.t.Errorf("%s does not get ready", s.address)
}

func (s *node) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

// pid is the process of a node that is running, or was killed by others.
func (s *node) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

func (s *node) kill() {
	s.signal(syscall.SIGKILL)
	s.wait()
}

// wait returns when the process has ended.
func (s *node) wait() {
	s.mu.Lock()
	cmd := s.cmd
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == cmd {
		s.cmd = nil
	}
}

func (s *node) client() *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: "http://" + s.address, Client: httpClient, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, rootKey, rootSecret, "", region, "proton", time.Now())
	}})
}

// httpClient gives up on servers that stand still.
var httpClient = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50, IdleConnTimeout: time.Second}}

// put stores an object in a node's buckets; without a body, it makes a bucket.
func (s *node) put(path string, body []byte) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := auth.Sign(r, body, rootKey, rootSecret, "", region, "s3", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	answer, err := httpClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("PUT %s: %s: %s", path, answer.Status, text)
	}
}

// publish registers and publishes the environment template "net" with commands.
func (s *node) publish(commands ...string) {
	s.t.Helper()
	s.publishFiles(map[string]string{"infrastructure/manifest.yaml": manifest(commands)})
}

func manifest(commands []string) string {
	return fmt.Sprintf("infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        image: any\n        provision: [%[1]s]\n        deprovision: [%[1]s]\n",
		`"`+strings.Join(commands, `", "`)+`"`)
}

// publishFiles registers and publishes the environment template "net".
func (s *node) publishFiles(files map[string]string) {
	s.t.Helper()
	ctx, c, name := s.t.Context(), s.client(), api.Ptr("net")
	files["schema/schema.yaml"] = "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In:\n      type: object\n      properties:\n        size: {type: string, default: s}\n"
	s.put("/templates", nil)
	s.put("/templates/net.tar.gz", pack(s.t, files))
	_, err := c.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: name})
	if err == nil {
		_, err = c.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: name,
			Source: &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: api.Ptr("templates"), Key: api.Ptr("net.tar.gz")}}})
	}
	if err == nil {
		err = api.WaiterEnvironmentTemplateVersionRegistered.Every(20*time.Millisecond).Wait(ctx, c,
			&api.GetEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: api.Ptr("1"), MinorVersion: api.Ptr("0")})
	}
	if err == nil {
		_, err = c.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{
			TemplateName: name, MajorVersion: api.Ptr("1"), MinorVersion: api.Ptr("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		if _, werr := w.Write([]byte(text)); err != nil || werr != nil {
			t.Fatal(err, werr)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func createEnvironment(ctx context.Context, c *api.Client, name string) error {
	_, err := c.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: &name, TemplateName: api.Ptr("net"),
		TemplateMajorVersion: api.Ptr("1"), Spec: api.Ptr("proton: EnvironmentSpec\nspec: {}\n")})
	return err
}

// deployed waits until an environment is deployed.
func deployed(t *testing.T, c *api.Client, name string, within time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out, err := c.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: &name})
		if err != nil {
			continue
		}
		switch *out.Environment.DeploymentStatus {
		case api.DeploymentStatusSucceeded:
			return true
		case api.DeploymentStatusInProgress:
		default:
			t.Errorf("environment %s is %s: %s", name, *out.Environment.DeploymentStatus, api.Value(out.Environment.DeploymentStatusMessage))
			return false
		}
	}
	t.Errorf("environment %s is not deployed within %v", name, within)
	return false
}

// kinds are the installations that tests run on.
func kinds(t *testing.T, test func(t *testing.T, database string, nodes int)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, "", 1) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, postgrestest.URL(t), 3) })
}
