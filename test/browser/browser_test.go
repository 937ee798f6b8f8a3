// Package browser drives the console of the built hadron program in a real
// browser. The steps are in console.mjs; this starts what they need.
package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/oidc/oidctest"
)

const root = "../.."

// setUp installs browser and driver. Without them the test is skipped, except
// in CI, where everything must run.
func setUp(t *testing.T) (modules, browser string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(root, "scripts", "setup-browser.sh"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	modules, browser, ok := strings.Cut(strings.TrimSpace(stdout.String()), "\n")
	if err == nil && ok {
		return modules, browser
	}
	message := fmt.Sprintf("the browser cannot be set up: %v\n%s", err, stderr.String())
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return "", ""
}

const (
	keyID  = "AKIABROWSERTESTS0001"
	secret = "browser/tests+secret/of/the/root/key0001"
)

// quickstart serves the quickstart's service, where one can sign in at a
// provider too, and answers the address.
func quickstart(t *testing.T, provider *oidctest.Provider) (binary, url string) {
	t.Helper()
	dir := t.TempDir()
	binary = filepath.Join(dir, "hadron")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/hadron")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hadron: %v\n%s", err, out)
	}
	address := freeAddress(t)
	server := exec.Command(binary, "quickstart", "--listen", address, "--data", filepath.Join(dir, "data"))
	server.Env = append(os.Environ(), "HADRON_ROOT_ACCESS_KEY_ID="+keyID, "HADRON_ROOT_SECRET_ACCESS_KEY="+secret,
		"HADRON_SIGN_IN_ISSUER="+provider.URL, "HADRON_SIGN_IN_NAME=Acme", "HADRON_SIGN_IN_CLIENT_ID="+oidctest.Client, "HADRON_SIGN_IN_CLIENT_SECRET="+oidctest.Secret,
		"HADRON_SIGN_IN_ROLES=acme", "HADRON_IDENTITY_PROVIDER_CA="+provider.CA())
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	var said bytes.Buffer
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(lines.Text(), "Serving.") {
				close(ready)
			}
		}
	}()
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := server.Wait(); err != nil {
			t.Errorf("hadron quickstart: %v", err)
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("hadron quickstart ended:\n%s", said.String())
	case <-time.After(time.Minute):
		t.Fatal("hadron quickstart was not ready in time")
	}
	return binary, "http://" + address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConsoleInABrowser(t *testing.T) {
	modules, chromium := setUp(t)
	provider := oidctest.New(t)
	provider.Knows("ann", map[string]any{"email": "ann@example.com"})
	provider.Knows("eve", map[string]any{"email": "eve@elsewhere.example"})
	binary, url := quickstart(t, provider)
	steps, err := os.ReadFile("console.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// Node finds packages from where the program is.
	program := filepath.Join(filepath.Dir(modules), "console.test.mjs")
	if err := os.WriteFile(program, steps, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", program)
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "HADRON="+binary, "HADRON_URL="+url, "HADRON_PROVIDER="+provider.URL,
		"AWS_ENDPOINT_URL="+url, "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_REGION=us-east-1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v", err)
	}
}
