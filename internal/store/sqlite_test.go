package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
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
		s.SealWith(Sealer{
			Seal: func(text, name string) string { return "sealed as " + name + " " + text },
			Open: func(sealed, name string) (string, error) {
				return strings.TrimPrefix(sealed, "sealed as "+name+" "), nil
			},
		})
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
	if err := s.migrate(t.Context()); err != nil {
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

// A database that was written before resources were counted is counted when
// it is opened.
func TestOldDatabasesAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hadron.db")
	s := openAt(t, path)
	scope := proton.Scope{Account: "1", Region: "r"}
	at := func(major, minor int64, status proton.DeploymentStatus) proton.Deployable {
		return proton.Deployable{Version: proton.Version{Major: major, Minor: minor}, Status: status}
	}
	if err := s.Update(t.Context(), func(tx *Tx) error {
		return errors.Join(
			tx.InsertTemplate(t.Context(), proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: "t", Recommended: proton.Version{Major: 2, Minor: 1}}),
			tx.InsertEnvironment(t.Context(), proton.Environment{Scope: scope, Name: "e", Deployable: at(1, 0, proton.Failed)}),
			tx.InsertComponent(t.Context(), proton.Component{Scope: scope, Name: "c", Deployable: at(0, 0, proton.DeleteFailed)}),
			tx.InsertService(t.Context(), proton.ServicePlan{
				Service: proton.Service{Scope: scope, Name: "s", TemplateName: "t", Status: proton.ServiceUpdateFailed},
				Instances: []proton.ServiceInstance{
					{Scope: scope, ServiceName: "s", Name: "a", TemplateName: "t", Deployable: at(2, 1, proton.Succeeded)},
					{Scope: scope, ServiceName: "s", Name: "b", TemplateName: "t", Deployable: at(2, 0, proton.Failed)},
					{Scope: scope, ServiceName: "s", Name: "c", TemplateName: "t", Deployable: at(0, 0, proton.Failed)},
				},
				Pipeline: &proton.Pipeline{Scope: scope, ServiceName: "s", TemplateName: "t", Deployable: at(3, 0, proton.Succeeded)},
			}),
			tx.InsertService(t.Context(), proton.ServicePlan{Service: proton.Service{Scope: scope, Name: "none", TemplateName: "t", Status: proton.ServiceUpdateFailedCleanupInProgress}}))
	}); err != nil {
		t.Fatal(err)
	}
	counts := func(s *Store) (list []Counts) {
		if err := s.View(t.Context(), func(tx *Tx) error {
			for _, count := range []func(context.Context, proton.Scope) (Counts, error){
				tx.EnvironmentCounts, tx.ServiceCounts, tx.InstanceCounts, tx.PipelineCounts, tx.ComponentCounts,
				func(c context.Context, s proton.Scope) (Counts, error) {
					return tx.CountTemplatesOf(c, s, proton.ServiceTemplate)
				},
			} {
				c, err := count(t.Context(), scope)
				if err != nil {
					return err
				}
				list = append(list, c)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := counts(s)
	for _, statement := range []string{
		"DROP TABLE tallies", "ALTER TABLE services DROP COLUMN lowest_major", "ALTER TABLE services DROP COLUMN lowest_minor",
		"DROP INDEX service_instances_version", "DROP INDEX deployments_instance",
	} {
		if _, err := s.writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	text, err := migrations.ReadFile(tallyMigration(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	if got := counts(s); !slices.Equal(got, want) {
		t.Errorf("counted anew:\n got %+v\nwant %+v", got, want)
	}
	if want[1] != (Counts{Total: 2, Failed: 1, BehindMinor: 1}) {
		t.Errorf("services: %+v", want[1])
	}
}

func tallyMigration(t *testing.T) string {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/*_tallies.sql")
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	return files[0]
}

// TestListsAreReadFromIndexes asks SQLite how it would run the statements that
// must stay fast however much there is.
func TestListsAreReadFromIndexes(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "hadron.db"))
	scope, position := proton.Scope{Account: "1", Region: "r"}, &InstancePosition{Text: "a", Service: "b", Name: "c"}
	deployed := proton.Deployable{Version: proton.Version{Major: 1}}
	if err := s.Update(t.Context(), func(tx *Tx) error { // so that something is behind
		return errors.Join(
			tx.InsertTemplate(t.Context(), proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: "t", Recommended: proton.Version{Major: 2}}),
			tx.InsertService(t.Context(), proton.ServicePlan{Service: proton.Service{Scope: scope, Name: "s", TemplateName: "t"},
				Instances: []proton.ServiceInstance{{Scope: scope, ServiceName: "s", TemplateName: "t", Deployable: deployed}}}))
	}); err != nil {
		t.Fatal(err)
	}
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
		"environments of two": func(c context.Context, x *Tx) error {
			return second(x.Environments(c, scope, []TemplateMajor{{"a", 1}, {"b", 1}}, "a", 10))
		},
		"attached to a service":      func(c context.Context, x *Tx) error { return second(x.AttachedComponents(c, scope, "a")) },
		"environments for the quota": func(c context.Context, x *Tx) error { return second(x.CountEnvironments(c, scope)) },
		"services for the quota":     func(c context.Context, x *Tx) error { return second(x.CountServices(c, scope)) },
		"templates of a kind": func(c context.Context, x *Tx) error {
			return second(x.CountTemplatesOf(c, scope, proton.ServiceTemplate))
		},
		"summary of environments":  func(c context.Context, x *Tx) error { return second(x.EnvironmentCounts(c, scope)) },
		"summary of services":      func(c context.Context, x *Tx) error { return second(x.ServiceCounts(c, scope)) },
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
	for _, f := range []ComponentFilter{{}, {Environment: "e"}, {Service: "s"}, {Service: "s", Instance: "i"}} {
		calls[fmt.Sprintf("components %+v", f)] = func(c context.Context, x *Tx) error { return second(x.Components(c, scope, f, "a", 10)) }
	}
	for _, by := range []InstanceOrder{ByServiceName, ByName, ByStatus, ByTemplateName, ByEnvironmentName, ByLastAttempted, ByCreated} {
		for _, descending := range []bool{false, true} {
			for _, after := range []*InstancePosition{nil, position} {
				calls[fmt.Sprintf("instances by %s descending %t after %t", by, descending, after != nil)] = func(c context.Context, x *Tx) error {
					_, _, err := x.ServiceInstances(c, scope, InstanceFilter{}, by, descending, after, 10)
					return err
				}
			}
		}
	}
	for name, f := range map[string]InstanceFilter{
		"service": {Services: []string{"s"}}, "environment": {Environments: []string{"e"}}, "template": {Templates: []string{"t"}},
		"status": {Statuses: []proton.DeploymentStatus{proton.Failed}}, "staleness": {Staleness: []Staleness{BehindMajor}},
		"of two services": {Services: []string{"s", "r"}}, "of two environments": {Environments: []string{"e", "f"}},
		"of two statuses": {Statuses: []proton.DeploymentStatus{proton.Failed, proton.Cancelled}},
	} {
		calls["instances of one "+name] = func(c context.Context, x *Tx) error {
			_, _, err := x.ServiceInstances(c, scope, f, ByServiceName, false, position, 10)
			return err
		}
	}
	for index, f := range map[string]DeploymentFilter{
		"deployments_service": {Service: "s", Environment: "e"}, "deployments_component": {Component: "c", Service: "s", Instance: "i", Environment: "e"},
		"deployments_instance": {Service: "s", Instance: "i", Environment: "e"},
	} {
		leads(t, s, index, func(c context.Context, x *Tx) error { return second(x.Deployments(c, scope, f, nil, 10)) })
	}
	leads(t, s, "components_attached", func(c context.Context, x *Tx) error {
		return second(x.Components(c, scope, ComponentFilter{Environment: "e", Service: "s"}, "", 10))
	})
	pending := []proton.ConnectionStatus{proton.ConnectionPending, proton.ConnectionConnected}
	for index, f := range map[string]ConnectionFilter{
		"account_connections_management":     {ManagementAccount: "1"},
		"account_connections_managed_name":   {ManagementAccount: "1", EnvironmentAccount: "2", EnvironmentName: "e", Statuses: pending},
		"account_connections_managed_status": {ManagementAccount: "1", Statuses: pending},
		"account_connections_environment":    {EnvironmentAccount: "1"},
		"account_connections_own_name":       {EnvironmentAccount: "1", EnvironmentName: "e", Statuses: pending[:1]},
		"account_connections_own_status":     {EnvironmentAccount: "1", Statuses: pending[:1]},
	} {
		leads(t, s, index, func(c context.Context, x *Tx) error {
			return second(x.AccountConnections(c, "r", f, &ConnectionPosition{RequestedAt: time.Now(), ID: "a"}, 10))
		})
	}
	for query, plan := range plans(t, s, func(c context.Context, x *Tx) error {
		return second(x.lowestPart(c, []any{"1", "r", "s"}))
	}) {
		if !strings.Contains(strings.Join(plan, " "), "account=? AND region=? AND service_name=?") {
			t.Errorf("versions of a service's parts: %q\n%s", plan, query)
		}
	}
	for query, plan := range plans(t, s, func(c context.Context, x *Tx) error {
		return second(x.Deployments(c, scope, DeploymentFilter{Service: "s"}, nil, 10))
	}) {
		if !strings.Contains(strings.Join(plan, " "), "deployments_service (account=? AND region=? AND service_name=?") {
			t.Errorf("deployments of a service: %q\n%s", plan, query)
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
		"SELECT COUNT(*) FROM deployments WHERE lease_until > 0 AND (lease_until < ? OR lease_until > ? + 60000000) AND completed_at = 0": 2,
		"UPDATE deployments SET attempt = 1 WHERE completed_at = 0 AND ready = 1":                                                         0,
		"SELECT * FROM template_versions WHERE status = ?":                                                                                1,
		"SELECT * FROM template_versions WHERE id = ?":                                                                                    1,
		"DELETE FROM client_tokens WHERE created_at < ?":                                                                                  1,
	} {
		for _, step := range explain(t, s, query, slices.Repeat([]any{1}, args)) {
			if strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "USING INDEX") {
				t.Errorf("%s: %s", query, step)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// leads holds that all that a call reads is found by an index, in its order.
func leads(t *testing.T, s *Store, index string, call func(context.Context, *Tx) error) {
	t.Helper()
	for query, plan := range plans(t, s, call) {
		if text := strings.Join(plan, "; "); !strings.Contains(text, "INDEX "+index+" (") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s does not lead: %s\n%s", index, text, query)
		}
	}
}

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
