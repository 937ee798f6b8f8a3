package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/library"
)

// bucket makes the bucket that bundles are uploaded to.
func (q *quickstart) bucket(ctx context.Context) error {
	status, body, err := q.access.object(ctx, http.MethodPut, quickBucket, "", nil)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", quickBucket, err)
	}
	if status != http.StatusOK && status != http.StatusConflict { // there already
		return fmt.Errorf("bucket %s: HTTP status %d: %s", quickBucket, status, bytes.TrimSpace(body))
	}
	return nil
}

// upload puts a bundle of the library into the bucket, and reports whether it
// was there already with just this content.
func (q *quickstart) upload(ctx context.Context, kind, name string) (key string, same bool, err error) {
	folder, err := library.Bundle(kind, name, "v1")
	if err != nil {
		return "", false, err
	}
	archive, err := bundle.Pack(folder, bundle.DefaultLimits())
	if err != nil {
		return "", false, err
	}
	key = kind + "-templates/" + name + "/v1.tar.gz"
	status, body, err := q.access.object(ctx, http.MethodGet, quickBucket, key, nil)
	if err != nil {
		return key, false, err
	}
	if status == http.StatusOK && bytes.Equal(body, archive) {
		return key, true, nil
	}
	status, body, err = q.access.object(ctx, http.MethodPut, quickBucket, key, archive)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("upload s3://%s/%s: HTTP status %d: %s", quickBucket, key, status, bytes.TrimSpace(body))
	}
	return key, false, err
}

// templateCalls are the operations of one kind of template.
type templateCalls struct {
	kind, name string
	get        func(context.Context) error
	create     func(context.Context) error
	// versions lists the minor versions of major version 1, and whether one of
	// them is published.
	versions func(context.Context) (any, published bool, err error)
	register func(ctx context.Context, major *string, source *api.TemplateVersionSourceInput) (minor *string, err error)
	wait     func(ctx context.Context, minor *string) error
	message  func(ctx context.Context, minor *string) string
	publish  func(ctx context.Context, minor *string) error
}

// template sees to it that a template has a published version of the library's
// bundle.
func (q *quickstart) template(ctx context.Context, c templateCalls) error {
	what := c.kind + " template " + c.name
	fail := func(err error) error { return fmt.Errorf("%s: %w", what, err) }
	err := c.get(ctx)
	if notFound(err) {
		err = c.create(ctx)
	}
	if err != nil {
		return fail(err)
	}
	key, same, err := q.upload(ctx, c.kind, c.name)
	if err != nil {
		return fail(err)
	}
	any, published, err := c.versions(ctx)
	if err != nil {
		return fail(err)
	}
	if same && published {
		q.there(what, "published already")
		return nil
	}
	var major *string
	if any {
		major = api.Ptr("1")
	}
	minor, err := c.register(ctx, major, &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: api.Ptr(quickBucket), Key: &key}})
	if err != nil {
		return fail(err)
	}
	if err := c.wait(ctx, minor); err != nil {
		if why := c.message(ctx, minor); why != "" {
			err = fmt.Errorf("%w: %s", err, why)
		}
		return fail(err)
	}
	if err := c.publish(ctx, minor); err != nil {
		return fail(err)
	}
	q.done(what, "published as version 1."+*minor)
	return nil
}

