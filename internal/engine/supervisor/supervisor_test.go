package supervisor

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

func TestProgramsAreInterruptedWhenTheServerIsSilent(t *testing.T) {
	t.Parallel()
	f, err := TryLock(t.TempDir(), true)
	if err != nil || f == nil {
		t.Fatal(f, err)
	}
	defer f.Release()
	spare := &Spare{}
	k, err := spare.launch()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.give(f, order{Bounds: Bounds{Grace: 5 * time.Second, Silence: 300 * time.Millisecond}}); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	begin := time.Now()
	_, err = k.Run(t.Context(), Program{Argv: []string{"/bin/sh", "-c", "trap 'echo interrupted; exit 0' INT; sleep 10 & wait"}, Dir: "/"}, &output)
	if took := time.Since(begin); took > 5*time.Second || !strings.Contains(output.String(), "interrupted") {
		t.Errorf("ended after %v with %q, %v", took, &output, err)
	}
}

func TestForwardsUntilItIsCut(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer server.Close()
	address := server.Listener.Addr().String()
	f, err := newForward(address)
	if err != nil {
		t.Fatal(err)
	}
	env := f.through(address, []string{"A=http://" + address + "/states", "B=http://" + address + "9/"})
	if env[1] != "B=http://"+address+"9/" {
		t.Errorf("another address was rewritten: %s", env[1])
	}
	url, sent := strings.TrimPrefix(env[0], "A="), strings.Repeat("state", 100_000)
	for range 3 {
		answer, err := http.Post(url, "text/plain", strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(answer.Body); string(got) != sent || err != nil {
			t.Errorf("%d of %d bytes came back: %v", len(got), len(sent), err)
		}
		answer.Body.Close()
	}
	f.cut()
	if _, err := http.Post(url, "text/plain", nil); err == nil {
		t.Error("a connection goes through after the cut")
	}
	if _, err := newForward("localhost:80"); err == nil {
		t.Error("a name is taken for an address")
	}
}

func TestLimitsWithoutASandboxAreRefused(t *testing.T) {
	t.Parallel()
	p := Program{Argv: []string{"/bin/sh", "-c", ":"}, Dir: "/", Box: sandbox.Box{Limits: sandbox.Limits{File: 1}}}
	if _, _, err := p.Start(); err == nil || !strings.Contains(err.Error(), "in a sandbox only") {
		t.Errorf("got %v", err)
	}
}
