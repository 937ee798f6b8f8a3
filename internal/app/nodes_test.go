package app

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

func TestServersThatShareADatabaseShareTheRootKeyAndNeedTheMasterKey(t *testing.T) {
	t.Parallel()
	database := postgrestest.URL(t)
	run := func(change func(*Config)) (*Server, error) {
		c := DefaultConfig()
		c.Listen, c.Data, c.Database = "127.0.0.1:0", t.TempDir(), database
		change(&c)
		s, err := Start(t.Context(), c, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Cleanup(func() {
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		return s, err
	}
	var masterKey string
	first, err := run(func(c *Config) { masterKey = filepath.Join(c.Data, "master.key") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(func(*Config) {}); err == nil || !strings.Contains(err.Error(), "--master-key-file") {
		t.Errorf("with a master key of its own: %v", err)
	}
	second, err := run(func(c *Config) { c.MasterKeyFile = masterKey })
	if err != nil {
		t.Fatal(err)
	}
	if first.Root.AccessKeyID != second.Root.AccessKeyID || first.Root.SecretAccessKey != second.Root.SecretAccessKey || second.Root.Fresh {
		t.Error("the servers have different root keys")
	}
	if !bytes.Equal(first.keys.runs, second.keys.runs) {
		t.Error("the servers do not open the keys of each other's deployments")
	}
	c := client(second.URL, first.Root.AccessKeyID, first.Root.SecretAccessKey)
	must(c.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	c = client(first.URL, first.Root.AccessKeyID, first.Root.SecretAccessKey)
	must(c.GetEnvironmentTemplate(t.Context(), &api.GetEnvironmentTemplateInput{Name: p("net")}))(t)
}