func (q *quickstart) environmentTemplate(ctx context.Context) error {
	name, major := api.Ptr(library.LocalNetwork), api.Ptr("1")
	version := func(minor *string) *api.GetEnvironmentTemplateVersionInput {
		return &api.GetEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor}
	}
	return q.template(ctx, templateCalls{
		kind: "environment", name: *name,
		get: func(ctx context.Context) error {
			_, err := q.client.GetEnvironmentTemplate(ctx, &api.GetEnvironmentTemplateInput{Name: name})
			return err
		},
		create: func(ctx context.Context) error {
			_, err := q.client.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{
				Name: name, DisplayName: api.Ptr("Local network"), Description: api.Ptr("A folder and a range of ports on this machine"),
			})
			return err
		},
		versions: func(ctx context.Context) (any, published bool, err error) {
			for v, err := range awsjson.Pages(func(token *string) ([]api.EnvironmentTemplateVersionSummary, *string, error) {
				out, err := q.client.ListEnvironmentTemplateVersions(ctx, &api.ListEnvironmentTemplateVersionsInput{TemplateName: name, MajorVersion: major, NextToken: token})
				if err != nil {
					return nil, nil, err
				}
				return out.TemplateVersions, out.NextToken, nil
			}) {
				if err != nil {
					return any, published, ignoreNotFound(err)
				}
				any = true
				published = published || api.Value(v.Status) == api.TemplateVersionStatusPublished
			}
			return any, published, nil
		},
		register: func(ctx context.Context, major *string, source *api.TemplateVersionSourceInput) (*string, error) {
			out, err := q.client.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: major, Source: source})
			if err != nil {
				return nil, err
			}
			return out.EnvironmentTemplateVersion.MinorVersion, nil
		},
		wait: func(ctx context.Context, minor *string) error {
			return api.WaiterEnvironmentTemplateVersionRegistered.Every(pollEvery).Wait(ctx, q.client, version(minor))
		},
		message: func(ctx context.Context, minor *string) string {
			out, err := q.client.GetEnvironmentTemplateVersion(ctx, version(minor))
			if err != nil {
				return ""
			}
			return api.Value(out.EnvironmentTemplateVersion.StatusMessage)
		},
		publish: func(ctx context.Context, minor *string) error {
			_, err := q.client.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{
				TemplateName: name, MajorVersion: major, MinorVersion: minor, Status: api.Ptr(api.TemplateVersionStatusPublished),
			})
			return err
		},
	})
}

func (q *quickstart) serviceTemplate(ctx context.Context) error {
	name, major := api.Ptr(library.WebService), api.Ptr("1")
	version := func(minor *string) *api.GetServiceTemplateVersionInput {
		return &api.GetServiceTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor}
	}
	return q.template(ctx, templateCalls{
		kind: "service", name: *name,
		get: func(ctx context.Context) error {
			_, err := q.client.GetServiceTemplate(ctx, &api.GetServiceTemplateInput{Name: name})
			return err
		},
		create: func(ctx context.Context) error {
			_, err := q.client.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{
				Name: name, DisplayName: api.Ptr("Web service"), Description: api.Ptr("A web site with a pipeline that brings releases to its instances"),
			})
			return err
		},
		versions: func(ctx context.Context) (any, published bool, err error) {
			for v, err := range awsjson.Pages(func(token *string) ([]api.ServiceTemplateVersionSummary, *string, error) {
				out, err := q.client.ListServiceTemplateVersions(ctx, &api.ListServiceTemplateVersionsInput{TemplateName: name, MajorVersion: major, NextToken: token})
				if err != nil {
					return nil, nil, err
				}
				return out.TemplateVersions, out.NextToken, nil
			}) {
				if err != nil {
					return any, published, ignoreNotFound(err)
				}
				any = true
				published = published || api.Value(v.Status) == api.TemplateVersionStatusPublished
			}
			return any, published, nil
		},
		register: func(ctx context.Context, major *string, source *api.TemplateVersionSourceInput) (*string, error) {
			out, err := q.client.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{
				TemplateName: name, MajorVersion: major, Source: source,
				CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: api.Ptr(library.LocalNetwork), MajorVersion: api.Ptr("1")}},
			})
			if err != nil {
				return nil, err
			}
			return out.ServiceTemplateVersion.MinorVersion, nil
		},
		wait: func(ctx context.Context, minor *string) error {
			return api.WaiterServiceTemplateVersionRegistered.Every(pollEvery).Wait(ctx, q.client, version(minor))
		},
		message: func(ctx context.Context, minor *string) string {
			out, err := q.client.GetServiceTemplateVersion(ctx, version(minor))
			if err != nil {
				return ""
			}
			return api.Value(out.ServiceTemplateVersion.StatusMessage)
		},
		publish: func(ctx context.Context, minor *string) error {
			_, err := q.client.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{
				TemplateName: name, MajorVersion: major, MinorVersion: minor, Status: api.Ptr(api.TemplateVersionStatusPublished),
			})
			return err
		},
	})
}

// ignoreNotFound is for lists of what may have no versions yet.
func ignoreNotFound(err error) error {
	if notFound(err) {
		return nil
	}
	return err
}
