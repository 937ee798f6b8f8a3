package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// inContainers are containers of a real runtime, which "make test-containers"
// sets up. What is given can be seen in them.
func inContainers(t *testing.T, shown ...string) *command.Container {
	t.Helper()
	runtime, image, ok := strings.Cut(os.Getenv("HADRON_CONTAINER"), " ")
	if !ok {
		t.Skip(`there is no container runtime: "make test-containers" sets one up`)
	}
	c := &command.Container{Runtime: runtime, Image: image, Options: []string{"--pull=never", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"}}
	for _, dir := range shown {
		c.Options = append(c.Options, "--volume="+dir+":"+dir)
	}
	return c
}

// containersOf lists those of a run.
func containersOf(t *testing.T, c *command.Container, r engine.Run) string {
	t.Helper()
	out, err := exec.Command(c.Runtime, "ps", "--all", "--quiet", "--filter=label=hadron.run="+r.ID).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestDriverConformsInContainers(t *testing.T) {
	t.Parallel()
	inContainers(t)
	enginetest.Conform(t, enginetest.Harness{World: func(t *testing.T) enginetest.World {
		w := &containerWorld{world{t: t, root: t.TempDir(), dir: t.TempDir()}, nil}
		w.container = inContainers(t, w.dir)
		return w
	}})
}

// containerWorld is a world whose commands run in containers.
type containerWorld struct {
	world
	container *command.Container
}

func (w *containerWorld) Driver() engine.Driver {
	d, err := command.New(command.Driver{Root: w.root, Container: w.container, Grace: 300 * time.Millisecond})
	if err != nil {
		w.t.Error(err)
	}
	return d
}

func (w *containerWorld) Run(p enginetest.Plan) engine.Run {
	r := w.world.Run(p)
	if r.Build.Timeout > 0 {
		r.Build.Timeout = 3 * time.Second // of which the container's start takes a part
	}
	return r
}

// Alive looks for processes that have the world's variable, for their numbers are
// others in a container.
func (w *containerWorld) Alive() bool { return anyWith("WORLD=" + w.dir) }

func anyWith(variable string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		if bytes.Contains(append([]byte{0}, text...), []byte("\x00"+variable+"\x00")) {
			return true
		}
	}
	return false
}

func TestContainerHasNothingOfTheMachineButItsRun(t *testing.T) {
	t.Parallel()
	c := inContainers(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of the machine"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, func(d *command.Driver) { d.Container = c })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, log := newRun(
		`[ ! -e `+secret+` ] && [ ! -e `+self+` ] && [ ! -e /proc/`+fmt.Sprint(os.Getpid())+` ] && echo hidden`,
		`echo "$TEXT"; case $PATH in */job/bin:*/bin*) echo "the image's programs" ;; esac`,
		`grep CapEff /proc/self/status; pwd | grep -o 'job/src$'; cat given.txt`,
		`printf '{"Answer": "42"}' > proton-outputs.json`,
	)
	r.Build.Variables = map[string]string{"TEXT": "it's\n$(two) \"lines\""}
	r.Files = []engine.File{{Path: "given.txt", Content: []byte("a file of the run\n")}}
	st := step(t, d, r)
	if st.Failure != "" || len(st.Outputs) != 1 || st.Outputs[0].Value != "42" {
		t.Errorf("%+v\n%s", st, log)
	}
	want := "hidden\nit's\n$(two) \"lines\"\nthe image's programs\nCapEff:\t0000000000000000\njob/src\na file of the run\n"
	if got := plain(log); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if left := containersOf(t, c, r); left != "" {
		t.Errorf("left: %s", left)
	}
}

func TestVariablesOfAContainerCannotBeInspected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := inContainers(t, dir)
	d := newDriver(t, func(d *command.Driver) { d.Container = c })
	r, _ := newRun(`touch ` + dir + `/up; while ! [ -e ` + dir + `/go ]; do sleep 0.05; done`)
	r.Build.Variables = map[string]string{"PASSWORD": "hunter22-hunter22"}
	ended := make(chan engine.Status, 1)
	go func() { ended <- step(t, d, r) }()
	eventually(t, "the command runs", func() bool { return exists(dir + "/up") })
	id := strings.TrimSpace(containersOf(t, c, r))
	out, err := exec.Command(c.Runtime, "inspect", id).CombinedOutput()
	if err != nil || !strings.Contains(string(out), r.ID) || strings.Contains(string(out), "hunter22") {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if st := <-ended; st.Failure != "" {
		t.Error(st.Failure)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// Whoever dies, and however: a container is never left, and never beside another
// of its run.
func TestNoContainerOutlivesItsRun(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(t *testing.T, d *command.Driver, r engine.Run, cancel func(), supervisor int){
		"the server gives up": func(_ *testing.T, _ *command.Driver, _ engine.Run, cancel func(), _ int) { cancel() },
		"the run is cancelled": func(t *testing.T, d *command.Driver, r engine.Run, _ func(), _ int) {
			if _, err := d.Cancel(t.Context(), r, ""); err != nil {
				t.Error(err)
			}
		},
		"the supervisor is killed": func(t *testing.T, _ *command.Driver, _ engine.Run, _ func(), supervisor int) {
			if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := inContainers(t, dir)
			d := newDriver(t, func(d *command.Driver) { d.Container = c })
			r, log := newRun(`trap '' TERM; touch `+dir+`/up; while ! [ -e `+dir+`/go ]; do sleep 0.05; done`, `echo x >> `+dir+`/done`)
			r.Build.Variables = map[string]string{"WORLD": dir}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := d.Step(ctx, r, "")
				ended <- err
			}()
			eventually(t, "the command runs", func() bool { return exists(dir + "/up") })
			end(t, d, r, cancel, readPID(filepath.Join(d.Root, r.ID, "lock")))
			if err := <-ended; err == nil && what != "the run is cancelled" {
				t.Error("the step was taken to its end")
			}
			if left := containersOf(t, c, r); left != "" || anyWith("WORLD="+dir) {
				t.Errorf("left: %q", left)
			}
			if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
				t.Fatal(err)
			}
			st := step(t, d, r)
			text, _ := os.ReadFile(dir + "/done")
			if cancelled := what == "the run is cancelled"; cancelled != (st.Failure != "") || cancelled == (string(text) == "x\n") {
				t.Errorf("%+v, done %q\n%s", st, text, log)
			}
		})
	}
}

func TestContainersThatCannotBeStartedSayWhy(t *testing.T) {
	t.Parallel()
	c := inContainers(t)
	d := newDriver(t, func(d *command.Driver) { d.Container = c })
	for image, want := range map[string]string{
		"localhost/not-here:1": "its container could not be started",
		"--privileged":         `settings.image of the manifest: "--privileged" is not the name of an image`,
	} {
		r, log := newRun("true")
		r.Build.Image = image
		if st := step(t, d, r); !strings.Contains(st.Failure, want) {
			t.Errorf("%s: %q, want %q\n%s", image, st.Failure, want, log)
		}
	}
	r, _ := newRun("true")
	r.Build.Image = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("an image that only the build service has: %s", st.Failure)
	}
	gone := newDriver(t, func(d *command.Driver) {
		d.Container = &command.Container{Runtime: "/not/here/podman", Image: c.Image}
	})
	r, _ = newRun("true")
	if _, err := gone.Step(t.Context(), r, ""); err == nil || !strings.Contains(err.Error(), "/not/here/podman") || errors.Is(err, context.Canceled) {
		t.Errorf("a runtime that is not there: %v", err)
	}
}
