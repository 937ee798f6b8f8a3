package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

func TestDatabasesAreCopiedThereAndBack(t *testing.T) {
	t.Parallel()
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	first := open(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"))
	secret, err := first.Secret(t.Context(), "tokens")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	outputs := []proton.Output{{Key: "Token", Value: "secret", Sensitive: true}, {Key: "Net", Value: "sealed:no"}}
	err = first.Update(ctx, func(tx *store.Tx) error {
		for n := range 30 {
			e := proton.Environment{Scope: scope, Name: fmt.Sprintf("Env-%d-é", n)}
			e.CreatedAt = time.Now()
			e.Spec = "proton: EnvironmentSpec\n"
			if err := tx.InsertEnvironment(ctx, e); err != nil {
				return err
			}
			if err := tx.PutTags(ctx, e.ARN(), []proton.Tag{{Key: "k", Value: ""}}); err != nil {
				return err
			}
		}
		d := proton.Deployment{Scope: scope, ID: "d", Goal: proton.GoalApply, Status: proton.InProgress, Ready: true, Outputs: outputs}
		return errors.Join(tx.InsertBundle(ctx, "sha256:1", []byte{0, 1, 255}, time.Now()), tx.InsertDeployments(ctx, d))
	})
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, postgrestest.URL(t))
	if _, err := second.Secret(ctx, "tokens"); err != nil { // a start of a server makes one
		t.Fatal(err)
	}
	third := open(t, "sqlite:"+filepath.Join(t.TempDir(), "third.db"))
	var reports [][]store.Copied
	for _, pair := range [][2]*store.Store{{first, second}, {second, third}} {
		report, err := store.Copy(ctx, pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, report)
	}
	if diff := cmp.Diff(reports[0], reports[1]); diff != "" {
		t.Errorf("there and back: %s", diff)
	}
	for _, s := range []*store.Store{second, third} {
		if got, err := s.Secret(ctx, "tokens"); err != nil || string(got) != string(secret) {
			t.Errorf("the secret is another one, %v", err)
		}
		err := s.View(ctx, func(tx *store.Tx) error {
			environments, err := tx.Environments(ctx, scope, nil, "", 100)
			if err != nil || len(environments) != 30 {
				t.Errorf("%d environments, %v", len(environments), err)
			}
			archive, err := tx.Bundle(ctx, "sha256:1")
			if err != nil || string(archive) != "\x00\x01\xff" {
				t.Errorf("bundle %q, %v", archive, err)
			}
			d, _, err := tx.DeploymentByID(ctx, "d")
			if diff := cmp.Diff(outputs, d.Outputs); diff != "" || err != nil {
				t.Errorf("outputs: %v (-want +got):\n%s", err, diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Copy(ctx, first, second); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a database with rows: %v", err)
	}
	if err := second.Beat(ctx, "node", time.Minute); err != nil {
		t.Fatal(err)
	}
	fourth := open(t, "sqlite:"+filepath.Join(t.TempDir(), "fourth.db"))
	if _, err := store.Copy(ctx, second, fourth); err == nil || !strings.Contains(err.Error(), "stop them") {
		t.Errorf("of a database in use: %v", err)
	}
}
