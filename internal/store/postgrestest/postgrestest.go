// Package postgrestest gives tests a PostgreSQL database of their own: on the
// server that HADRON_TEST_POSTGRES names, or on a private one that lives as
// long as the test process. Product code never imports it.
package postgrestest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is the URL of a server, and of a database on it, to make schemas in.
// The test is skipped if there is none; with CI=true it fails.
func Server(tb testing.TB) string {
	tb.Helper()
	server, err := shared()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("PostgreSQL: %v", err)
		}
		tb.Skipf("skipped: %s, because PostgreSQL cannot be had: %v", tb.Name(), err)
	}
	return server
}

// URL names an empty schema on Server, which is removed when the test ends.
func URL(tb testing.TB) string {
	tb.Helper()
	return SchemaOn(tb, Server(tb))
}

// SchemaOn is URL on a server.
func SchemaOn(tb testing.TB, server string) string {
	tb.Helper()
	schema := "t_" + strings.ToLower(rand.Text())
	run(tb, server, "CREATE SCHEMA "+schema)
	tb.Cleanup(func() { run(tb, server, "DROP SCHEMA "+schema+" CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

func run(tb testing.TB, server, statement string) {
	tb.Helper()
	ctx := context.Background() // a test's own has ended when it cleans up
	conn, err := pgx.Connect(ctx, server)
	if err == nil {
		_, err = conn.Exec(ctx, statement)
		_ = conn.Close(ctx)
	}
	if err != nil {
		tb.Error(err)
	}
}

// kept holds the private server: its input would be closed with the garbage.
var kept *Private

var shared = sync.OnceValues(func() (string, error) {
	if server := os.Getenv("HADRON_TEST_POSTGRES"); server != "" {
		return server, nil
	}
	p, err := Start()
	if err != nil {
		return "", err
	}
	kept = p
	return p.URL, nil
})

// Private is a server of its own. It ends with Stop, or with this process.
type Private struct {
	URL   string
	stdin io.WriteCloser
	lines *bufio.Reader
	cmd   *exec.Cmd
}

// Start starts a server with settings, as in "fsync=on".
func Start(settings ...string) (*Private, error) {
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "..", "..", "..", "scripts", "private-postgres.sh")
	cmd := exec.Command(script, settings...)
	var failure strings.Builder
	cmd.Stderr = &failure
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		stdin.Close()
		_ = cmd.Wait()
		return nil, fmt.Errorf("%s: %w: %s", script, err, strings.TrimSpace(failure.String()))
	}
	return &Private{URL: strings.TrimSpace(line), stdin: stdin, lines: lines, cmd: cmd}, nil
}

// Restart stops the server, fast or immediate as pg_ctl has it, and starts it
// again after a while. It returns once the server answers.
func (p *Private) Restart(mode string, down time.Duration) error {
	if _, err := fmt.Fprintf(p.stdin, "%s %.1f\n", mode, down.Seconds()); err != nil {
		return err
	}
	_, err := p.lines.ReadString('\n')
	return err
}

// Own starts a server that ends with a test. The test is skipped if there can be
// none; with CI=true it fails.
func Own(tb testing.TB) *Private {
	tb.Helper()
	p, err := Start()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("PostgreSQL: %v", err)
		}
		tb.Skipf("skipped: %s, because PostgreSQL cannot be had: %v", tb.Name(), err)
	}
	tb.Cleanup(func() { _ = p.Stop() })
	return p
}

// Stop ends the server and removes its data.
func (p *Private) Stop() error {
	_ = p.stdin.Close()
	return p.cmd.Wait()
}
