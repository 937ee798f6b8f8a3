package proton

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// ids makes ids "1", "2", ….
func ids() func() string {
	n := 0
	return func() string { n++; return fmt.Sprint(n) }
}

// world is a service with its parts and their deployments: what the shell
// around this package keeps in a database, moved as the shell moves it.
type world struct {
	t           *testing.T
	newID       func() string
	service     Service
	instances   []ServiceInstance
	pipeline    *Pipeline
	deployments map[string]Deployment
	removed     bool
	// How often the waiting pipeline was released, and with how many
	// instances not succeeded then.
	pipelineStarts, startedEarly int
}

// environment is one that instances of web 1.0 can be deployed in.
func environment(name string) Environment {
	return Environment{
		Scope: scope, Name: name, TemplateName: "vpc",
		Deployable: Deployable{Status: Succeeded, Version: Version{1, 3}, LastSucceededDeploymentID: "e"},
	}
}

func webVersion() TemplateVersion {
	v := version("1.2 PUBLISHED")
	v.Compatible = []CompatibleTemplate{{"vpc", 1}, {"vpc", 2}}
	return v
}

// createService is the world once CreateService has answered.
func createService(t *testing.T, instances int, pipeline bool) *world {
	t.Helper()
	r := ServiceRequest{
		Service: Service{Scope: scope, Name: "shop", TemplateName: "web", Spec: "spec", HasPipeline: pipeline},
		Version: webVersion(),
	}
	for n := range instances {
		r.Instances = append(r.Instances, WantedInstance{fmt.Sprintf("i%d", n), "prod"})
	}
	w := &world{t: t, newID: ids(), deployments: map[string]Deployment{}}
	plan, err := PlanService(r, map[string]Environment{"prod": environment("prod")}, w.newID, noon)
	if err != nil {
		t.Fatal(err)
	}
	w.service, w.instances, w.pipeline = plan.Service, plan.Instances, plan.Pipeline
	w.add(plan.Deployments...)
	return w
}

func (w *world) add(ds ...Deployment) {
	for _, d := range ds {
		w.deployments[d.ID] = d
	}
}

// ready are the ids of the deployments that a worker could now end, in the
// order they were made.
func (w *world) ready() []string {
	var ready []string
	for n := range 200 {
		if d, ok := w.deployments[fmt.Sprint(n)]; ok && d.Ready && d.Status.Running() {
			ready = append(ready, d.ID)
		}
	}
	return ready
}

// end ends a deployment and settles the service.
func (w *world) end(id string, o Outcome) {
	w.t.Helper()
	d, err := w.deployments[id].End(o, noon)
	if err != nil {
		w.t.Fatal(err)
	}
	w.deployments[id] = d
	w.finish(d)
	waiting := w.pipeline != nil && w.pipeline.Status.Running() && !w.deployments[w.pipeline.LastAttemptedDeploymentID].Ready
	s, err := Settle(w.service, w.instances, w.pipeline, waiting)
	if err != nil {
		w.t.Fatal(err)
	}
	w.carryOut(s)
}

// finish carries the end of a deployment over to its target.
func (w *world) finish(d Deployment) {
	gone := d.Status == DeleteComplete
	switch d.TargetType {
	case TargetPipeline:
		if gone {
			w.pipeline = nil
			return
		}
		w.pipeline.Deployable = w.pipeline.Finish(d)
	case TargetServiceInstance:
		var left []ServiceInstance
		for _, i := range w.instances {
			if i.Name == d.InstanceName {
				if gone {
					continue
				}
				i.Deployable = i.Finish(d)
			}
			left = append(left, i)
		}
		w.instances = left
	}
}

func (w *world) carryOut(s Settlement) {
	w.t.Helper()
	if s.Remove {
		if w.removed = true; len(w.instances) > 0 || w.pipeline != nil {
			w.t.Errorf("the service is removed and parts are left: %v, %v", w.instances, w.pipeline)
		}
	}
	if s.StartPipeline {
		w.pipelineStarts++
		for _, i := range w.instances {
			if i.Status != Succeeded {
				w.startedEarly++
			}
		}
		w.release(w.pipeline.LastAttemptedDeploymentID)
	}
	if s.StartInstances {
		for _, i := range w.instances {
			w.release(i.LastAttemptedDeploymentID)
		}
	}
	if s.FailPipeline != "" {
		d, err := w.deployments[w.pipeline.LastAttemptedDeploymentID].End(Outcome{Failure: s.FailPipeline}, noon)
		if err != nil {
			w.t.Fatal(err)
		}
		w.deployments[d.ID] = d
		w.finish(d)
	}
	w.service = w.service.Apply(s, noon)
}

func (w *world) release(id string) {
	d := w.deployments[id]
	d.Ready = true
	w.deployments[id] = d
}

// delete is a DeleteService call.
func (w *world) delete() {
	w.t.Helper()
	plan, err := PlanServiceDelete(w.service, w.instances, w.pipeline, w.newID, noon)
	if err != nil {
		w.t.Fatal(err)
	}
	w.service, w.instances, w.pipeline = plan.Service, plan.Instances, plan.Pipeline
	w.add(plan.Deployments...)
	if len(plan.Deployments) == 0 { // nothing to wait for
		w.removed = true
	}
}

// redeploy is an update call on one part: the pipeline, or an instance.
func (w *world) redeploy(instance int) {
	w.t.Helper()
	d := Deployment{Scope: scope, ID: w.newID(), Goal: GoalApply, Status: InProgress, CreatedAt: noon, Ready: true,
		ServiceName: "shop", Target: State{Version: Version{1, 2}}}
	target := &Deployable{}
	if instance < 0 {
		d.TargetType, target = TargetPipeline, &w.pipeline.Deployable
	} else {
		d.TargetType, d.InstanceName, target = TargetServiceInstance, w.instances[instance].Name, &w.instances[instance].Deployable
	}
	next, err := target.Begin(d)
	if err != nil {
		w.t.Fatal(err)
	}
	*target = next
	w.add(d)
}

// statuses are those of the service, its instances and its pipeline.
func (w *world) statuses() string {
	text := string(w.service.Status)
	for _, i := range w.instances {
		text += " " + string(i.Status)
	}
	if w.pipeline != nil {
		text += " pipeline:" + string(w.pipeline.Status)
	}
	return text
}
