package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// state sends a request for an OpenTofu state with the root key.
func (f *fixture) state(t *testing.T, method, body string) (int, string) {
	t.Helper()
	url := f.server.URL + "/-/state/" + f.account + "/" + region + "/environment/one"
	r := must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
	r.SetBasicAuth(f.server.Root.AccessKeyID, string(f.server.Root.SecretAccessKey))
	res := must(http.DefaultClient.Do(r))(t)
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(t))
}

// stop ends the server before the test does.
func (f *fixture) stop(t *testing.T) {
	t.Helper()
	if err := f.server.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.broken = true // it cannot be closed twice
}

// again is a server with the data and the configuration of one that has ended.
func (f *fixture) again(t *testing.T) *fixture {
	t.Helper()
	g := startWith(t, f.engines, func(c *Config) { *c = f.server.config })
	g.engine = f.engine
	return g
}

const rotatedState = `{"version": 4, "serial": 7, "lineage": "a", "outputs": {}, "resources": []}`

// secrets are one of each kind that the database keeps sealed, and more of one
// than a transaction seals anew.
type secrets struct {
	users []signedBy
	hook  *api.CreateConnectionOutput
}

func (f *fixture) keepSecrets(t *testing.T) (kept secrets) {
	t.Helper()
	f.publish(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Outputs: []engine.Output{{Key: "Token", Value: "very-secret-token", Sensitive: true}}})
	f.createEnvironment(t, "one")
	for n := range 130 {
		kept.users = append(kept.users, f.user(t, fmt.Sprint("user-", n), `{"Effect":"Allow","Action":"*","Resource":"*"}`))
	}
	kept.hook = must(f.CreateConnection(t.Context(), &api.CreateConnectionInput{
		Name: p("forge"), Provider: api.Ptr(api.ConnectionProviderGithubEnterprise), Kind: api.Ptr(api.ConnectionKindGitea), Url: p("https://git.example.com/"), Token: p("hush-hush"),
	}))(t)
	if status, text := f.state(t, http.MethodPost, rotatedState); status != http.StatusOK {
		t.Fatalf("state: %d %s", status, text)
	}
	return kept
}

