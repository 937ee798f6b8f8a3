package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestDataAndSecretsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	// A folder may have any name, also one that means something in a URL.
	path := filepath.Join(t.TempDir(), "a b%20?x#y&é", "hadron.db")
	var secrets []string
	for range 2 {
		s := openAt(t, path)
		secret, err := s.Secret(t.Context(), "tokens")
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, string(secret))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}
	if secrets[0] != secrets[1] {
		t.Error("the secret changed when the database was opened again")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestSecondOpenOfAFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hadron.db")
	s := openAt(t, path)
	_, err := Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	for _, part := range []string{path, "held by another process", "--data"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v; it should say %q", err, part)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
}

func TestUnknownDatabasesAreRefusedWithoutTheirPassword(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), "mysql://hadron:hunter2@db/hadron", slog.New(slog.DiscardHandler))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "mysql") || !strings.Contains(err.Error(), "sqlite:PATH") {
		t.Error(err)
	}
}

func TestMigrationsRunOnceAndNewerSchemasAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hadron.db")
	s := openAt(t, path)
	if err := migrate(t.Context(), s.writer, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("a second run: %v", err)
	}
	var applied int
	if err := s.writer.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM schema_migrations").Scan(&applied); err != nil || applied == 0 {
		t.Errorf("%d migrations are recorded, %v", applied, err)
	}
	if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO schema_migrations (version, applied_at) VALUES (9999, 0)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "newer Hadron") || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v", err)
	}
}

