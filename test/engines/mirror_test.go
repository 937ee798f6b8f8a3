package engines

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

// A mirror of providers refuses, then breaks off in the middle of a download;
// each time the deployment says so, and the next one can do without.
func TestProvidersThatAreRefusedOrBreakOffFailTheDeployment(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	mirror := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case refuses.Load():
			http.Error(w, "not for you", http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/index.json"):
			_, _ = w.Write([]byte(`{"versions": {"1.0.0": {}}}`))
		case strings.HasSuffix(r.URL.Path, "/1.0.0.json"):
			_, _ = w.Write([]byte(`{"archives": {"linux_amd64": {"url": "no.zip"}, "linux_arm64": {"url": "no.zip"}, "darwin_arm64": {"url": "no.zip"}}}`))
		default:
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(make([]byte, 1000))
			_ = http.NewResponseController(w).Flush() // so that it has begun
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(mirror.Close)
	dir := t.TempDir()
	certificate, config := filepath.Join(dir, "mirror.pem"), filepath.Join(dir, "tofu.rc")
	for file, text := range map[string]string{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mirror.Certificate().Raw})),
		config:      `provider_installation { network_mirror { url = "` + mirror.URL + `/" } }`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, tofu(t), "SSL_CERT_FILE="+certificate, "TF_CLI_CONFIG_FILE="+config)
	s.environmentTemplate("net", tofuEnvironment(network))
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.environmentTemplate("net", tofuEnvironment(network+`
terraform {
  required_providers {
    no = { source = "registry.example.com/acme/no" }
  }
}
`))
	for refused, want := range map[bool]string{true: "rejected the given authentication credentials", false: "unexpected EOF"} {
		refuses.Store(refused)
		s.updateEnvironment("one", "")
		message := s.environmentEnds("one", api.DeploymentStatusFailed)
		if !strings.Contains(message, "OpenTofu init failed") || !strings.Contains(message, "registry.example.com/acme/no") || !strings.Contains(message, want) {
			t.Errorf("message: %s\nwant it to tell of the provider, and %s", message, want)
		}
		if got := s.outputs("one")["Net"]; got != "net-small" {
			t.Errorf("outputs after the failure: %v", s.outputs("one"))
		}
	}
	s.environmentTemplate("net", tofuEnvironment(network))
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
}
