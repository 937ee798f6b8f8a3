package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// stock is what a scope has, kept in memory beside the store.
type stock struct {
	recommended  map[string]proton.Version
	environments map[string]proton.Environment
	services     map[string]proton.Service
	instances    map[string]proton.ServiceInstance // by service
	pipelines    map[string]proton.Pipeline
	components   map[string]proton.Component
}

type tallies struct{ Environments, Services, Instances, Pipelines, Components store.Counts }

// summaryFollowsEveryWrite makes, changes and removes resources at random, and
// after each step holds the summary against what it ought to be.
func summaryFollowsEveryWrite(t *testing.T, d db) {
	r := rand.New(rand.NewPCG(3, 4))
	s := stock{map[string]proton.Version{"web": {Major: 2, Minor: 1}, "job": {}}, map[string]proton.Environment{}, map[string]proton.Service{},
		map[string]proton.ServiceInstance{}, map[string]proton.Pipeline{}, map[string]proton.Component{}}
	d.update(func(c context.Context, x *store.Tx) (err error) {
		for name, version := range s.recommended {
			for _, kind := range []proton.TemplateKind{proton.EnvironmentTemplate, proton.ServiceTemplate} {
				err = errors.Join(err, x.InsertTemplate(c, proton.Template{Scope: scope, Kind: kind, Name: name, Recommended: version}))
			}
		}
		return errors.Join(err, x.InsertEnvironment(c, proton.Environment{Scope: other, Name: "far"}))
	})
	for step := range 120 {
		d.update(func(c context.Context, x *store.Tx) error { return s.change(c, x, r) })
		boom := errors.New("boom")
		undone := stock{s.recommended, clone(s.environments), clone(s.services), clone(s.instances), clone(s.pipelines), clone(s.components)}
		if err := d.tryUpdate(func(c context.Context, x *store.Tx) error { return errors.Join(undone.change(c, x, r), boom) }); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		got := view(d, func(c context.Context, x *store.Tx) (tallies, error) {
			environments, err1 := x.EnvironmentCounts(c, scope)
			services, err2 := x.ServiceCounts(c, scope)
			instances, err3 := x.InstanceCounts(c, scope)
			pipelines, err4 := x.PipelineCounts(c, scope)
			components, err5 := x.ComponentCounts(c, scope)
			return tallies{environments, services, instances, pipelines, components}, errors.Join(err1, err2, err3, err4, err5)
		})
		d.same(fmt.Sprintf("after step %d", step), s.count(), got)
		quotas := view(d, func(c context.Context, x *store.Tx) ([]int, error) {
			environments, err1 := x.CountEnvironments(c, scope)
			services, err2 := x.CountServices(c, scope)
			components, err3 := x.CountComponents(c, scope)
			templates, err4 := x.CountTemplates(c, scope)
			return []int{environments, services, components, templates}, errors.Join(err1, err2, err3, err4)
		})
		d.same(fmt.Sprintf("for quotas after step %d", step), []int{len(s.environments), len(s.services), len(s.components), 4}, quotas)
		if t.Failed() {
			return
		}
	}
}

