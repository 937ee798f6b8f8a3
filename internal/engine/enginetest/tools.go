package enginetest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Tofu returns the OpenTofu program that "make tools" builds, or the one that
// HADRON_TOFU names. Without it the test is skipped, in CI it fails.
func Tofu(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("HADRON_TOFU"); named != "" {
		return named
	}
	return tool(t, "opentofu", "tofu")
}

// tool returns a program that "make tools" has put below .tools.
func tool(t testing.TB, path ...string) string {
	t.Helper()
	root, err := os.Getwd()
	for ; err == nil; root = filepath.Dir(root) {
		if _, missing := os.Stat(filepath.Join(root, "go.sum")); missing == nil || root == "/" {
			break
		}
	}
	file := filepath.Join(append([]string{root, ".tools"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not there: make tools", file)
		}
		t.Skipf("%s is not there: make tools", file)
	}
	return file
}

var listening = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// Moto starts moto, a fake AWS by other people, for the time of the test and
// returns its URL. Without it the test is skipped, in CI it fails.
func Moto(t testing.TB) (url string) {
	t.Helper()
	cmd := exec.Command(tool(t, "moto", "bin", "python3"), "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); { // to its end, or moto could not write
			if words := listening.FindStringSubmatch(lines.Text()); words != nil {
				found <- words[1]
			}
		}
	}()
	select {
	case url = <-found:
	case <-time.After(time.Minute):
	}
	if url == "" {
		t.Fatal("moto does not listen")
	}
	return url
}
