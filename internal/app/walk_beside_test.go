package app

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
)

// This file has what the random walk does beside environments and services:
// components, reports, tags, account connections, and repositories.

// randomBeside is anything of that.
func randomBeside(r *rand.Rand, w *world) action {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	a := action{Op: pick(
		"CreateComponent", "CreateComponent", "CreateComponent", "UpdateComponent", "UpdateComponent", "UpdateComponent", "DeleteComponent", "CancelComponent",
		"Notify", "Tag", "Tag", "Untag", "AskConnection", "AcceptConnection", "RejectConnection", "DropConnection", "Link", "Unlink",
	), Minor: -1}
	if w.components["queue"] == nil && w.components["table"] == nil && strings.HasSuffix(a.Op, "Component") {
		a.Op = "CreateComponent"
	}
	instance := pick(walkServices...) + "/" + pick(walkInstances...)
	if there := w.instances(); len(there) > 0 && r.IntN(5) > 0 {
		instance = pick(there...)
	}
	switch a.Op {
	case "CreateComponent":
		a.Name, a.Environment = pick(walkComponents...), pick(walkEnvironments...)
		if r.IntN(4) > 0 {
			a.Attach, a.Environment = instance, ""
		}
	case "UpdateComponent":
		a.Name, a.Type, a.Attach = pick(walkComponents...), pick("NONE", "CURRENT_VERSION", "CURRENT_VERSION", "CURRENT_VERSION"), pick("", "", "-", instance, instance)
		if c := w.components[a.Name]; c == nil {
			a.Name = pick(slices.Sorted(maps.Keys(w.components))...)
		}
	case "DeleteComponent", "CancelComponent":
		a.Name = pick(walkComponents...)
		if c := w.components[a.Name]; c == nil {
			a.Name = pick(slices.Sorted(maps.Keys(w.components))...)
		}
	case "Notify":
		a.Type = pick("IN_PROGRESS", "SUCCEEDED", "FAILED")
		a.Name = pick("environment/"+pick(walkEnvironments...), "service/"+pick(walkServices...)+"/pipeline",
			"service/"+strings.Replace(instance, "/", "/service-instance/", 1), "component/"+pick(walkComponents...))
		if runs := slices.Sorted(maps.Keys(w.runs)); len(runs) > 0 && r.IntN(2) == 0 {
			a.Name = pick(runs...)
		}
	case "Tag", "Untag":
		paths := append(w.paths(), "environment/nothing", "service/shop/pipeline", "service/blog/service-instance/b", "component/table")
		a.Name, a.Child, a.Environment = pick(paths...), pick("team", "stage", "aws:team"), pick("x", "y", "")
	case "AskConnection":
		a.Environment = pick(walkEnvironments...)
	case "AcceptConnection", "RejectConnection", "DropConnection":
		a.Minor = r.IntN(len(w.connections) + 1)
	default:
		a.Name = pick("acme/one", "acme/two")
	}
	return a
}

// besides makes the calls of these actions.
var besides = map[string]func(context.Context, *walker, action) error{
	"CreateComponent": func(ctx context.Context, w *walker, a action) error {
		in := &api.CreateComponentInput{Name: &a.Name, TemplateFile: p(loneTemplate), Manifest: p(componentManifest)}
		if a.Environment != "" {
			in.EnvironmentName = &a.Environment
		}
		in.ServiceName, in.ServiceInstanceName = a.attachment()
		_, err := w.CreateComponent(ctx, in)
		return err
	},
	"UpdateComponent": func(ctx context.Context, w *walker, a action) error {
		in := &api.UpdateComponentInput{Name: &a.Name, DeploymentType: api.Ptr(api.ComponentDeploymentUpdateType(a.Type))}
		in.ServiceName, in.ServiceInstanceName = a.attachment()
		_, err := w.UpdateComponent(ctx, in)
		return err
	},
	"DeleteComponent": func(ctx context.Context, w *walker, a action) error {
		_, err := w.DeleteComponent(ctx, &api.DeleteComponentInput{Name: &a.Name})
		return err
	},
	"CancelComponent": func(ctx context.Context, w *walker, a action) error {
		_, err := w.CancelComponentDeployment(ctx, &api.CancelComponentDeploymentInput{ComponentName: &a.Name})
		return err
	},
	"Notify": func(ctx context.Context, w *walker, a action) error {
		_, err := w.NotifyResourceDeploymentStatusChange(ctx, &api.NotifyResourceDeploymentStatusChangeInput{
			ResourceArn: p(w.prefix + a.Name), Status: api.Ptr(api.ResourceDeploymentStatus(a.Type))})
		return err
	},
	"Tag": func(ctx context.Context, w *walker, a action) error {
		_, err := w.TagResource(ctx, &api.TagResourceInput{ResourceArn: p(w.prefix + a.Name), Tags: []api.Tag{{Key: &a.Child, Value: &a.Environment}}})
		return err
	},
	"Untag": func(ctx context.Context, w *walker, a action) error {
		_, err := w.UntagResource(ctx, &api.UntagResourceInput{ResourceArn: p(w.prefix + a.Name), TagKeys: []string{a.Child}})
		return err
	},
	"AskConnection": func(ctx context.Context, w *walker, a action) error {
		out, err := w.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{EnvironmentName: &a.Environment, ManagementAccountId: p(w.account())})
		if err == nil {
			w.asked = append(w.asked, *out.EnvironmentAccountConnection.Id)
		}
		return err
	},
	"AcceptConnection": func(ctx context.Context, w *walker, a action) error {
		_, err := w.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: w.connection(a)})
		return err
	},
	"RejectConnection": func(ctx context.Context, w *walker, a action) error {
		_, err := w.RejectEnvironmentAccountConnection(ctx, &api.RejectEnvironmentAccountConnectionInput{Id: w.connection(a)})
		return err
	},
	"DropConnection": func(ctx context.Context, w *walker, a action) error {
		_, err := w.DeleteEnvironmentAccountConnection(ctx, &api.DeleteEnvironmentAccountConnectionInput{Id: w.connection(a)})
		return err
	},
	"Link": func(ctx context.Context, w *walker, a action) error {
		connection, err := w.gitConnection(ctx)
		if err != nil {
			return err
		}
		_, err = w.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: api.Ptr(api.RepositoryProviderGithub), Name: &a.Name, ConnectionArn: connection})
		return err
	},
	"Unlink": func(ctx context.Context, w *walker, a action) error {
		_, err := w.DeleteRepository(ctx, &api.DeleteRepositoryInput{Provider: api.Ptr(api.RepositoryProviderGithub), Name: &a.Name})
		return err
	},
}