func clone[V any](m map[string]V) map[string]V {
	out := map[string]V{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// change makes one resource of each kind, or changes or removes the one there is.
func (s *stock) change(c context.Context, x *store.Tx, r *rand.Rand) error {
	name := fmt.Sprintf("n%d", r.IntN(6))
	template := []string{"web", "job"}[name[1]%2]
	deployable := proton.Deployable{Version: proton.Version{Major: int64(r.IntN(4)), Minor: int64(r.IntN(3))},
		Status: []proton.DeploymentStatus{proton.Succeeded, proton.Failed, proton.DeleteFailed, proton.InProgress}[r.IntN(4)]}
	if deployable.Version.Major == 0 {
		deployable.Version.Minor = 0
	}
	gone := r.IntN(4) == 0
	instance := proton.ServiceInstance{Scope: scope, ServiceName: name, Name: "i", TemplateName: template, Deployable: deployable}
	pipeline := proton.Pipeline{Scope: scope, ServiceName: name, TemplateName: template, Deployable: deployable}
	pipeline.Version.Minor = int64(r.IntN(3)) * min(1, pipeline.Version.Major)
	service, exists := s.services[name]
	service.Scope, service.Name, service.TemplateName = scope, name, template
	service.Status = proton.ServiceStatuses[r.IntN(len(proton.ServiceStatuses))]
	var err error
	switch {
	case !exists:
		err = x.InsertService(c, proton.ServicePlan{Service: service, Instances: []proton.ServiceInstance{instance}, Pipeline: &pipeline})
		s.services[name], s.instances[name], s.pipelines[name] = service, instance, pipeline
	case gone:
		err = errors.Join(x.DeleteServiceInstance(c, instance), x.DeletePipeline(c, pipeline), x.DeleteService(c, service))
		delete(s.services, name)
		delete(s.instances, name)
		delete(s.pipelines, name)
	default:
		instance.Revision, pipeline.Revision = s.instances[name].Revision, s.pipelines[name].Revision
		err = errors.Join(x.SaveServiceInstance(c, instance), x.SavePipeline(c, pipeline), x.SaveService(c, service))
		service.Revision, instance.Revision, pipeline.Revision = service.Revision+1, instance.Revision+1, pipeline.Revision+1
		s.services[name], s.instances[name], s.pipelines[name] = service, instance, pipeline
	}
	environment := proton.Environment{Scope: scope, Name: name, TemplateName: template, Deployable: deployable}
	err = errors.Join(err, put(s.environments, name, environment, gone, func(e *proton.Environment) *int64 { return &e.Revision },
		func(e proton.Environment) error { return x.InsertEnvironment(c, e) }, func(e proton.Environment) error { return x.SaveEnvironment(c, e) },
		func(e proton.Environment) error { return x.DeleteEnvironment(c, e) }))
	component := proton.Component{Scope: scope, Name: name, Deployable: proton.Deployable{Status: deployable.Status}}
	return errors.Join(err, put(s.components, name, component, gone, func(r *proton.Component) *int64 { return &r.Revision },
		func(r proton.Component) error { return x.InsertComponent(c, r) }, func(r proton.Component) error { return x.SaveComponent(c, r) },
		func(r proton.Component) error { return x.DeleteComponent(c, r) }))
}

func put[V any](all map[string]V, name string, v V, gone bool, revision func(*V) *int64, insert, save, remove func(V) error) error {
	old, exists := all[name]
	switch {
	case !exists:
		all[name] = v
		return insert(v)
	case gone:
		delete(all, name)
		return remove(v)
	}
	*revision(&v) = *revision(&old)
	err := save(v)
	*revision(&v)++
	all[name] = v
	return err
}

func (s *stock) count() (want tallies) {
	level := func(template string, v proton.Version) int {
		best := s.recommended[template]
		switch {
		case v.Major == 0:
			return 0
		case best.Major > v.Major:
			return 3
		case best.Major == v.Major && best.Minor > v.Minor:
			return 2
		}
		return 1
	}
	add := func(c *store.Counts, failed bool, level int) {
		c.Total++
		if failed {
			c.Failed++
		}
		if level > 0 {
			*[]*int64{&c.UpToDate, &c.BehindMinor, &c.BehindMajor}[level-1]++
		}
	}
	failed := func(status proton.DeploymentStatus) bool {
		return status == proton.Failed || status == proton.DeleteFailed
	}
	for _, e := range s.environments {
		add(&want.Environments, failed(e.Status), level(e.TemplateName, e.Version))
	}
	for name, service := range s.services {
		i, p := s.instances[name], s.pipelines[name]
		add(&want.Instances, failed(i.Status), level(i.TemplateName, i.Version))
		add(&want.Pipelines, failed(p.Status), level(p.TemplateName, p.Version))
		bad := strings.Contains(string(service.Status), "FAILED") && !service.Status.Running()
		add(&want.Services, bad, max(level(i.TemplateName, i.Version), level(p.TemplateName, p.Version)))
	}
	for _, c := range s.components {
		add(&want.Components, failed(c.Status), 0)
	}
	return want
}
