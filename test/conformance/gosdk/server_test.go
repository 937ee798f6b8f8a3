// Package gosdk drives the built hadron program with the unmodified AWS SDK
// for Go, version 1. It is a module of its own, so that the SDK is no part of
// the product.
package gosdk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/proton"
	"github.com/aws/aws-sdk-go/service/s3"
)

const (
	rootKey    = "AKIACONFORMANCE00001"
	rootSecret = "conformance/secret+of/the/root/key0000001"
	account    = "123456789012"
)

// TestMain builds the product and gives every test the same server; tests that
// need another one start it. Under the name of a stand-in this program is that
// stand-in.
func TestMain(m *testing.M) {
	if run, ok := standIns[filepath.Base(os.Args[0])]; ok {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(withProduct(m.Run))
}

// root is the repository's.
var root = filepath.Join("..", "..", "..")

var update = flag.Bool("update", false, "write anew what the SDK proves")

var (
	binary   string // of hadron
	proxy    string // the program that checks its answers
	records  string // folder of what proxies saw
	toolsDir string // first in the server's PATH: stand-ins
	shared   *server
)

func withProduct(run func() int) int {
	dir, err := os.MkdirTemp("", "hadron-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, proxy, toolsDir = filepath.Join(dir, "hadron"), filepath.Join(dir, "proxy"), filepath.Join(dir, "tools")
	build := exec.Command("go", "build", "-o", dir, "./cmd/hadron", "./test/conformance/proxy")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build hadron: %v\n%s", err, out)
		return 1
	}
	records = filepath.Join(dir, "records")
	if err := os.Mkdir(records, 0o700); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := writeTools(toolsDir, "hadron-notify"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s := &server{data: filepath.Join(dir, "data")}
	if err := s.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = s
	code := run()
	if err := errors.Join(s.stop(), s.stopProxy()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := proven(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// proven holds what the SDK did in a whole run against what it is said to prove.
func proven() error {
	files, err := filepath.Glob(filepath.Join(records, "*"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("the proxies left no records: %w", err)
	}
	verb := "check"
	if *update {
		verb = "update"
	}
	if flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" || testing.Short() {
		verb = map[string]string{"check": "problems", "update": "add"}[verb] // it was not all
	}
	out, err := exec.Command(proxy, append([]string{verb, root, "go-v1.txt"}, files...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// writeTools makes a folder of programs that are this one under other names.
func writeTools(dir string, names ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// server is a hadron process and what it is started with.
type server struct {
	data    string
	tools   string   // first folder in its PATH; empty: toolsDir
	env     []string // more settings
	address string   // kept over restarts
	broken  bool     // the test will break it
	front   string   // of the proxy that clients call
	proxy   *exec.Cmd

	cmd  *exec.Cmd
	out  *output
	done chan error
}

// own starts a server for one test alone.
func own(t *testing.T, env ...string) *server {
	t.Helper()
	s := &server{data: t.TempDir(), env: env}
	s.up(t)
	return s
}

// up starts the server and ends it with the test.
func (s *server) up(t *testing.T) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}
		if err := s.stopProxy(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("what the server wrote:\n%s", s.out.tail())
		}
	})
}

// start returns when the server is ready. A port that another program took
// meanwhile is given up for another one.
func (s *server) start() error {
	if s.address != "" {
		return s.startAt(s.address)
	}
	var err error
	for range 5 {
		address := freeAddress()
		if err := s.startProxy(address); err != nil {
			return err
		}
		if err = s.startAt(address); err == nil {
			s.address = address
			return nil
		}
		if err := s.stopProxy(); err != nil {
			return err
		}
	}
	return err
}

// startProxy starts what clients call, and stands before the server at address.
func (s *server) startProxy(address string) error {
	s.proxy = exec.Command(proxy, "serve", root, filepath.Join(records, strings.TrimPrefix(address, "127.0.0.1:")), address)
	s.proxy.Stderr = os.Stderr
	if s.broken {
		s.proxy.Env = append(os.Environ(), "PROXY_SERVER_IS_BROKEN=1")
	}
	out, err := s.proxy.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.proxy.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the proxy did not start: %w", err)
	}
	go io.Copy(io.Discard, out)
	s.front = strings.TrimSpace(line)
	return nil
}

// stopProxy ends the proxy, which writes down what it saw.
func (s *server) stopProxy() error {
	if s.proxy == nil {
		return nil
	}
	p := s.proxy
	s.proxy = nil
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait()
}

// freeAddress picks a port below those that systems give to outgoing
// connections, so that none takes it between now and the start.
func freeAddress() string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

func (s *server) startAt(address string) error {
	tools := s.tools
	if tools == "" {
		tools = toolsDir
	}
	if s.out == nil {
		s.out = &output{}
	}
	s.cmd = exec.Command(binary, "serve", "--listen", address, "--data", s.data)
	s.cmd.Env = append([]string{
		"PATH=" + tools + ":" + os.Getenv("PATH"), "HOME=" + s.data,
		"HADRON_ROOT_ACCESS_KEY_ID=" + rootKey, "HADRON_ROOT_SECRET_ACCESS_KEY=" + rootSecret, "HADRON_ACCOUNT_ID=" + account,
		"HADRON_PUBLIC_URL=http://" + s.front,
	}, s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	for range 500 {
		select {
		case err := <-s.done:
			s.cmd = nil
			return fmt.Errorf("hadron serve ended: %v\n%s", err, s.out.tail())
		case <-time.After(20 * time.Millisecond):
		}
		res, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	s.kill()
	return fmt.Errorf("hadron serve was not ready in time:\n%s", s.out.tail())
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// stop asks the server to end and reports if it did not do so in order.
func (s *server) stop() error {
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.done:
		if err != nil {
			return fmt.Errorf("hadron serve ended with %w\n%s", err, s.out.tail())
		}
		return nil
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		return errors.New("hadron serve did not end within 30 seconds of SIGTERM\n" + s.out.tail())
	}
}

func (s *server) url() string { return "http://" + s.front }

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(o.text.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// client is the stock SDK in a Region of its own: what tests make in different
// Regions does not meet.
type client struct {
	*proton.Proton
	s3      *s3.S3
	server  *server
	region  string
	bucket  string
	session *session.Session
	ctx     context.Context
}

var regions struct {
	sync.Mutex
	used int
}

// fresh is a client of the shared server in an empty Region with a bucket.
func fresh(t *testing.T) *client {
	t.Helper()
	return clientOf(t, shared)
}

func clientOf(t *testing.T, s *server) *client {
	t.Helper()
	regions.Lock()
	regions.used++
	region := fmt.Sprintf("eu-test-%d", regions.used)
	regions.Unlock()
	c := s.client(t, region, rootKey, rootSecret)
	c.bucket = "bundles-" + region
	if _, err := c.s3.CreateBucketWithContext(c.ctx, &s3.CreateBucketInput{Bucket: &c.bucket}); err != nil {
		t.Fatal(err)
	}
	return c
}

// client is the SDK with a certain key. It retries nothing, so that a test
// sees every answer.
func (s *server) client(t *testing.T, region, id, secret string, configs ...*aws.Config) *client {
	t.Helper()
	config := aws.NewConfig().WithEndpoint(s.url()).WithRegion(region).WithS3ForcePathStyle(true).WithMaxRetries(0).
		WithCredentials(credentials.NewStaticCredentials(id, secret, ""))
	sess, err := session.NewSession(append([]*aws.Config{config}, configs...)...)
	if err != nil {
		t.Fatal(err)
	}
	return &client{Proton: proton.New(sess), s3: s3.New(sess), server: s, region: region, session: sess, ctx: t.Context()}
}

// arn is a Proton resource of the client's account and Region.
func (c *client) arn(resource string) string {
	return "arn:aws:proton:" + c.region + ":" + account + ":" + resource
}

// upload puts an object into the client's bucket and answers it as a source.
func (c *client) upload(t *testing.T, key string, content []byte) *proton.TemplateVersionSourceInput {
	t.Helper()
	_, err := c.s3.PutObjectWithContext(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(content)})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return &proton.TemplateVersionSourceInput{S3: &proton.S3ObjectSource{Bucket: &c.bucket, Key: &key}}
}

// eventually polls until ok, for at most a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// values are what pointers of the SDK point to; it has nil-safe helpers for one.
func values(list []*string) []string { return aws.StringValueSlice(list) }

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
