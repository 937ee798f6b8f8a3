package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

// onSmallDisk has a server's folder on a disk of a few megabytes, which only the
// server has. It is skipped where no user may make one.
func onSmallDisk(t *testing.T, megabytes int, below string) *server {
	t.Helper()
	mount := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
		fmt.Sprintf(`mkdir -p "$1" && mount -t tmpfs -o size=%dm tmpfs "$1" && shift && exec "$@"`, megabytes), "sh"}
	if out, err := exec.Command(mount[0], append(mount[1:], t.TempDir(), "true")...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk can be made: %v: %s", err, out)
		}
		t.Skipf("no small disk can be made: %v: %s", err, out)
	}
	s := prepare(t)
	s.wrap = append(mount, filepath.Join(s.data, below))
	s.run()
	return s
}

// inside is a path as the server sees it.
func (s *server) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", s.cmd.Process.Pid, path)
}

const greedyManifest = `infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        provision:
          - if grep -q large proton-inputs.json; then head -c 32M /dev/zero > big; fi
        deprovision: ["true"]
`

func TestDeploymentThatFillsTheDiskFailsAndLeavesRoom(t *testing.T) {
	t.Parallel()
	s := onSmallDisk(t, 8, "work")
	s.environmentTemplate("net", files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": greedyManifest})
	s.createEnvironment("one", "net", "{size: large}")
	if message := s.environmentEnds("one", api.DeploymentStatusFailed); !strings.Contains(message, "head -c 32M") || !strings.HasSuffix(message, "the disk of the server's work folders was full") {
		t.Errorf("message: %s", message)
	}
	s.updateEnvironment("one", "{size: small}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
}

func TestFullDiskRefusesCallsAndLosesNothing(t *testing.T) {
	t.Parallel()
	gate := t.TempDir()
	s := onSmallDisk(t, 24, "")
	s.environmentTemplate("net", files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": strings.Replace(greedyManifest,
		"if grep -q large proton-inputs.json; then head -c 32M /dev/zero > big; fi", "until [ -e "+gate+"/open ]; do sleep 0.1; done", 1)})
	s.createEnvironment("one", "net", "{}")
	s.eventually("the commands run", func() bool {
		return *s.environment("one").DeploymentStatus == api.DeploymentStatusInProgress && s.environmentLog("one") != ""
	})

	ballast := s.inside(filepath.Join(s.data, "ballast"))
	full := func() bool {
		f := must(os.OpenFile(ballast, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600))(t)
		defer f.Close()
		for {
			if _, err := f.Write(make([]byte, 4<<10)); err != nil {
				return errors.Is(err, syscall.ENOSPC)
			}
		}
	}
	s.eventually("the disk is full", full)
	in := &api.CreateEnvironmentInput{Name: p("two"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p(environmentSpec + "{}")}
	s.eventually("a call is refused", func() bool {
		full()
		_, err := s.CreateEnvironment(t.Context(), in)
		if err != nil && code(err) != "InternalServerException" {
			t.Fatalf("a call that can't be written: %v", err)
		}
		return err != nil
	})
	open(t, gate)
	time.Sleep(time.Second) // the commands end meanwhile
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	must(s.CreateEnvironment(t.Context(), in))(t) // made now, or answered as the repeat that it is
	s.environmentEnds("two", api.DeploymentStatusSucceeded)
}
