package app

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// problems are what an examination complains of, a line each.
func problems(t *testing.T, c Config) string {
	t.Helper()
	var b strings.Builder
	for _, f := range Examine(t.Context(), c) {
		if f.State != Problem || strings.Contains(f.Message, "MB are free") { // of the machine that tests run on
			continue
		}
		b.WriteString(f.Check + ": " + f.Message + " | " + f.Why + " | " + f.Help + "\n")
		if f.Help == "" && f.Check != "database" {
			t.Errorf("nothing helps with %+v", f)
		}
	}
	return b.String()
}

// While a server runs, on either database, and is at work.
func TestHealthyServerHasNoProblems(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	hold := make(chan struct{})
	defer close(hold)
	f.engine.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	eventually(t, "the environment is being deployed", func() bool { return f.engine.Holding() == 1 })
	c := f.server.config
	at := must(url.Parse(f.server.URL))(t)
	c.Listen = at.Host
	if got := problems(t, c); got != "" {
		t.Errorf("problems:\n%s", got)
	}
}

// stopped is what a server has left that went down while it deployed, on SQLite,
// and its database.
func stopped(t *testing.T) (Config, *sql.DB) {
	t.Helper()
	c := testConfig(t)
	c.Database, c.StopGrace, c.EventWebhook = "", 0, "http://127.0.0.1:9/hook"
	scripted, hold := enginetest.NewScripted(), make(chan struct{})
	s, err := Start(t.Context(), c, slog.New(slog.DiscardHandler), WithEngines(engine.Set{engine.Command: scripted}))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{server: s, engine: scripted, account: c.AccountID, Client: client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)}
	f.publish(t)
	scripted.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	eventually(t, "the environment is being deployed", func() bool { return scripted.Holding() == 1 })
	if err := s.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.InsertSyncBlocker(t.Context(), proton.SyncBlocker{Scope: proton.Scope{Account: c.AccountID, Region: region}, ID: "b-1",
			ServiceName: "shop", InstanceName: "dev", CreatedReason: "the deployment\nfailed", CreatedAt: time.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(hold)
	c.Listen = "127.0.0.1:9" // where nobody is
	db, err := sql.Open("sqlite", filepath.Join(c.Data, "hadron.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return c, db
}

func TestDoctorSaysWhatIsWrongWhyAndWhatHelps(t *testing.T) {
	t.Parallel()
	c, db := stopped(t)
	do := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(t.TempDir(), "other.key")
	if err := os.WriteFile(other, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	do("UPDATE events SET at = at - 3600000000")
	do("UPDATE river_job SET scheduled_at = datetime('now', '-1 hour') WHERE state = 'available'")
	eventually(t, "the lease is given up, or has run out", func() bool { return strings.Contains(problems(t, c), "is not worked on") })
	for _, part := range []string{
		"of environment/one is not worked on | no server runs",
		"syncs: service shop, instance dev is not synced any more | the deployment failed | hadron api update-service-sync-blocker --id b-1",
		"queues: 1 jobs of kind deploy wait, the oldest for 1h0m",
		" wait for webhook 127.0.0.1:9",
	} {
		if got := problems(t, c); !strings.Contains(got, part) {
			t.Errorf("no %q among\n%s", part, got)
		}
	}
	for name, try := range map[string]struct {
		change func(c *Config)
		want   string
	}{
		"readable by others": {func(c *Config) { os.Chmod(filepath.Join(c.Data, "master.key"), 0o644) }, "master.key has mode 0644 | others on this machine can read what is secret there | chmod go-rwx"},
		"open to others":     {func(c *Config) { os.Chmod(c.Data, 0o777) }, "has mode 0777 | others on this machine can change it | chmod go-rwx"},
		"another key":        {func(c *Config) { c.MasterKeyFile = other }, "master key: is not the one that this database's secrets are sealed with"},
		"no key":             {func(c *Config) { c.MasterKeyFile = other + "x" }, "other.keyx is not there"},
		"no program":         {func(c *Config) { c.Tofu = "/nowhere/tofu" }, "OpenTofu: /nowhere/tofu cannot be run"},
		"no certificate":     {func(c *Config) { c.TLSCert, c.TLSKey = "/nowhere/c", "/nowhere/k" }, "certificate: cannot be used | open /nowhere/c"},
		"no database":        {func(c *Config) { c.Database = "sqlite:/nowhere/db" }, "database: cannot be reached"},
		"no PostgreSQL":      {func(c *Config) { c.Database = "postgres://u:hidden@127.0.0.1:9/x" }, "database: cannot be reached"},
	} {
		changed := c
		try.change(&changed)
		if got := problems(t, changed); !strings.Contains(got, try.want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: no %q among\n%s", name, try.want, got)
		}
		os.Chmod(c.Data, 0o700)
		os.Chmod(filepath.Join(c.Data, "master.key"), 0o600)
	}
	do(fmt.Sprintf("INSERT INTO nodes (id, lease_until, clock_offset) VALUES ('n-2', %d, -5000000)", time.Now().Add(50*time.Second).UnixMicro()))
	if got := problems(t, c); !strings.Contains(got, "clock: that of server n-2 is -5s from the database's | signatures") {
		t.Errorf("another server's clock: %s", got)
	}
	do("INSERT INTO schema_migrations VALUES (9999, 0)")
	if got := problems(t, c); !strings.Contains(got, "is of a newer Hadron: its schema is 9999") {
		t.Errorf("newer: %s", got)
	}
	do("DELETE FROM schema_migrations WHERE version > 5")
	if got := problems(t, c); !strings.Contains(got, "is not up to date: its schema is 5") {
		t.Errorf("older: %s", got)
	}
}

func TestTroubleOfDeployments(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ready := proton.Deployment{Ready: true, CreatedAt: now.Add(-time.Minute)}
	held := ready
	held.LeaseUntil = now.Add(5 * time.Second)
	lost, slow, failing, waiting := held, held, ready, ready
	lost.LeaseUntil, slow.CreatedAt, failing.Failures, waiting.Ready = now.Add(-time.Minute), now.Add(-7*time.Hour), 3, false
	for name, c := range map[string]struct {
		d      proton.Deployment
		down   bool
		queued bool
		want   string
	}{
		"held":                  {d: held},
		"queued":                {d: ready, queued: true},
		"waits for others":      {d: waiting},
		"lost":                  {d: lost, want: "has lost its worker"},
		"slow":                  {d: slow, want: "has been worked on for 7h0m0s"},
		"forgotten":             {d: ready, want: "waits for nothing"},
		"failing":               {d: failing, queued: true, want: "3 tries in a row have failed"},
		"no server":             {d: ready, queued: true, down: true, want: "is not worked on"},
		"lost with the server":  {d: lost, down: true, want: "is not worked on"},
		"others hold it though": {d: held, down: true},
	} {
		doc := &doctor{served: !c.down}
		got, _ := doc.trouble(c.d, now, c.queued)
		if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestCertificateThatSoonEndsIsAProblem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends time.Duration
		want string
	}{"soon": {3*24*time.Hour + time.Hour, "in 3 days"}, "ended": {-time.Hour, " ended on "}, "good": {90 * 24 * time.Hour, ""}} {
		folder := t.TempDir()
		newAuthority(t).write(t, folder, time.Now().Add(c.ends))
		config := Config{TLSCert: filepath.Join(folder, "tls.crt"), TLSKey: filepath.Join(folder, "tls.key")}
		d := &doctor{Config: config}
		d.certificate()
		if f := d.findings[0]; (f.State == Problem) != (c.want != "") || !strings.Contains(f.Message, c.want) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
