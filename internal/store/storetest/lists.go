package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func listsByNamePage(t *testing.T, d db) {
	insert := func(names ...string) {
		d.update(func(c context.Context, x *store.Tx) (err error) {
			for _, name := range names {
				err = errors.Join(err, x.InsertTemplate(c, proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: name}),
					x.InsertEnvironment(c, proton.Environment{Scope: scope, Name: name}),
					x.InsertService(c, proton.ServicePlan{Service: proton.Service{Scope: scope, Name: name}}))
			}
			return err
		})
	}
	lists := map[string]func(after string, limit int) []string{
		"templates": func(after string, limit int) []string {
			return names(view(d, func(c context.Context, x *store.Tx) ([]proton.Template, error) {
				return x.Templates(c, scope, proton.ServiceTemplate, after, limit)
			}), func(r proton.Template) string { return r.Name })
		},
		"environments": func(after string, limit int) []string {
			return names(view(d, func(c context.Context, x *store.Tx) ([]proton.Environment, error) {
				return x.Environments(c, scope, nil, after, limit)
			}), func(r proton.Environment) string { return r.Name })
		},
		"services": func(after string, limit int) []string {
			return names(view(d, func(c context.Context, x *store.Tx) ([]proton.Service, error) {
				return x.Services(c, scope, after, limit)
			}), func(r proton.Service) string { return r.Name })
		},
	}
	for what, list := range lists {
		d.same(what+", none", []string{}, list("", 10))
	}
	insert("b", "d", "B", "f", "h")
	d.update(func(c context.Context, x *store.Tx) error {
		return errors.Join(x.InsertEnvironment(c, proton.Environment{Scope: other, Name: "c"}),
			x.InsertTemplate(c, proton.Template{Scope: scope, Kind: proton.EnvironmentTemplate, Name: "c"}))
	})
	for what, list := range lists {
		d.same(what+", first page", []string{"B", "b", "d"}, list("", 3))
	}
	insert("a", "e") // between two pages: before and behind the position
	for what, list := range lists {
		d.same(what+", second page", []string{"e", "f"}, list("d", 2))
		d.same(what+", last page", []string{"h"}, list("f", 2))
	}
	d.same("counts", []int{8, 7, 7}, view(d, func(c context.Context, x *store.Tx) ([]int, error) {
		templates, err1 := x.CountTemplates(c, scope)
		environments, err2 := x.CountEnvironments(c, scope)
		services, err3 := x.CountServices(c, scope)
		return []int{templates, environments, services}, errors.Join(err1, err2, err3)
	}))
}

func names[T any](records []T, name func(T) string) []string {
	list := make([]string, len(records))
	for n, r := range records {
		list[n] = name(r)
	}
	return list
}

func environmentsByTemplate(t *testing.T, d db) {
	d.update(func(c context.Context, x *store.Tx) (err error) {
		for n := range 12 {
			e := proton.Environment{Scope: scope, Name: fmt.Sprintf("e%02d", n), TemplateName: []string{"vpc", "ecs"}[n%2]}
			e.Version.Major = int64(n % 3)
			err = errors.Join(err, x.InsertEnvironment(c, e))
		}
		return err
	})
	for _, c := range []struct {
		filter []store.TemplateMajor
		after  string
		want   []string
	}{
		{[]store.TemplateMajor{{Name: "vpc", Major: 2}}, "", []string{"e02", "e08"}},
		{[]store.TemplateMajor{{Name: "vpc", Major: 2}, {Name: "ecs", Major: 1}}, "", []string{"e01", "e02", "e07", "e08"}},
		{[]store.TemplateMajor{{Name: "vpc", Major: 2}, {Name: "ecs", Major: 1}}, "e02", []string{"e07", "e08"}},
		{[]store.TemplateMajor{{Name: "eks", Major: 1}}, "", []string{}},
	} {
		got := view(d, func(ctx context.Context, x *store.Tx) ([]proton.Environment, error) {
			return x.Environments(ctx, scope, c.filter, c.after, 100)
		})
		d.same(fmt.Sprint(c.filter, c.after), c.want, names(got, func(e proton.Environment) string { return e.Name }))
	}
}