// attachment is how a call says what a component is attached to.
func (a action) attachment() (service, instance *string) {
	switch a.Attach {
	case "":
		return nil, nil
	case "-":
		return p(""), p("")
	}
	s, i, _ := strings.Cut(a.Attach, "/")
	return &s, &i
}

func (w *walker) account() string { return strings.Split(w.prefix, ":")[4] }

// connection is the id of the connection that an action is about.
func (w *walker) connection(a action) *string {
	if a.Minor < len(w.asked) {
		return &w.asked[a.Minor]
	}
	return p("00000000-0000-4000-8000-000000000000")
}

// gitConnection is the connection of the walk's Region, which is made if need be.
func (w *walker) gitConnection(ctx context.Context) (*string, error) {
	out, err := w.ListConnections(ctx, &api.ListConnectionsInput{})
	if err != nil {
		return nil, err
	}
	if len(out.Connections) > 0 {
		return out.Connections[0].ConnectionArn, nil
	}
	made, err := w.CreateConnection(ctx, &api.CreateConnectionInput{Name: p("local"), Provider: api.Ptr(api.ConnectionProviderGithub),
		Kind: api.Ptr(api.ConnectionKindGit), Url: p("file:///nowhere")})
	if err != nil {
		return nil, err
	}
	return made.ConnectionArn, nil
}

// linesBeside is what can be read of it from the server.
func (w *walker) linesBeside(ctx context.Context, add func(...any)) error {
	components, err := w.ListComponents(ctx, &api.ListComponentsInput{})
	if err != nil {
		return err
	}
	for _, c := range components.Components {
		at := "-"
		if c.ServiceName != nil {
			at = *c.ServiceName + "/" + api.Value(c.ServiceInstanceName)
		}
		add("component", *c.Name, *c.EnvironmentName, *c.DeploymentStatus, at)
	}
	for _, side := range []string{"MANAGEMENT_ACCOUNT", "ENVIRONMENT_ACCOUNT"} {
		connections, err := w.ListEnvironmentAccountConnections(ctx, &api.ListEnvironmentAccountConnectionsInput{
			RequestedBy: api.Ptr(api.EnvironmentAccountConnectionRequesterAccountType(side))})
		if err != nil {
			return err
		}
		for _, c := range connections.EnvironmentAccountConnections {
			add("connection", side, slices.Index(w.asked, *c.Id), *c.EnvironmentName, *c.Status)
		}
	}
	repositories, err := w.ListRepositories(ctx, &api.ListRepositoriesInput{})
	if err != nil {
		return err
	}
	for _, r := range repositories.Repositories {
		add("repository", *r.Name)
	}
	return nil
}

// compareTags reads the tags of everything that there is.
func (w *walker) compareTags(ctx context.Context) string {
	for _, path := range w.world.paths() {
		out, err := w.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: p(w.prefix + path)})
		if err != nil {
			return "tags of " + path + ": " + err.Error()
		}
		got := map[string]string{}
		var managed []string
		for _, t := range out.Tags {
			if name, ok := strings.CutPrefix(*t.Key, "aws:proton:"); ok {
				managed = append(managed, name)
			} else {
				got[*t.Key] = *t.Value
			}
		}
		want := maps.Clone(w.world.tags[path])
		if want == nil {
			want = map[string]string{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Sprintf("tags of %s: %s", path, diff)
		}
		slices.Sort(managed)
		if diff := cmp.Diff(w.world.managed(path), managed); diff != "" {
			return fmt.Sprintf("managed tags of %s: %s", path, diff)
		}
	}
	return ""
}
