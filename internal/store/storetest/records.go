package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// record is how one kind of record is written and read.
type record struct {
	name    string
	insert  func(context.Context, *store.Tx) error
	read    func(context.Context, *store.Tx) (any, error)
	save    func(context.Context, *store.Tx) error // as it was inserted
	want    any
	missing string // what reading says without it; empty: no error
}

// records are one of every kind: with every field set, or with none.
func records(full bool) []record {
	template, version := make1[proton.Template](full), make1[proton.TemplateVersion](full)
	environment := make1[proton.Environment](full)
	plan := proton.ServicePlan{Service: make1[proton.Service](full), Instances: []proton.ServiceInstance{make1[proton.ServiceInstance](full)}}
	pipeline := make1[proton.Pipeline](full)
	plan.Pipeline = &pipeline
	service, instance, deployment := plan.Service, plan.Instances[0], make1[proton.Deployment](full)
	component := make1[proton.Component](full)
	key := make1[store.AccessKey](full)
	type ctx = context.Context
	type tx = *store.Tx
	insertPlan := func(c ctx, x tx) error { return x.InsertService(c, plan) }
	return []record{
		{"template", func(c ctx, x tx) error { return x.InsertTemplate(c, template) },
			func(c ctx, x tx) (any, error) { return x.Template(c, template.Scope, template.Kind, template.Name) },
			func(c ctx, x tx) error { return x.SaveTemplate(c, template) }, template, "The requested environment template does not exist: " + string(template.ARN())},
		{"template version", func(c ctx, x tx) error { return x.InsertTemplateVersion(c, version) },
			func(c ctx, x tx) (any, error) {
				return x.TemplateVersion(c, version.Scope, version.Kind, version.TemplateName, version.Version)
			},
			func(c ctx, x tx) error { return x.SaveTemplateVersion(c, version) }, version, "The requested environment template version does not exist: " + string(version.ARN())},
		{"environment", func(c ctx, x tx) error { return x.InsertEnvironment(c, environment) },
			func(c ctx, x tx) (any, error) { return x.Environment(c, environment.Scope, environment.Name) },
			func(c ctx, x tx) error { return x.SaveEnvironment(c, environment) }, environment, "The requested environment does not exist: " + string(environment.ARN())},
		{"service", insertPlan, func(c ctx, x tx) (any, error) { return x.Service(c, service.Scope, service.Name) },
			func(c ctx, x tx) error { return x.SaveService(c, service) }, service, "The requested service does not exist: " + string(service.ARN())},
		{"service instance", insertPlan,
			func(c ctx, x tx) (any, error) {
				return x.ServiceInstance(c, instance.Scope, instance.ServiceName, instance.Name)
			},
			func(c ctx, x tx) error { return x.SaveServiceInstance(c, instance) }, instance, "The requested service instance does not exist: " + string(instance.ARN())},
		{"pipeline", insertPlan, func(c ctx, x tx) (any, error) {
			p, err := x.Pipeline(c, pipeline.Scope, pipeline.ServiceName)
			if err != nil || p == nil {
				return nil, err
			}
			return *p, nil
		}, func(c ctx, x tx) error { return x.SavePipeline(c, pipeline) }, pipeline, ""},
		{"deployment", func(c ctx, x tx) error { return x.InsertDeployments(c, deployment) },
			func(c ctx, x tx) (any, error) { return x.Deployment(c, deployment.Scope, deployment.ID) },
			nil, deployment, "The requested deployment does not exist: " + deployment.ID},
		{"component", func(c ctx, x tx) error { return x.InsertComponent(c, component) },
			func(c ctx, x tx) (any, error) { return x.Component(c, component.Scope, component.Name) },
			func(c ctx, x tx) error { return x.SaveComponent(c, component) }, component, "The requested component does not exist: " + string(component.ARN())},
		{"access key", func(c ctx, x tx) error { return x.InsertAccessKey(c, key) },
			func(c ctx, x tx) (any, error) {
				k, ok, err := x.AccessKey(c, key.ID)
				if !ok {
					return nil, err
				}
				return k, err
			}, nil, key, ""},
	}
}