// orders are the columns instances can be listed by, as plain comparisons.
var orders = map[store.InstanceOrder]func(a, b proton.ServiceInstance) int{
	store.ByServiceName:     func(a, b proton.ServiceInstance) int { return cmp.Compare(a.ServiceName, b.ServiceName) },
	store.ByName:            func(a, b proton.ServiceInstance) int { return cmp.Compare(a.Name, b.Name) },
	store.ByStatus:          func(a, b proton.ServiceInstance) int { return cmp.Compare(a.Status, b.Status) },
	store.ByTemplateName:    func(a, b proton.ServiceInstance) int { return cmp.Compare(a.TemplateName, b.TemplateName) },
	store.ByEnvironmentName: func(a, b proton.ServiceInstance) int { return cmp.Compare(a.EnvironmentName, b.EnvironmentName) },
	store.ByLastAttempted:   func(a, b proton.ServiceInstance) int { return a.LastAttemptedAt.Compare(b.LastAttemptedAt) },
	store.ByCreated:         func(a, b proton.ServiceInstance) int { return a.CreatedAt.Compare(b.CreatedAt) },
}

// instancesInEveryOrder holds random instances, with many ties, against a
// filter and sort in memory: every order, both directions, many filters, paged.
func instancesInEveryOrder(t *testing.T, d db) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	minute := func() time.Time { return noon.Add(time.Duration(r.IntN(4)) * time.Minute) }
	recommended := map[string]proton.Version{"web": {Major: 2, Minor: 1}, "job": {}}
	var all []proton.ServiceInstance
	d.update(func(c context.Context, x *store.Tx) (err error) {
		for name, version := range recommended {
			err = errors.Join(err, x.InsertTemplate(c, proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: name, Recommended: version}),
				x.InsertTemplate(c, proton.Template{Scope: scope, Kind: proton.EnvironmentTemplate, Name: name, Recommended: proton.Version{Major: 9}}))
		}
		for n := range 8 {
			plan := proton.ServicePlan{Service: proton.Service{Scope: scope, Name: fmt.Sprintf("s%d", n)}}
			for i := range 8 {
				instance := proton.ServiceInstance{Scope: scope, ServiceName: plan.Service.Name, Name: fmt.Sprintf("i%d", i),
					EnvironmentName: pick("dev", "prod"), TemplateName: pick("web", "job")}
				instance.Status = proton.DeploymentStatus(pick("SUCCEEDED", "FAILED", "IN_PROGRESS"))
				instance.CreatedAt, instance.LastAttemptedAt = minute(), minute()
				instance.Version = proton.Version{Major: int64(r.IntN(4)), Minor: int64(r.IntN(3))}
				plan.Instances = append(plan.Instances, instance)
			}
			for _, i := range plan.Instances {
				i.Revision = -1 // lists don't read what could be saved
				all = append(all, i)
			}
			err = errors.Join(err, x.InsertService(c, plan))
		}
		return errors.Join(err, x.InsertService(c, proton.ServicePlan{Service: proton.Service{Scope: other, Name: "s0"},
			Instances: []proton.ServiceInstance{{Scope: other, ServiceName: "s0", Name: "i0"}}}))
	})
	staleness := func(i proton.ServiceInstance) store.Staleness {
		best := recommended[i.TemplateName]
		switch {
		case i.Version.Major == 0:
			return ""
		case best.Major > i.Version.Major:
			return store.BehindMajor
		case best.Major == i.Version.Major && best.Minor > i.Version.Minor:
			return store.BehindMinor
		}
		return store.UpToDate
	}
	filters := map[string]struct {
		filter store.InstanceFilter
		match  func(proton.ServiceInstance) bool
	}{
		"all":          {store.InstanceFilter{}, func(proton.ServiceInstance) bool { return true }},
		"service":      {store.InstanceFilter{Services: []string{"s3"}}, func(i proton.ServiceInstance) bool { return i.ServiceName == "s3" }},
		"two services": {store.InstanceFilter{Services: []string{"s3", "s1", "s3"}}, func(i proton.ServiceInstance) bool { return i.ServiceName == "s3" || i.ServiceName == "s1" }},
		"two statuses and environments": {store.InstanceFilter{Statuses: []proton.DeploymentStatus{proton.Failed, proton.InProgress}, Environments: []string{"prod", "dev"}},
			func(i proton.ServiceInstance) bool { return i.Status == proton.Failed || i.Status == proton.InProgress }},
		"two statuses": {store.InstanceFilter{Statuses: []proton.DeploymentStatus{proton.Failed, proton.InProgress}},
			func(i proton.ServiceInstance) bool { return i.Status == proton.Failed || i.Status == proton.InProgress }},
		"behind, of a template": {store.InstanceFilter{Staleness: []store.Staleness{store.BehindMajor, store.UpToDate}, Templates: []string{"job"}},
			func(i proton.ServiceInstance) bool { return i.TemplateName == "job" && staleness(i) == store.UpToDate }},
		"two names":   {store.InstanceFilter{Names: []string{"i1", "i5", "none"}}, func(i proton.ServiceInstance) bool { return i.Name == "i1" || i.Name == "i5" }},
		"environment": {store.InstanceFilter{Environments: []string{"prod"}}, func(i proton.ServiceInstance) bool { return i.EnvironmentName == "prod" }},
		"template and status": {store.InstanceFilter{Templates: []string{"web"}, Statuses: []proton.DeploymentStatus{proton.Failed}},
			func(i proton.ServiceInstance) bool { return i.TemplateName == "web" && i.Status == proton.Failed }},
		"up to date":   {store.InstanceFilter{Staleness: []store.Staleness{store.UpToDate}}, func(i proton.ServiceInstance) bool { return staleness(i) == store.UpToDate }},
		"behind minor": {store.InstanceFilter{Staleness: []store.Staleness{store.BehindMinor}}, func(i proton.ServiceInstance) bool { return staleness(i) == store.BehindMinor }},
		"behind": {store.InstanceFilter{Staleness: []store.Staleness{store.BehindMinor, store.BehindMajor}},
			func(i proton.ServiceInstance) bool {
				return staleness(i) == store.BehindMinor || staleness(i) == store.BehindMajor
			}},
		"created between": {store.InstanceFilter{CreatedAfter: noon, CreatedBefore: noon.Add(3 * time.Minute)},
			func(i proton.ServiceInstance) bool {
				return i.CreatedAt.After(noon) && i.CreatedAt.Before(noon.Add(3*time.Minute))
			}},
		"attempted": {store.InstanceFilter{AttemptedAfter: noon.Add(time.Minute), AttemptedBefore: noon.Add(3 * time.Minute)},
			func(i proton.ServiceInstance) bool {
				return i.LastAttemptedAt.After(noon.Add(time.Minute)) && i.LastAttemptedAt.Before(noon.Add(3*time.Minute))
			}},
		"nothing": {store.InstanceFilter{Services: []string{"s3"}, Names: []string{""}}, func(proton.ServiceInstance) bool { return false }},
	}
	for by, compare := range orders {
		for name, f := range filters {
			for _, descending := range []bool{false, true} {
				want := slices.Clone(all)
				want = slices.DeleteFunc(want, func(i proton.ServiceInstance) bool { return !f.match(i) })
				slices.SortFunc(want, func(a, b proton.ServiceInstance) int {
					order := cmp.Or(compare(a, b), cmp.Compare(a.ServiceName, b.ServiceName), cmp.Compare(a.Name, b.Name))
					if descending {
						return -order
					}
					return order
				})
				got := []proton.ServiceInstance{}
				var after *store.InstancePosition
				for {
					var rest *store.InstancePosition
					page := view(d, func(c context.Context, x *store.Tx) (list []proton.ServiceInstance, err error) {
						list, rest, err = x.ServiceInstances(c, scope, f.filter, by, descending, after, 7)
						return list, err
					})
					if got = append(got, page...); len(page) < 7 && rest == nil {
						break
					}
					if after = rest; rest == nil {
						after = new(store.InstancePosition)
						*after = store.PositionOf(page[6], by)
					}
				}
				d.same(fmt.Sprintf("%s by %s, descending %t", name, by, descending), want, got)
			}
		}
	}
}

