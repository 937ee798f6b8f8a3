package store_test

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/store/postgrestest"
	"github.com/jackc/pgx/v5"
)

// TestPostgresBackupsAreRestored does what docs/operations.md says.
func TestPostgresBackupsAreRestored(t *testing.T) {
	t.Parallel()
	server := postgrestest.Server(t)
	out, err := exec.Command("../../scripts/setup-postgres.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	programs := strings.TrimSpace(string(out))
	database := func() string {
		t.Helper()
		name := "backup_" + strings.ToLower(rand.Text())
		conn, err := pgx.Connect(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name+" ENCODING 'UTF8' TEMPLATE template0"); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + name
		return u.String()
	}
	from, to := database(), database()
	first := open(t, from)
	want, err := first.Secret(t.Context(), "tokens")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hadron.dump")
	for _, command := range [][]string{
		{"pg_dump", "--format=custom", "--file=" + file, from},
		{"pg_restore", "--no-owner", "--exit-on-error", "--dbname=" + to, file},
	} {
		if out, err := exec.Command(filepath.Join(programs, command[0]), command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	got, err := open(t, to).Secret(t.Context(), "tokens")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the restored database has another secret: %v", err)
	}
}