func make1[T any](full bool) (record T) {
	if full {
		return filled[T]()
	}
	// Versions register under their id as a job's key; the rest may be empty.
	switch r := any(&record).(type) {
	case *proton.TemplateVersion:
		r.ID = "id"
	}
	return record
}

func everyFieldComesBack(t *testing.T, d db) {
	for _, r := range records(true) {
		d.update(r.insert)
		if r.name == "service" { // its parts came with it
			for _, part := range records(true)[3:6] {
				d.same(part.name, part.want, view(d, part.read))
			}
			break
		}
		d.same(r.name, r.want, view(d, r.read))
	}
	for _, r := range records(true)[6:] {
		d.update(r.insert)
		d.same(r.name, r.want, view(d, r.read))
	}
	for _, r := range records(true) { // and by the statement that saves
		if r.save == nil {
			continue
		}
		d.update(r.save)
		got := view(d, r.read)
		switch saved := got.(type) {
		case proton.Template:
			saved.Revision--
			got = saved
		case proton.TemplateVersion:
			saved.Revision--
			got = saved
		case proton.Environment:
			saved.Revision--
			got = saved
		case proton.Service:
			saved.Revision--
			got = saved
		case proton.ServiceInstance:
			saved.Revision--
			got = saved
		case proton.Pipeline:
			saved.Revision--
			got = saved
		case proton.Component:
			saved.Revision--
			got = saved
		}
		d.same("saved "+r.name, r.want, got)
	}
	deployment := filled[proton.Deployment]()
	blank := proton.Deployment{Scope: deployment.Scope, ID: deployment.ID, Attempt: deployment.Attempt}
	for name, save := range map[string]func(context.Context, *store.Tx, proton.Deployment) error{
		"saved deployment": func(c context.Context, x *store.Tx, r proton.Deployment) error { return x.SaveDeployment(c, r) },
		"held deployment":  func(c context.Context, x *store.Tx, r proton.Deployment) error { return x.SaveHeldDeployment(c, r) },
	} {
		for _, want := range []proton.Deployment{blank, deployment} {
			d.update(func(c context.Context, x *store.Tx) error { return save(c, x, want) })
			d.same(name, want, view(d, func(c context.Context, x *store.Tx) (proton.Deployment, error) {
				return x.Deployment(c, deployment.Scope, deployment.ID)
			}))
		}
	}
}

func emptyRecordsComeBack(t *testing.T, d db) {
	for n, r := range records(false) {
		if n != 4 && n != 5 { // the parts came with their service
			d.update(r.insert)
		}
		d.same(r.name, r.want, view(d, r.read))
	}
}

func takenKeysAreRefused(t *testing.T, d db) {
	for n, r := range records(true) {
		if n != 4 && n != 5 {
			d.update(r.insert)
		}
		if err := d.tryUpdate(r.insert); proton.KindOf(err) != proton.Conflict {
			t.Errorf("%s inserted twice: %v, want Conflict", r.name, err)
		}
	}
}

func staleWritesAreRefused(t *testing.T, d db) {
	all := records(true)
	conflict := func(when string, r record) {
		t.Helper()
		if r.save == nil {
			return
		}
		if err := d.tryUpdate(r.save); proton.KindOf(err) != proton.Conflict {
			t.Errorf("%s saved %s: %v, want Conflict", r.name, when, err)
		}
	}
	for _, r := range all {
		conflict("before it exists", r)
	}
	for n, r := range all {
		if n != 4 && n != 5 { // the parts come with their service
			d.update(r.insert)
		}
	}
	for _, r := range all {
		if r.save != nil {
			d.update(r.save)
		}
		conflict("with a revision of the past", r)
	}
}

