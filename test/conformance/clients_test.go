// Package conformance drives the built hadron program with the stock clients
// that are no Go libraries: boto3, the AWS CLI and the AWS SDKs for JavaScript,
// Java and Rust. The AWS SDK for Go has a module of its own in folder gosdk.
package conformance

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
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

	"github.com/hadronhq/hadron/test/conformance/wire"
)

const (
	root       = "../.."
	rootKey    = "AKIACONFORMANCE00002"
	rootSecret = "conformance/secret+of/the/root/key0000002"
)

// installer gives a function that runs a script of the project once. The
// script installs clients and prints the folder they are in.
func installer(script string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(root, "scripts", script))
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", script, err, stderr.String())
		}
		return strings.TrimSpace(stdout.String()), nil
	})
}

var (
	python     = installer("setup-python-clients.sh")
	javascript = installer("setup-javascript-client.sh")
	java       = installer("setup-java-client.sh")
	rust       = installer("setup-rust-client.sh")
)

// installed is where clients are. Without them a test is skipped, except in
// CI, where everything must run.
func installed(t *testing.T, set func() (string, error), files ...string) string {
	t.Helper()
	dir, err := set()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if strings.Contains(dir, ".tools") {
		for _, file := range files {
			pinned.Store(file, true)
		}
	}
	return dir
}

// clients is the folder of the Python interpreter that has boto3 and of the
// AWS CLI.
func clients(t *testing.T) string {
	t.Helper()
	return installed(t, python, "boto3.txt", "aws-cli.txt")
}

// What TestMain makes: the product, the model that its answers are held
// against, and the record of what clients called.
var (
	binary string
	model  *wire.Model
	record = wire.NewRecord()
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "hadron-clients-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "hadron")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hadron")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build hadron: %v\n%s", err, out))
	}
	if model, err = wire.LoadModel(root); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	if problems := record.Problems(); len(problems) > 0 {
		fmt.Println("answers outside the model:\n" + strings.Join(problems, "\n"))
		code = 1
	}
	if code == 0 {
		if err := proven(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

var update = flag.Bool("update", false, "write anew what the clients prove")

// proven holds what the clients did in a whole run against what they are said
// to prove. Clients in other versions than the pinned ones prove nothing.
func proven() error {
	partial := flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != ""
	var errs []error
	for _, c := range wire.Clients {
		if _, ok := pinned.Load(c.File); !ok {
			continue
		}
		_, all := whole.Load(c.File)
		if partial && !all {
			if !*update {
				continue
			}
			errs = append(errs, record.Keep(root, c))
		}
		errs = append(errs, record.Check(root, c, *update))
	}
	return errors.Join(errs...)
}

// pinned has the files of the clients that could be set up as pinned.
var pinned sync.Map

// whole has the files of the clients whose suite is one test, if all of it ran.
var whole sync.Map

// serve starts hadron, with the clients in the PATH of its commands, behind a
// proxy that checks its answers, and answers the variables that point clients
// at it.
func serve(t *testing.T, bin string, settings ...string) []string {
	t.Helper()
	dir := t.TempDir()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const id, secret = rootKey, rootSecret
	address := freeAddress()
	var log bytes.Buffer
	server := exec.Command(binary, "serve", "--listen", address, "--data", filepath.Join(dir, "data"))
	server.Env = append([]string{
		"PATH=" + strings.TrimPrefix(bin+":"+os.Getenv("PATH"), ":"), "HOME=" + dir, "HADRON_ACCOUNT_ID=123456789012",
		"HADRON_ROOT_ACCESS_KEY_ID=" + id, "HADRON_ROOT_SECRET_ACCESS_KEY=" + secret,
		"HADRON_PUBLIC_URL=http://" + front.Addr().String(),
	}, settings...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		if err := server.Wait(); err != nil {
			t.Errorf("hadron serve: %v", err)
		}
		if t.Failed() {
			t.Logf("what the server wrote:\n%s", log.String())
		}
	})
	proxy := &http.Server{Handler: wire.NewProxy(model, record, address)}
	go proxy.Serve(front)
	t.Cleanup(func() { proxy.Close() })
	url := "http://" + front.Addr().String()
	ready := func() bool {
		res, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	for n := 0; !ready(); n++ {
		if n == 500 {
			t.Fatal("hadron serve was not ready in time")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return []string{
		"HADRON=" + binary, "AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"PATH=" + strings.TrimPrefix(bin+":"+os.Getenv("PATH"), ":"), "HOME=" + dir, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "LANG=C.UTF-8", "TMPDIR=" + dir,
	}
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

func TestBoto3(t *testing.T) {
	t.Parallel()
	bin := clients(t)
	run(t, serve(t, bin), filepath.Join(bin, "python3"), "-B", "-m", "unittest", "discover", "--verbose", "--start-directory", "boto3")
}

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	bin := clients(t)
	env := serve(t, bin)
	scripts, err := filepath.Glob("awscli/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for n, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".sh"), func(t *testing.T) {
			t.Parallel()
			region := fmt.Sprintf("eu-cli-%d", n+1) // what scripts make does not meet
			run(t, append(env, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region), "bash", script)
		})
	}
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
}