// opens reports what of the secrets cannot be used any more.
func (f *fixture) opens(t *testing.T, kept secrets) {
	t.Helper()
	ctx := t.Context()
	for _, u := range []signedBy{kept.users[0], kept.users[129]} {
		must(f.clientOf(u).ListServices(ctx, &api.ListServicesInput{}))(t)
	}
	if status, text := f.state(t, http.MethodGet, ""); status != http.StatusOK || text != rotatedState {
		t.Errorf("state: %d %s", status, text)
	}
	err := f.server.store.View(ctx, func(tx *store.Tx) error {
		c, _, err := tx.Connection(ctx, f.scope(), *kept.hook.ConnectionArn)
		if err != nil {
			return err
		}
		token, err := f.server.masterKeys.sealer.Open(c.Token, control.TokenName(c))
		if err != nil || token != "hush-hush" {
			t.Errorf("token %q, %v", string(token), err)
		}
		secret, err := f.server.masterKeys.sealer.Open(c.WebhookSecret, control.WebhookSecretName(c))
		if err != nil || string(secret) != *kept.hook.WebhookSecret {
			t.Errorf("webhook's secret: %v", err)
		}
		e, err := tx.Environment(ctx, f.scope(), "one")
		if err != nil {
			return err
		}
		d, err := tx.Deployment(ctx, f.scope(), e.LastSucceededDeploymentID)
		if err != nil || !slices.ContainsFunc(d.Outputs, func(o proton.Output) bool { return o.Value == "very-secret-token" }) {
			t.Errorf("outputs %v, %v", d.Outputs, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if out := must(f.VerifyAuditLog(ctx, &api.VerifyAuditLogInput{}))(t); !*out.Whole {
		t.Errorf("audit log: %s", api.Value(out.Problem))
	}
}

// A rotation that is cut off anywhere is gone on with, and in the end nothing
// needs the old key.
func TestMasterKeyIsRotatedThroughAKill(t *testing.T) {
	t.Parallel()
	f := start(t)
	kept := f.keepSecrets(t)
	file := MasterKeyFile(f.server.config.Data, "")
	old := must(ReadMasterKeys(file))(t)
	keys := append(MasterKeys{NewMasterKey()}, old...)
	if err := keys.Write(file); err != nil {
		t.Fatal(err)
	}
	must(f.server.masterKeys.read(t.Context()))(t)
	f.opens(t, kept) // with both
	before := must(f.server.masterKeys.stale(t.Context()))(t)
	if before < 133 {
		t.Fatalf("%d values are sealed with the old key", before)
	}
	ctx, kill := context.WithCancel(t.Context())
	killing, seals := f.server.masterKeys.forStore(), 0
	seal := killing.Seal
	killing.Seal = func(text, name string) string {
		if seals++; seals == 120 { // in the second transaction
			kill()
		}
		return seal(text, name)
	}
	f.server.store.SealWith(killing)
	if _, err := f.server.store.Reseal(ctx, sealedColumns); err == nil {
		t.Fatal("the pass was not cut off")
	}
	f.server.store.SealWith(f.server.masterKeys.forStore())
	if left := must(f.server.masterKeys.stale(t.Context()))(t); left == 0 || left >= before {
		t.Errorf("%d of %d are left after the kill", left, before)
	}
	f.opens(t, kept)
	f.stop(t)

	g := f.again(t)
	eventually(t, "everything is sealed with the new key", func() bool {
		return *must(g.GetMasterKeys(t.Context(), &api.GetMasterKeysInput{}))(t).SealedWithOthers == 0
	})
	status := must(g.GetMasterKeys(t.Context(), &api.GetMasterKeysInput{}))(t)
	if *status.KeyId != keys.IDs()[0] || !slices.Equal(status.OtherKeyIds, old.IDs()) {
		t.Errorf("keys %s, %v", *status.KeyId, status.OtherKeyIds)
	}
	g.stop(t)
	if err := keys[:1].Write(file); err != nil {
		t.Fatal(err)
	}
	f.again(t).opens(t, kept) // without the old key
}

func TestMasterKeysThatCannotBeUsedChangeNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	m := f.server.masterKeys
	good := must(os.ReadFile(m.file))(t)
	ids := m.sealer.KeyIDs()
	for name, text := range map[string]string{
		"nothing": "", "a comment alone": "# keys\n", "no base64": "???\n", "a short key": "AAAA\n",
		"a key of another server": strings.TrimSpace(must(base64Key())(t)) + "\n",
	} {
		if err := os.WriteFile(m.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := m.read(t.Context()); changed || err == nil {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
		if !slices.Equal(ids, m.sealer.KeyIDs()) {
			t.Errorf("%s: the keys are %v", name, m.sealer.KeyIDs())
		}
	}
	if err := os.WriteFile(m.file, append([]byte("# what seals\n\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	must(m.read(t.Context()))(t)
	if !slices.Equal(ids, m.sealer.KeyIDs()) {
		t.Errorf("keys %v", m.sealer.KeyIDs())
	}
}

// Values that were sealed before keys had names still open.
func TestSealedValuesWithoutAKeysName(t *testing.T) {
	t.Parallel()
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	s := must(auth.NewSealer(first))(t)
	_, bare, _ := strings.Cut(s.Seal("secret", "name"), ".")
	named := s.Seal("secret", "name")
	if err := s.Use(second, first); err != nil {
		t.Fatal(err)
	}
	for _, sealed := range []string{bare, named} {
		if got, err := s.Open(sealed, "name"); err != nil || got != "secret" || !s.Stale(sealed) {
			t.Errorf("%q: %v, stale %v", string(got), err, s.Stale(sealed))
		}
	}
	if err := s.Use(second); err != nil {
		t.Fatal(err)
	}
	for _, sealed := range []string{bare, named} {
		if _, err := s.Open(sealed, "name"); err == nil {
			t.Error("it opens without its key")
		}
	}
	_, err := s.Open(named, "name")
	if want := "sealed with master key " + auth.MasterKeyID(first) + ", which this server does not have"; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func base64Key() (string, error) {
	file, err := os.CreateTemp("", "key")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := (MasterKeys{NewMasterKey()}).Write(file.Name()); err != nil {
		return "", err
	}
	text, err := os.ReadFile(file.Name())
	return string(text), err
}

func TestModesOfTheDataFolderAreLookedAt(t *testing.T) {
	t.Parallel()
	said := &lines{}
	log := slog.New(slog.NewTextHandler(said, nil))
	f := start(t)
	c := f.server.config
	warnOfModes(c, log)
	if said.text.Len() > 0 {
		t.Errorf("of a new folder: %s", said.text.String())
	}
	for path, mode := range map[string]os.FileMode{c.Data: 0o777, MasterKeyFile(c.Data, ""): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	warnOfModes(c, log)
	if n := said.count("others on this machine may read or change"); n != 2 {
		t.Errorf("%d warnings: %s", n, said.text.String())
	}
}