func versionNumbersAreNotReused(t *testing.T, d db) {
	template := proton.Template{Scope: scope, Kind: proton.ServiceTemplate, Name: "web"}
	lastMinor := func(major int64) int64 {
		return view(d, func(c context.Context, x *store.Tx) (int64, error) { return x.LastMinor(c, template, major) })
	}
	add := func(major, minor int64) proton.TemplateVersion {
		v := proton.TemplateVersion{Scope: scope, ID: fmt.Sprint(major, minor), Kind: template.Kind, TemplateName: "web",
			Version: proton.Version{Major: major, Minor: minor}, Status: proton.RegistrationInProgress}
		d.update(func(c context.Context, x *store.Tx) error { return x.InsertTemplateVersion(c, v) })
		return v
	}
	d.same("of nothing", int64(-1), lastMinor(1))
	for _, number := range []proton.Version{{Major: 1, Minor: 0}, {Major: 10, Minor: 0}, {Major: 1, Minor: 1}, {Major: 2, Minor: 0}} {
		add(number.Major, number.Minor)
	}
	v := add(1, 2)
	d.update(func(c context.Context, x *store.Tx) error { return x.DeleteTemplateVersion(c, v) })
	d.same("of a deleted one", int64(2), lastMinor(1))
	d.same("of another major", int64(0), lastMinor(2))
	listed := func(major int64) []string {
		return names(view(d, func(c context.Context, x *store.Tx) ([]proton.TemplateVersion, error) {
			return x.TemplateVersions(c, scope, template.Kind, "web", major)
		}), func(v proton.TemplateVersion) string { return v.Version.String() })
	}
	d.same("by number", []string{"1.0", "1.1", "2.0", "10.0"}, listed(0))
	d.same("of one major", []string{"1.0", "1.1"}, listed(1))
	d.update(func(c context.Context, x *store.Tx) error { return x.DeleteTemplate(c, template) })
	d.same("of a new template of the name", int64(-1), lastMinor(1))
}

