package app

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// database is the database of a server that has ended.
func (f *fixture) database(t *testing.T) *sql.DB {
	t.Helper()
	driver, database := "sqlite", filepath.Join(f.server.config.Data, "hadron.db")
	if onPostgres() {
		driver, database = "pgx", f.server.config.Database
	}
	db := must(sql.Open(driver, database))(t)
	t.Cleanup(func() { db.Close() })
	return db
}

// tells reports whether a copy of the database, made while the server stands
// still, has a secret in it, however it is written.
func (f *fixture) tells(t *testing.T, secret []byte) (found []string) {
	t.Helper()
	var all strings.Builder
	db := f.database(t)
	defer db.Close()
	rows := must(db.Query("SELECT name, value FROM meta"))(t)
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, name, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(secret), hex.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret)} {
		found = append(found, filesWith(t, f.server.config.Data, text)...)
		if strings.Contains(all.String(), text) {
			found = append(found, "meta")
		}
	}
	return found
}

// What the keys of running deployments are derived from cannot be read from a
// copy of the database. A server that finds it left open by an older version
// seals it, and keys from before go on to open.
func TestTheSecretOfDeploymentsKeysLiesSealedAlsoAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.StopGrace = 0 })
	f.publish(t)
	hold := make(chan struct{})
	defer close(hold)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	eventually(t, "the environment is being deployed", func() bool { return f.engine.Holding() == 1 })
	run := must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: p("one")}))(t).Deployments[0]
	id, secret, err := f.server.keys.runCredentials(t.Context(), engine.Run{DeploymentID: *run.Id})
	if err != nil {
		t.Fatal(err)
	}
	opens := func(f *fixture) {
		t.Helper()
		must(client(f.server.URL, id, auth.Secret(secret)).ListServices(t.Context(), &api.ListServicesInput{}))(t)
	}
	opens(f)
	f.stop(t)
	runs := f.server.keys.runs
	if found := f.tells(t, runs); len(found) > 0 {
		t.Errorf("the secret of a new database lies open in %q", found)
	}

	db := f.database(t)
	for _, name := range []string{"run-keys", "page-token-key"} { // as they lay once
		if _, err := db.Exec("UPDATE meta SET value = '" + hex.EncodeToString(runs) + "' WHERE name = '" + name + "'"); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	if len(f.tells(t, runs)) == 0 {
		t.Fatal("what lies open is not found: the search finds nothing")
	}
	g := f.again(t)
	opens(g)
	g.stop(t)
	if found := f.tells(t, runs); len(found) > 0 {
		t.Errorf("after the upgrade the secret lies open in %q", found)
	}
	h := f.again(t)
	opens(h)
}

func TestSecretsOfTheDatabaseAreSealedAnewAndNeedTheirMasterKey(t *testing.T) {
	t.Parallel()
	f := start(t)
	runs := string(f.server.keys.runs)
	file := MasterKeyFile(f.server.config.Data, "")
	old := must(ReadMasterKeys(file))(t)
	keys := append(MasterKeys{NewMasterKey()}, old...)
	if err := keys.Write(file); err != nil {
		t.Fatal(err)
	}
	f.stop(t)
	g := f.again(t)
	eventually(t, "everything is sealed with the new key", func() bool {
		return *must(g.GetMasterKeys(t.Context(), &api.GetMasterKeysInput{}))(t).SealedWithOthers == 0
	})
	for _, name := range []string{"run-keys", "page-token-key"} {
		kept := must(g.server.store.Kept(t.Context(), name))(t)
		if !strings.HasPrefix(kept, keys.IDs()[0]+".") {
			t.Errorf("%s is not sealed with the new key", name)
		}
	}
	g.stop(t)
	if err := keys[:1].Write(file); err != nil {
		t.Fatal(err)
	}
	h := f.again(t)
	if string(h.server.keys.runs) != runs {
		t.Error("the rotation has made another secret")
	}
	h.stop(t)

	if err := old.Write(file); err != nil {
		t.Fatal(err)
	}
	db := f.database(t)
	if _, err := db.Exec("DELETE FROM meta WHERE name IN ('master-key-check', 'root-access-key')"); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), f.server.config, slog.New(slog.DiscardHandler), WithEngines(f.engines))
	if err == nil {
		s.Close(context.WithoutCancel(t.Context()))
	}
	if want := "run-keys: sealed with master key " + keys.IDs()[0] + ", which this server does not have"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("with another master key: %v, want %s", err, want)
	}
	if _, err := db.Exec("DELETE FROM meta"); err != nil { // as docs/operations.md says for a key that is lost
		t.Fatal(err)
	}
	db.Close()
	if string(f.again(t).server.keys.runs) == runs {
		t.Error("the secret that was deleted is there again")
	}
}
