// Package conformance drives the built hadron program with the stock clients
// that are no Go libraries: boto3 and the AWS CLI. The AWS SDK for Go has a
// module of its own in folder gosdk.
package conformance

import (
	"bytes"
	"flag"
	"fmt"
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

	"github.com/hadronhq/hadron/test/conformance/wire"
)

const root = "../.."

// setUp installs the clients once and answers the folder of the Python
// interpreter that has boto3 and of the AWS CLI.
var setUp = sync.OnceValues(func() (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(root, "scripts", "setup-python-clients.sh"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("boto3 and the AWS CLI cannot be set up: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
})

// clients is where they are. Without them a test is skipped, except in CI,
// where everything must run.
func clients(t *testing.T) string {
	t.Helper()
	bin, err := setUp()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return bin
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
	os.Exit(code)
}

var update = flag.Bool("update", false, "write anew what the clients prove")

// proves holds what a client did against what it is said to prove, once its
// suite has run as a whole.
func proves(t *testing.T, file string) {
	t.Helper()
	if t.Failed() || flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" {
		return
	}
	n := slices.IndexFunc(wire.Clients, func(c wire.Client) bool { return c.File == file })
	if err := record.Check(root, wire.Clients[n], *update); err != nil {
		t.Error(err)
	}
}

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
	const id, secret = "AKIACONFORMANCE00002", "conformance/secret+of/the/root/key0000002"
	address := freeAddress()
	var log bytes.Buffer
	server := exec.Command(binary, "serve", "--listen", address, "--data", filepath.Join(dir, "data"))
	server.Env = append([]string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "HADRON_ACCOUNT_ID=123456789012",
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
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "LANG=C.UTF-8", "TMPDIR=" + dir,
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
	proves(t, "boto3.txt")
}

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	bin := clients(t)
	env := serve(t, bin)
	scripts, err := filepath.Glob("awscli/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	t.Cleanup(func() { proves(t, "aws-cli.txt") }) // when all scripts have ended
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
