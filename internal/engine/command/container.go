package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
)

// Container is what commands run in instead of on the server's machine itself: a
// container of its own for each run, which has nothing of the machine but the
// run's folder.
type Container struct {
	Runtime string // the path of podman or docker, or of what is called as they are
	// Image is for manifests that name one of the build service's, which is not to
	// be had elsewhere.
	Image   string
	Options []string // further options of the runtime's "run", such as --network=none
}

// ofBuildService is how the names of images begin that only the build service has.
const ofBuildService = "aws/codebuild/"

// imageName has no spaces and no dash in front, which would make it an option.
var imageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$`)

// CheckImage refuses what is no name of an image.
func CheckImage(name string) error {
	if !imageName.MatchString(name) {
		return fmt.Errorf("%q is not the name of an image, such as docker.io/library/debian:12", name)
	}
	return nil
}

func (c *Container) image(named string) (string, error) {
	if named == "" || strings.HasPrefix(named, ofBuildService) {
		return c.Image, nil
	}
	if err := CheckImage(named); err != nil {
		return "", failure("settings.image of the manifest: " + err.Error())
	}
	return named, nil
}

// runLabel marks the containers of a run.
const runLabel = "hadron.run"

// placed is a run's place in a container: enough to start it, and to find what is
// left of it. It holds no secrets, and is kept in the run's folder from before the
// container is there until all of it is gone.
type placed struct {
	Runtime     string
	Environment []string // of the runtime itself
	Label       string
	Arguments   []string // of the runtime, to start the session
}

// inContainer starts the session there. Its variables come through its input, so
// that they are seen neither in the arguments of a process nor by who inspects the
// container. As the first process of the container it hands on the wish to end.
const inContainer = `eval "$(cat)"
trap 'kill -TERM -1' TERM INT
"$@" </dev/null &
while :; do
  wait "$!"
  status=$?
  kill -0 "$!" 2>/dev/null || exit "$status"
done`

// place says how to run a session in a container.
func (c *Container) place(f *folder, r engine.Run, environ, keep []string) (*placed, error) {
	image, err := c.image(r.Build.Image)
	if err != nil {
		return nil, err
	}
	p := &placed{Runtime: c.Runtime, Label: runLabel + "=" + r.ID}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains([]string{"PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}, name) {
			p.Environment = append(p.Environment, variable)
		}
	}
	p.Arguments = []string{"run", "--rm", "--interactive", "--label=" + p.Label,
		"--cap-drop=all", "--security-opt=no-new-privileges", c.user(),
		"--volume=" + f.Dir + ":" + f.Dir, "--workdir=" + f.Path("job", "src"), "--entrypoint=sh"}
	for _, folder := range keep {
		if _, err := os.Stat(folder); err == nil {
			p.Arguments = append(p.Arguments, "--volume="+folder+":"+folder)
		}
	}
	p.Arguments = append(p.Arguments, c.Options...)
	p.Arguments = append(p.Arguments, image, "-c", inContainer, "session", "sh", f.session())
	return p, nil
}

// user is who the commands are in the container: the owner of their folder.
func (c *Container) user() string {
	if strings.Contains(filepath.Base(c.Runtime), "podman") && os.Geteuid() != 0 {
		return "--userns=keep-id"
	}
	return fmt.Sprintf("--user=%d:%d", os.Geteuid(), os.Getegid())
}

// exports are variables as the session reads them. The image's own PATH stays, behind
// the run's folder of programs.
func exports(environment map[string]string, programs string) string {
	var b strings.Builder
	for _, variable := range engine.Environ(environment) {
		name, value, _ := strings.Cut(variable, "=")
		if name != "PATH" {
			fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
		}
	}
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(programs))
	return b.String()
}

func (f *folder) keepPlace(p placed) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(f.Path("container"), text, 0o600)
}

// clearPlace removes the containers that are left of a run, if it had any. An error
// means that one may still be going on.
func (f *folder) clearPlace() error {
	text, err := os.ReadFile(f.Path("container"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p placed
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return fmt.Errorf("the run's container: %w", err)
	}
	if err := p.remove(); err != nil {
		return err
	}
	return os.Remove(f.Path("container"))
}

// remove kills and removes the run's containers.
func (p *placed) remove() error {
	for range 3 { // one may have been about to be made, or to go by itself
		ids, err := p.call("ps", "--all", "--quiet", "--no-trunc", "--filter=label="+p.Label)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err = p.call("rm", append([]string{"--force"}, ids...)...); err == nil {
			continue
		}
		time.Sleep(100 * time.Millisecond)
	}
	ids, err := p.call("ps", "--all", "--quiet", "--filter=label="+p.Label)
	if err == nil && len(ids) > 0 {
		err = engine.MarkTransient(fmt.Errorf("the container %s of an earlier try cannot be removed", ids[0]))
	}
	return err
}

// answerTime is how long the runtime may take to list or remove.
const answerTime = 30 * time.Second

func (p *placed) call(verb string, arguments ...string) (words []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Runtime, append([]string{verb}, arguments...)...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Environment, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, engine.MarkTransient(fmt.Errorf("%s %s: %w: %s", p.Runtime, verb, err, bytes.TrimSpace(stderr.Bytes()[:min(stderr.Len(), 500)])))
	}
	return strings.Fields(stdout.String()), nil
}
