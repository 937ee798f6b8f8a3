package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

func states(of ...api.DeploymentStatus) []deployable {
	var list []deployable
	for n, s := range of {
		list = append(list, deployable{what: "instance " + string(rune('a'+n)), status: &s})
	}
	return list
}

// Without a terminal, a line is written when something has changed.
func TestProgressInAFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&tool{stdout: &out})
	p.began = time.Now()
	for range 3 {
		p.show(states(api.DeploymentStatusInProgress, api.DeploymentStatusInProgress))
	}
	p.show(states(api.DeploymentStatusInProgress, api.DeploymentStatusSucceeded))
	p.show(states(api.DeploymentStatusFailed, api.DeploymentStatusSucceeded))
	got := regexp.MustCompile(` {2,}`).ReplaceAllString(out.String(), " ")
	want := " … instance a deploying\n … instance b deploying\n ✓ instance b deployed after 0.0 s\n ✗ instance a FAILED\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// On a terminal, the lines are drawn again in their place.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&tool{stdout: &out, terminal: true})
	p.began = time.Now()
	p.show(states(api.DeploymentStatusInProgress))
	p.show(states(api.DeploymentStatusInProgress, api.DeploymentStatusInProgress))
	p.show(states(api.DeploymentStatusSucceeded, api.DeploymentStatusInProgress))
	drawings := regexp.MustCompile("\x1b\\[[0-9]A").Split(out.String(), -1)
	if len(drawings) != 3 || strings.Count(out.String(), "\x1b[1A") != 1 || strings.Count(out.String(), "\x1b[2A") != 1 {
		t.Fatalf("want three drawings, the second over one line, the third over two: %q", out.String())
	}
	last := drawings[2]
	if strings.Count(last, "\n") != 2 || strings.Count(last, "\x1b[K\n") != 2 || !strings.Contains(last, "✓ instance a") || !strings.Contains(last, "deploying, 0.0 s") {
		t.Errorf("last drawing: %q", last)
	}
	if strings.Contains(out.String(), "\x1b[3") {
		t.Error("colors although they were not asked for")
	}
}
