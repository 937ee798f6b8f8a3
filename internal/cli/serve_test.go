package cli

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first start prints the key it makes; later ones say where it is. The
// server answers, stops in good order, and can be started again.
func TestServeFromFirstStartToStop(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new data")
	first := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	url := first.wait(t, servesOn)
	secret := first.wait(t, `export AWS_SECRET_ACCESS_KEY=(\S+)`)
	first.wait(t, `export AWS_ENDPOINT_URL=`+url)
	first.wait(t, `export AWS_ACCESS_KEY_ID=AKIA\w+`)
	first.wait(t, `export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 `)
	file := filepath.Join(data, "credentials")
	if first.wait(t, `(Press Ctrl-C)`); !strings.Contains(first.stdout.String(), file) {
		t.Errorf("it does not say where the key is kept:\n%s", first.stdout.String())
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credentials file: %v, %v", info, err)
	}
	res, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(body) != "ready\n" {
		t.Errorf("readyz: %q, %v", body, err)
	}
	hadron(t, toServer(url, data), "api", "ListServices").wantCode(t, 0)

	if code := first.end(t); code != 0 {
		t.Errorf("exit code %d after a stop\n%s", code, first.stderr.String())
	}
	if !strings.HasSuffix(first.stdout.String(), "Stopped.\n") {
		t.Errorf("it does not say that it stopped:\n%s", first.stdout.String())
	}

	second := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	again := second.wait(t, servesOn)
	second.wait(t, `export AWS_SHARED_CREDENTIALS_FILE='`+file+`'`)
	if strings.Contains(second.stdout.String()+second.stderr.String(), secret) {
		t.Error("a later start prints the secret")
	}
	hadron(t, toServer(again, data), "api", "ListServices").wantCode(t, 0)
}

func TestServeWithAConfiguredKey(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	config := write(t, filepath.Join(t.TempDir(), "hadron.yaml"), "listen: 127.0.0.1:0\nroot-access-key-id: AKIAEXAMPLEEXAMPLE\n")
	env := variables{"HADRON_CONFIG": config, "HADRON_ROOT_SECRET_ACCESS_KEY": "a secret of mine", "HADRON_DATA": data}
	s := start(t, env, "serve")
	url := s.wait(t, servesOn)
	s.wait(t, "the root access key you configured")
	client := variables{"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a secret of mine"}
	hadron(t, client, "api", "ListServices").wantCode(t, 0)
	if _, err := os.Stat(filepath.Join(data, "credentials")); err == nil {
		t.Error("a key was made although one is configured")
	}
	if strings.Contains(s.stdout.String()+s.stderr.String(), "secret of mine") {
		t.Error("the configured secret is printed")
	}
}

// What keeps a server from starting is one line that says what to do.
func TestServeThatCannotStart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := l.Addr().String()
	data := t.TempDir()
	running := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	running.wait(t, servesOn)
	file := write(t, filepath.Join(t.TempDir(), "file"), "")

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"address taken":         {[]string{"--listen", taken}, taken + " is in use: another program listens there; stop it, or choose another address, as in --listen 127.0.0.1:"},
		"foreign address":       {[]string{"--listen", "192.0.2.1:8080"}, "192.0.2.1:8080 is not an address of this machine"},
		"data folder held":      {[]string{"--listen", "127.0.0.1:0", "--data", data}, "is held by another process"},
		"data folder no folder": {[]string{"--listen", "127.0.0.1:0", "--data", file}, "data folder: "},
	} {
		for _, command := range []string{"serve", "quickstart"} {
			t.Run(command+" with "+name, func(t *testing.T) {
				t.Parallel()
				got := hadron(t, variables{"HADRON_DATA": t.TempDir()}, append([]string{command}, c.args...)...).wantCode(t, exitFailure)
				if !strings.HasPrefix(got.stderr, "hadron: ") || !strings.Contains(got.stderr, c.want) || strings.Count(got.stderr, "\n") != 1 {
					t.Errorf("stderr: %s\nwant one line with: %s", got.stderr, c.want)
				}
			})
		}
	}
}

func TestServeWarnsWhenOthersCanReachIt(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": false, "localhost:8080": false, "[::1]:8080": false, "127.9.9.9:1": false,
		"0.0.0.0:8080": true, ":8080": true, "[::]:8080": true, "10.0.0.1:8080": true, "hadron.example.com:80": true,
	} {
		if got := reachable(address); got != want {
			t.Errorf("reachable(%q) = %v, want %v", address, got, want)
		}
	}
	s := start(t, nil, "serve", "--listen", "0.0.0.0:0", "--data", t.TempDir())
	s.wait(t, servesOn)
	if !strings.Contains(s.stderr.String(), "can be reached from other machines and does not encrypt") {
		t.Errorf("no warning:\n%s", s.stderr.String())
	}
}