func versionsInUse(t *testing.T, d db) {
	at := func(major int64) proton.Version { return proton.Version{Major: major} }
	d.update(func(c context.Context, x *store.Tx) (err error) {
		for n, r := range []proton.Deployable{
			{Status: proton.Succeeded, Version: at(1), Attempted: at(1)},
			{Status: proton.InProgress, Version: at(1), Attempted: at(2)},
			{Status: proton.Failed, Version: at(1), Attempted: at(3)},
			{Status: proton.Failed, Attempted: at(4)},
		} {
			name := fmt.Sprint(n)
			plan := proton.ServicePlan{Service: proton.Service{Scope: scope, Name: name}}
			if n%2 == 0 {
				plan.Instances = []proton.ServiceInstance{{Scope: scope, ServiceName: name, Name: "i", TemplateName: "web", Deployable: r}}
			} else {
				plan.Pipeline = &proton.Pipeline{Scope: scope, ServiceName: name, TemplateName: "web", Deployable: r}
			}
			err = errors.Join(err, x.InsertService(c, plan), x.InsertEnvironment(c, proton.Environment{Scope: scope, Name: name, TemplateName: "vpc", Deployable: r}))
		}
		return err
	})
	for kind, name := range map[proton.TemplateKind]string{proton.ServiceTemplate: "web", proton.EnvironmentTemplate: "vpc"} {
		for major, want := range map[int64]bool{1: true, 2: true, 3: false, 4: true, 5: false} {
			v := proton.TemplateVersion{Scope: scope, Kind: kind, TemplateName: name, Version: at(major)}
			got := view(d, func(c context.Context, x *store.Tx) (bool, error) { return x.TemplateVersionInUse(c, v) })
			d.same(fmt.Sprintf("%s %d in use", name, major), want, got)
		}
	}
}