func whatIsMissingIsNamed(t *testing.T, d db) {
	for _, r := range records(true) {
		got, err := tryView(d, r.read)
		switch {
		case r.missing == "" && (err != nil || got != nil):
			t.Errorf("%s: got %v, %v", r.name, got, err)
		case r.missing != "" && (!proton.IsNotFound(err) || err.Error() != r.missing):
			t.Errorf("%s: got %v, want %s", r.name, err, r.missing)
		}
	}
	deployment := proton.Deployment{Scope: scope, ID: "d"}
	d.update(func(c context.Context, x *store.Tx) error { return x.InsertDeployments(c, deployment) })
	_, err := tryView(d, func(c context.Context, x *store.Tx) (proton.Deployment, error) { return x.Deployment(c, other, "d") })
	if !proton.IsNotFound(err) {
		t.Errorf("a deployment of another Region: %v", err)
	}
	if _, err := tryView(d, func(c context.Context, x *store.Tx) ([]byte, error) { return x.Bundle(c, "sha256:0") }); err == nil {
		t.Error("a bundle that is not there was read")
	}
}

func deletesTakeTheTagsAlong(t *testing.T, d db) {
	template := proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: "web"}
	version := proton.TemplateVersion{Scope: scope, ID: "v", Kind: proton.ServiceTemplate, TemplateName: "web", Version: proton.Version{Major: 1}}
	environment := proton.Environment{Scope: scope, Name: "prod"}
	service := proton.Service{Scope: scope, Name: "shop"}
	instance := proton.ServiceInstance{Scope: scope, ServiceName: "shop", Name: "i"}
	pipeline := proton.Pipeline{Scope: scope, ServiceName: "shop"}
	component := proton.Component{Scope: scope, Name: "c"}
	arns := []proton.ARN{template.ARN(), version.ARN(), environment.ARN(), service.ARN(), instance.ARN(), component.ARN()}
	d.update(func(c context.Context, x *store.Tx) error {
		err := errors.Join(x.InsertTemplate(c, template), x.InsertTemplateVersion(c, version), x.InsertEnvironment(c, environment),
			x.InsertComponent(c, component), x.InsertService(c, proton.ServicePlan{Service: service, Instances: []proton.ServiceInstance{instance}, Pipeline: &pipeline}))
		for _, arn := range append(arns, "kept") {
			err = errors.Join(err, x.PutTags(c, arn, []proton.Tag{{Key: "k", Value: "v"}}))
		}
		return err
	})
	d.update(func(c context.Context, x *store.Tx) error {
		return errors.Join(x.DeleteTemplateVersion(c, version), x.DeleteTemplate(c, template), x.DeleteEnvironment(c, environment),
			x.DeleteComponent(c, component), x.DeleteServiceInstance(c, instance), x.DeletePipeline(c, pipeline), x.DeleteService(c, service))
	})
	for _, arn := range append(arns, "kept") {
		left := view(d, func(c context.Context, x *store.Tx) ([]proton.Tag, error) { return x.Tags(c, arn) })
		if want := arn == "kept"; (len(left) > 0) != want {
			t.Errorf("%s has tags %v", arn, left)
		}
	}
	if p := view(d, func(c context.Context, x *store.Tx) (*proton.Pipeline, error) { return x.Pipeline(c, scope, "shop") }); p != nil {
		t.Error("the pipeline is left")
	}
	if _, err := tryView(d, func(c context.Context, x *store.Tx) (proton.Service, error) { return x.Service(c, scope, "shop") }); !proton.IsNotFound(err) {
		t.Errorf("the service: %v", err)
	}
}

