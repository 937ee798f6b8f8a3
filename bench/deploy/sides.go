package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/app"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

const (
	variablesFile = `
variable "environment" { type = object({ name = string, inputs = any }) }
`
	schemaFile = `schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In: {type: object, properties: {round: {type: number}}}
`
	manifestFile = `infrastructure:
  templates:
    - {file: "*", rendering_engine: hcl, template_language: terraform}
`
	mainFile = `
resource "terraform_data" "it" {
  count = 10
  input = "${var.environment.inputs.round}-${count.index}"
}
output "first" { value = terraform_data.it[0].output }
`
	// workFile makes a resource that takes a while, anew each time.
	workFile = `
resource "terraform_data" "work" {
  triggers_replace = var.environment.inputs.round
  provisioner "local-exec" { command = "sleep %s" }
}
`
	providersFile = `terraform {
  required_providers {
    terraform = { source = "terraform.io/builtin/terraform" }
  }
}
`
	region = "eu-west-1"
)

// folder is what is deployed.
type folder struct {
	name  string
	files map[string]string
	later float64 // the goal of later deployments
	slow  int     // rounds are so much fewer
}

// folders do next to nothing, or take as long as those of people may. Nothing is
// to be installed for them, so that they need no init of their own; the last
// names its providers and does.
var folders = []folder{
	{"", map[string]string{"main.tf": mainFile}, 1, 1},
	{" of 0.5 s", map[string]string{"main.tf": mainFile + fmt.Sprintf(workFile, "0.5")}, 1.05, 2},
	{" of 2 s", map[string]string{"main.tf": mainFile + fmt.Sprintf(workFile, "2")}, 1.05, 4},
	{" of 2 s with an init", map[string]string{"main.tf": mainFile + fmt.Sprintf(workFile, "2"), "providers.tf": providersFile}, 1.05, 4},
}

// hand deploys a folder as a person would.
type hand struct{ program, dir string }

func newHand(program, dir string, f folder) (*hand, error) {
	h := &hand{program, dir}
	err := errors.Join(os.MkdirAll(dir, 0o700), h.write("variables.tf", variablesFile))
	for name, text := range f.files {
		err = errors.Join(err, h.write(name, text))
	}
	return h, err
}

func (h *hand) write(name, text string) error {
	return os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600)
}

func (h *hand) deploy(ctx context.Context, n int) error {
	if err := h.write("values.auto.tfvars.json", fmt.Sprintf(`{"environment": {"name": "one", "inputs": {"round": %d}}}`, n)); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve"}} {
		cmd := exec.CommandContext(ctx, h.program, args...)
		cmd.Dir = h.dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "CHECKPOINT_DISABLE=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

// server deploys an environment of the same files through the API.
type server struct {
	*api.Client
	app   *app.Server
	quiet time.Duration // for which nothing is asked after a call
}

func newServer(ctx context.Context, program, data string, f folder) (*server, error) {
	c := app.DefaultConfig()
	c.Listen, c.Data, c.Tofu = "127.0.0.1:0", data, program
	a, err := app.Start(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	s := &server{app: a, Client: api.NewClient(&awsjson.HTTP{Endpoint: a.URL, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, a.Root.AccessKeyID, a.Root.SecretAccessKey, "", region, "proton", time.Now())
	}})}
	if err := errors.Join(s.put(ctx, "/bundles", nil), s.publish(ctx, "other", folders[0].files)); err != nil {
		return s, err
	}
	// What a server does for the first time it does not do for a template's sake.
	if err := s.create(ctx, "other"); err != nil {
		return s, err
	}
	return s, errors.Join(s.end(ctx, "other"), s.publish(ctx, "net", f.files))
}

func (s *server) close() { _ = s.app.Close(context.Background()) }

// publish registers a template.
func (s *server) publish(ctx context.Context, name string, files map[string]string) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	all := map[string]string{"schema/schema.yaml": schemaFile, "infrastructure/manifest.yaml": manifestFile}
	for name, text := range files {
		all["infrastructure/"+name] = text
	}
	for name, text := range all {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}) // into memory: never fails
		_, _ = w.Write([]byte(text))
	}
	err := errors.Join(w.Close(), z.Close(), s.put(ctx, "/bundles/"+name+".tar.gz", b.Bytes()))
	if err != nil {
		return err
	}
	if _, err := s.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: api.Ptr(name)}); err != nil {
		return err
	}
	_, err = s.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: api.Ptr(name),
		Source: &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: api.Ptr("bundles"), Key: api.Ptr(name + ".tar.gz")}}})
	if err != nil {
		return err
	}
	return api.WaiterEnvironmentTemplateVersionRegistered.Every(5*time.Millisecond).Wait(ctx, s.Client,
		&api.GetEnvironmentTemplateVersionInput{TemplateName: api.Ptr(name), MajorVersion: api.Ptr("1"), MinorVersion: api.Ptr("0")})
}

func (s *server) put(ctx context.Context, path string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.app.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := auth.Sign(r, body, s.app.Root.AccessKeyID, s.app.Root.SecretAccessKey, "", region, "s3", time.Now()); err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("PUT %s: %s", path, answer.Status)
	}
	return nil
}

// deploy creates the environment, or updates it, and waits for the end.
func (s *server) deploy(ctx context.Context, n int) error {
	var err error
	if n == 0 {
		err = s.create(ctx, "net")
	} else {
		_, err = s.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: api.Ptr("net"), Spec: spec(n),
			DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)})
	}
	if err != nil {
		return err
	}
	return s.end(ctx, "net")
}

// create creates the environment of a template, which has the template's name.
func (s *server) create(ctx context.Context, name string) error {
	_, err := s.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: &name, TemplateName: &name,
		TemplateMajorVersion: api.Ptr("1"), TemplateMinorVersion: api.Ptr("0"), Spec: spec(0)})
	return err
}

func spec(n int) *string {
	return api.Ptr(fmt.Sprintf("proton: EnvironmentSpec\nspec: {round: %d}\n", n))
}

// end waits for the end of a deployment. To ask takes time from the tool on the
// same processors, so that is done only when the end is near.
func (s *server) end(ctx context.Context, name string) error {
	time.Sleep(s.quiet)
	for {
		out, err := s.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: &name})
		switch {
		case err != nil:
			return err
		case *out.Environment.DeploymentStatus == api.DeploymentStatusSucceeded:
			return nil
		case *out.Environment.DeploymentStatus != api.DeploymentStatusInProgress:
			return fmt.Errorf("the environment is %s: %s", *out.Environment.DeploymentStatus, api.Value(out.Environment.DeploymentStatusMessage))
		}
		time.Sleep(time.Millisecond)
	}
}
