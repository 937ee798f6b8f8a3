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
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/app"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine"
)

const (
	region = "eu-west-1"
	schema = "schema:\n  format: {openapi: \"3.0.0\"}\n  %s_input_type: In\n  types:\n    In: {type: object, properties: {size: {type: number}}}\n"
	files  = "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings: {image: any, provision: [\"true\"], deprovision: [\"true\"]}\n"
)

// server runs in this process, with a driver that does nothing.
type server struct {
	*api.Client
	*app.Server
}

func start(ctx context.Context, data string, driver engine.Driver) (*server, error) {
	return startOn(ctx, data, "", driver)
}

// startOn is start on a database that others may share.
func startOn(ctx context.Context, data, database string, driver engine.Driver) (*server, error) {
	c := app.DefaultConfig()
	c.Listen, c.Data, c.Database, c.QuotaServices = "127.0.0.1:0", data, database, 1_000_000
	a, err := app.Start(ctx, c, slog.New(slog.DiscardHandler), app.WithEngines(engine.Set{engine.Command: driver}))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	return &server{api.NewClient(&awsjson.HTTP{Endpoint: a.URL, Client: &http.Client{Transport: transport}, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, a.Root.AccessKeyID, a.Root.SecretAccessKey, "", region, "proton", time.Now())
	}}), a}, nil
}

var p = api.Ptr[string]

// publish registers templates and makes the environment "one".
func (s *server) publish(ctx context.Context) error {
	source := func(key string) *api.TemplateVersionSourceInput {
		return &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: p("bundles"), Key: &key}}
	}
	net := pack(map[string]string{"schema/schema.yaml": fmt.Sprintf(schema, "environment"), "infrastructure/manifest.yaml": files})
	web := pack(map[string]string{"schema/schema.yaml": fmt.Sprintf(schema, "service"), "instance_infrastructure/manifest.yaml": files})
	if err := errors.Join(s.put(ctx, "/bundles", nil), s.put(ctx, "/bundles/net.tar.gz", net), s.put(ctx, "/bundles/web.tar.gz", web)); err != nil {
		return err
	}
	_, err1 := s.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")})
	_, err2 := s.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), Source: source("net.tar.gz")})
	_, err3 := s.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web"), PipelineProvisioning: api.Ptr(api.ProvisioningCustomerManaged)})
	_, err4 := s.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), Source: source("web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	one, zero, published := p("1"), p("0"), api.Ptr(api.TemplateVersionStatusPublished)
	err1 = api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, s.Client,
		&api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: one, MinorVersion: zero})
	err2 = api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, s.Client,
		&api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: one, MinorVersion: zero})
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	_, err1 = s.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: one, MinorVersion: zero, Status: published})
	_, err2 = s.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: one, MinorVersion: zero, Status: published})
	_, err3 = s.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: one, Spec: p("proton: EnvironmentSpec\nspec: {}\n")})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return api.WaiterEnvironmentDeployed.Every(10*time.Millisecond).Wait(ctx, s.Client, &api.GetEnvironmentInput{Name: p("one")})
}

func pack(texts map[string]string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range texts {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}) // into memory: never fails
		_, _ = w.Write([]byte(text))
	}
	_, _ = w.Close(), z.Close()
	return b.Bytes()
}

func (s *server) put(ctx context.Context, path string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := auth.Sign(r, body, s.Root.AccessKeyID, s.Root.SecretAccessKey, "", region, "s3", time.Now()); err != nil {
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

// idle is a driver whose runs succeed at once, when stepped has returned.
type idle struct{ stepped func(arn string) }

func (idle) Plans() bool { return true } // nothing: there is nothing to preview

func (idle) Preview(context.Context, engine.Run) (engine.Changes, error) {
	return engine.Changes{}, nil
}

func (d idle) Step(_ context.Context, r engine.Run, _ string) (engine.Status, error) {
	d.stepped(r.ResourceARN)
	return engine.Status{Done: true}, nil
}

func (idle) Cancel(context.Context, engine.Run, string) (engine.Status, error) {
	return engine.Status{}, nil
}