// TestListsAreReadFromIndexes asks SQLite how it would run the statements that
// must stay fast however much there is.
func TestListsAreReadFromIndexes(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	scope, position := proton.Scope{Account: "1", Region: "r"}, &InstancePosition{Text: "a", Service: "b", Name: "c"}
	calls := map[string]func(context.Context, *Tx) error{
		"templates": func(c context.Context, x *Tx) error {
			return second(x.Templates(c, scope, proton.ServiceTemplate, "a", 10))
		},
		"template versions": func(c context.Context, x *Tx) error {
			return second(x.TemplateVersions(c, scope, proton.ServiceTemplate, "a", 0))
		},
		"versions of a major": func(c context.Context, x *Tx) error {
			return second(x.TemplateVersions(c, scope, proton.ServiceTemplate, "a", 1))
		},
		"environments": func(c context.Context, x *Tx) error { return second(x.Environments(c, scope, nil, "a", 10)) },
		"environments of template": func(c context.Context, x *Tx) error {
			return second(x.Environments(c, scope, []TemplateMajor{{"a", 1}}, "a", 10))
		},
		"services":                 func(c context.Context, x *Tx) error { return second(x.Services(c, scope, "a", 10)) },
		"instances in environment": func(c context.Context, x *Tx) error { return second(x.InstancesInEnvironment(c, scope, "a", 10)) },
		"version in use": func(c context.Context, x *Tx) error {
			return second(x.TemplateVersionInUse(c, proton.TemplateVersion{Scope: scope, Kind: proton.ServiceTemplate}))
		},
		"tags": func(c context.Context, x *Tx) error { return second(x.Tags(c, "a")) },
		"log":  func(c context.Context, x *Tx) error { return second(x.Log(c, "a", 1, 10)) },
	}
	for _, f := range []DeploymentFilter{{}, {Environment: "e"}, {Service: "s"}, {Service: "s", Instance: "i"}, {Component: "c"}} {
		for _, after := range []*DeploymentPosition{nil, {CreatedAt: time.Now(), ID: "a"}} {
			calls[fmt.Sprintf("deployments %+v after %t", f, after != nil)] = func(c context.Context, x *Tx) error {
				return second(x.Deployments(c, scope, f, after, 10))
			}
		}
	}
	for _, by := range []InstanceOrder{ByServiceName, ByName, ByStatus, ByTemplateName, ByEnvironmentName, ByLastAttempted, ByCreated} {
		for _, descending := range []bool{false, true} {
			for _, after := range []*InstancePosition{nil, position} {
				calls[fmt.Sprintf("instances by %s descending %t after %t", by, descending, after != nil)] = func(c context.Context, x *Tx) error {
					return second(x.ServiceInstances(c, scope, InstanceFilter{}, by, descending, after, 10))
				}
			}
		}
	}
	for name, f := range map[string]InstanceFilter{
		"service": {Services: []string{"s"}}, "environment": {Environments: []string{"e"}}, "template": {Templates: []string{"t"}},
		"status": {Statuses: []proton.DeploymentStatus{proton.Failed}}, "staleness": {Staleness: []Staleness{BehindMajor}},
	} {
		calls["instances of one "+name] = func(c context.Context, x *Tx) error {
			return second(x.ServiceInstances(c, scope, f, ByServiceName, false, position, 10))
		}
	}
	for name, call := range calls {
		for query, plan := range plans(t, s, call) {
			for _, step := range plan {
				if strings.HasPrefix(step, "SCAN ") && !strings.HasPrefix(step, "SCAN CONSTANT") || strings.Contains(step, "TEMP B-TREE") {
					t.Errorf("%s: %s\n%s", name, step, query)
				}
			}
		}
	}
	for query, args := range map[string]int{
		"SELECT COUNT(*) FROM deployments WHERE lease_until > 0 AND lease_until < ? AND completed_at = 0": 1,
		"UPDATE deployments SET attempt = 1 WHERE completed_at = 0 AND ready = 1":                         0,
		"SELECT * FROM template_versions WHERE status = ?":                                                1,
		"SELECT * FROM template_versions WHERE id = ?":                                                    1,
		"DELETE FROM client_tokens WHERE created_at < ?":                                                  1,
	} {
		for _, step := range explain(t, s, query, slices.Repeat([]any{1}, args)) {
			if strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "USING INDEX") {
				t.Errorf("%s: %s", query, step)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// plans are the query plans, by statement, of what a call prepares on a fresh
// connection.
func plans(t *testing.T, s *Store, call func(context.Context, *Tx) error) map[string][]string {
	t.Helper()
	conn, err := s.reader.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	texts := func() (all []string) {
		_ = conn.Raw(func(c any) error {
			for query := range c.(*preparedConn).idle {
				all = append(all, query)
			}
			return nil
		})
		return all
	}
	_ = conn.Raw(func(c any) error { clear(c.(*preparedConn).idle); return nil })
	if err := call(t.Context(), &Tx{store: s, sql: tx}); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, query := range texts() {
		found[query] = explain(t, s, query, slices.Repeat([]any{1}, strings.Count(query, "?")))
	}
	if len(found) == 0 {
		t.Fatal("the call ran no statement")
	}
	return found
}

func explain(t *testing.T, s *Store, query string, args []any) []string {
	t.Helper()
	rows, err := s.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		t.Errorf("no plan for %s", query)
	}
	return steps
}

func TestStatementsAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	conn, err := s.writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	idle := func() (kept map[string]driver.Stmt) {
		_ = conn.Raw(func(c any) error { kept = c.(*preparedConn).idle; return nil })
		return kept
	}
	const text = "SELECT name FROM meta WHERE name > ? OR 1"
	if _, err := conn.ExecContext(t.Context(), "INSERT INTO meta (name, value) VALUES ('a', ''), ('b', '')"); err != nil {
		t.Fatal(err)
	}
	read := func() *sql.Rows {
		rows, err := conn.QueryContext(t.Context(), text, "")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if err := read().Close(); err != nil {
		t.Fatal(err)
	}
	first := idle()[text]
	if first == nil {
		t.Fatal("the statement was not kept")
	}
	outer := read() // takes it; the same text meanwhile gets one of its own
	if !outer.Next() {
		t.Fatal("no row")
	}
	inner := read()
	for inner.Next() {
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	n := 1
	for outer.Next() {
		n++
	}
	if err := outer.Close(); err != nil || n != 2 {
		t.Errorf("the outer rows: %d, %v", n, err)
	}
	if kept := idle()[text]; kept == nil || kept == first {
		t.Error("of two equal statements one is kept, that which came back first")
	}
	for range 2 { // a failed statement is not kept, and harms nothing
		if _, err := conn.ExecContext(t.Context(), "INSERT INTO meta (name, value) VALUES ('a', '')"); !s.dialect.isUnique(err) {
			t.Errorf("got %v, want a taken key", err)
		}
	}
	for n := range maxPrepared + 50 {
		if _, err := conn.ExecContext(t.Context(), fmt.Sprintf("UPDATE meta SET value = ? WHERE name = '%d'", n), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(idle()); n > maxPrepared {
		t.Errorf("%d statements are kept", n)
	}
}