func tags(t *testing.T, d db) {
	const arn = proton.ARN("arn:aws:proton:r:1:service/a")
	read := func(c context.Context, x *store.Tx) ([]proton.Tag, error) { return x.Tags(c, arn) }
	d.same("none", []proton.Tag{}, view(d, read))
	d.update(func(c context.Context, x *store.Tx) error {
		return x.PutTags(c, arn, []proton.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: ""}, {Key: "B", Value: "2"}})
	})
	d.update(func(c context.Context, x *store.Tx) error {
		return x.PutTags(c, arn, []proton.Tag{{Key: "b", Value: "3"}})
	})
	d.update(func(c context.Context, x *store.Tx) error { return x.PutTags(c, arn+"x", []proton.Tag{{Key: "z"}}) })
	d.same("written twice", []proton.Tag{{Key: "B", Value: "2"}, {Key: "a", Value: ""}, {Key: "b", Value: "3"}}, view(d, read))
	d.update(func(c context.Context, x *store.Tx) error { return x.RemoveTags(c, arn, []string{"b", "B", "missing"}) })
	d.same("removed", []proton.Tag{{Key: "a", Value: ""}}, view(d, read))
}

func clientTokens(t *testing.T, d db) {
	type answer struct {
		Token store.ClientToken
		OK    bool
	}
	read := func(s proton.Scope, operation, token string) answer {
		return view(d, func(c context.Context, x *store.Tx) (answer, error) {
			got, ok, err := x.ClientToken(c, s, operation, token)
			return answer{got, ok}, err
		})
	}
	first, second := store.ClientToken{RequestHash: "h", Resource: "r", CreatedAt: noon}, store.ClientToken{RequestHash: "i", Resource: "s", CreatedAt: noon.Add(time.Hour)}
	for _, token := range []store.ClientToken{first, second} {
		d.update(func(c context.Context, x *store.Tx) error { return x.SaveClientToken(c, scope, "Create", "t", token) })
		d.same("remembered", answer{token, true}, read(scope, "Create", "t"))
	}
	for _, unknown := range []answer{read(other, "Create", "t"), read(scope, "Delete", "t"), read(scope, "Create", "T")} {
		d.same("unknown", answer{}, unknown)
	}
	d.update(func(c context.Context, x *store.Tx) error { return x.SaveClientToken(c, scope, "Create", "old", first) })
	d.update(func(c context.Context, x *store.Tx) error { return x.DeleteClientTokens(c, second.CreatedAt) })
	d.same("forgotten", false, read(scope, "Create", "old").OK)
	d.same("young enough", true, read(scope, "Create", "t").OK)
}

func bundles(t *testing.T, d db) {
	content := []byte{0, 1, 0xff, 0, 'x'}
	for _, archive := range [][]byte{content, []byte("kept twice under one digest")} {
		d.update(func(c context.Context, x *store.Tx) error { return x.InsertBundle(c, "sha256:1", archive, noon) })
	}
	d.same("archive", content, view(d, func(c context.Context, x *store.Tx) ([]byte, error) { return x.Bundle(c, "sha256:1") }))
}

func secretsStay(t *testing.T, d db) {
	read := func(name string) string {
		secret, err := d.Secret(t.Context(), name)
		if err != nil || len(secret) != 32 {
			t.Fatalf("%d bytes, %v", len(secret), err)
		}
		return string(secret)
	}
	a, b := read("a"), read("b")
	if a != read("a") || b != read("b") || a == b {
		t.Error("a secret changed, or two names have the same")
	}
}

func accountSettings(t *testing.T, d db) {
	read := func(c context.Context, x *store.Tx) (proton.AccountSettings, error) {
		return x.AccountSettings(c, scope)
	}
	d.same("never set", proton.AccountSettings{Scope: scope}, view(d, read))
	want := filled[proton.AccountSettings]()
	want.Scope, want.Revision = scope, 0
	for range 3 {
		d.update(func(c context.Context, x *store.Tx) error { return x.SaveAccountSettings(c, want) })
		want.Revision++
		d.same("set", want, view(d, read))
	}
	stale := want
	stale.Revision--
	if err := d.tryUpdate(func(c context.Context, x *store.Tx) error { return x.SaveAccountSettings(c, stale) }); proton.KindOf(err) != proton.Conflict {
		t.Errorf("settings of the past: %v, want Conflict", err)
	}
}
