package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file is the reference model of the random walk: the life cycles as the
// papers on Proton's behaviour tell them, in as few words as possible and
// without a look at how the product does it. Everything is in one Region.

type ver struct{ major, minor int }

func (v ver) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }
func (v ver) less(w ver) bool {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor)) < 0
}

// walked is a template: kind is "e" or "s".
type walked struct {
	modified  bool
	versions  map[ver]*walkedVersion
	lastMajor int
	lastMinor map[int]int
}

type walkedVersion struct {
	status string
	compat []string // "net:1"
}

// recommended is the highest published version, zero without one; of a major if
// that is not zero.
func (t *walked) recommended(major int) ver {
	var best ver
	for v, x := range t.versions {
		if x.status == "PUBLISHED" && (major == 0 || v.major == major) && best.less(v) {
			best = v
		}
	}
	return best
}

func (t *walked) has(major int) bool {
	for v := range t.versions {
		if v.major == major {
			return true
		}
	}
	return false
}

// deployed is what environments, instances and pipelines have in common.
type deployed struct {
	status             string
	version, attempted ver  // zero: none yet
	succeeded          bool // ever
	touched            bool // a run ever began
	waiting            bool // its deployment is accepted and does not run yet
}

func (d *deployed) running() bool {
	return d.status == "IN_PROGRESS" || d.status == "CANCELLING" || d.status == "DELETE_IN_PROGRESS"
}

func (d *deployed) current() ver {
	if d.version != (ver{}) {
		return d.version
	}
	return d.attempted
}

// shown is the version that Get answers with.
func (d *deployed) shown() ver {
	if d.status == "IN_PROGRESS" || d.status == "CANCELLING" {
		return d.version
	}
	return d.current()
}

type walkedEnvironment struct {
	deployed
	template string
	request  string // of the call that made it
	modified bool
}

type walkedInstance struct {
	deployed
	environment string
}

type walkedService struct {
	template  string
	major     int
	request   string
	modified  bool
	status    string
	instances map[string]*walkedInstance
	order     []string // of the instances
	spec      map[string]string
	pipeline  *deployed
	update    *walkedUpdate
}

type walkedUpdate struct {
	spec     map[string]string
	added    []string
	removed  map[string]deployed
	pipeline *deployed // as it was
}

func (s *walkedService) running() bool { return strings.HasSuffix(s.status, "IN_PROGRESS") }

// world is all of it.
type world struct {
	templates    map[string]*walked // "e/net"
	environments map[string]*walkedEnvironment
	services     map[string]*walkedService
	runs         map[string]bool // resources whose engine run is going on, "environment/dev"
	components   map[string]*walkedComponent
	repositories map[string]bool
	connections  []*walkedConnection
	tags         map[string]map[string]string // of resources, "environment-template/net:1.0"
}

func newWorld() *world {
	return &world{
		templates: map[string]*walked{}, environments: map[string]*walkedEnvironment{}, services: map[string]*walkedService{}, runs: map[string]bool{},
		components: map[string]*walkedComponent{}, repositories: map[string]bool{}, tags: map[string]map[string]string{},
	}
}

// Names of exceptions, and of none.
const (
	fine        = ""
	notFound    = "ResourceNotFoundException"
	conflict    = "ConflictException"
	invalidCall = "ValidationException"
)

// reasons are the refusals that apply to a call. Which of several is named is
// not fixed, unless an earlier one makes the later ones meaningless.
type reasons []string

func (r *reasons) add(when bool, code string) {
	if when && !slices.Contains(*r, code) {
		*r = append(*r, code)
	}
}

// do predicts a call: the exceptions it may be refused with, none if it must
// succeed, and fine among others if both would do. Unless it is refused, its
// effect is the function.
func (w *world) do(a action) (reasons, func()) {
	nothing := func() {}
	key := a.Kind + "/" + a.Template
	t := w.templates[key]
	switch a.Op {
	case "CreateTemplate":
		if t != nil {
			return w.taken(t.modified), nothing
		}
		return nil, func() { w.templates[key] = &walked{versions: map[ver]*walkedVersion{}, lastMinor: map[int]int{}} }
	case "UpdateTemplate":
		if t == nil {
			return reasons{notFound}, nil
		}
		return nil, func() { t.modified = true }
	case "DeleteTemplate":
		if t == nil {
			return nil, nothing
		}
		if len(t.versions) > 0 {
			return reasons{conflict}, nil
		}
		return nil, func() { delete(w.templates, key) }
	case "CreateVersion", "PublishVersion", "DeleteVersion":
		return w.doVersion(a, t)
	case "CreateEnvironment", "UpdateEnvironment", "DeleteEnvironment", "CancelEnvironment":
		return w.doEnvironment(a)
	case "CreateService", "UpdateService", "DescribeService", "DeleteService":
		return w.doService(a)
	}
	if beside, ok := besideModels[a.Op]; ok {
		return beside(w, a)
	}
	return w.doPart(a)
}

func (w *world) taken(modified bool) reasons {
	if modified {
		return reasons{conflict}
	}
	return nil
}

func (w *world) doVersion(a action, t *walked) (reasons, func()) {
	v := ver{a.Major, a.Minor}
	if a.Op == "CreateVersion" {
		var r reasons
		if t == nil {
			return reasons{notFound}, nil
		}
		if a.Kind == "s" {
			for _, c := range a.Compat {
				name, major, _ := strings.Cut(c, ":")
				e := w.templates["e/"+name]
				r.add(e == nil || !e.has(int(major[0]-'0')), notFound)
			}
		}
		r.add(a.Major != 0 && !t.has(a.Major), notFound)
		return r, func() {
			if a.Major == 0 {
				t.lastMajor++
				v = ver{t.lastMajor, 0}
			} else {
				v = ver{a.Major, t.lastMinor[a.Major] + 1}
			}
			t.lastMinor[v.major] = v.minor
			status := "DRAFT"
			if a.Bad {
				status = "REGISTRATION_FAILED"
			}
			t.versions[v] = &walkedVersion{status, a.Compat}
			path := templatePath(a.Kind, a.Template)
			w.inherit(path, path+":"+v.String())
		}
	}
	if t == nil || t.versions[v] == nil {
		if a.Op == "DeleteVersion" {
			return nil, func() {}
		}
		return reasons{notFound}, nil
	}
	if a.Op == "PublishVersion" {
		if t.versions[v].status == "REGISTRATION_FAILED" {
			return reasons{invalidCall}, nil
		}
		return nil, func() { t.versions[v].status = "PUBLISHED" }
	}
	if w.inUse(a.Kind, a.Template, v) || t.recommended(0) == v && len(t.versions) > 1 {
		return reasons{conflict}, nil
	}
	return nil, func() { delete(t.versions, v) }
}

func (w *world) inUse(kind, template string, v ver) bool {
	uses := func(d *deployed) bool {
		return d.version == v || d.attempted == v && (d.version == (ver{}) || d.status == "IN_PROGRESS" || d.status == "CANCELLING")
	}
	if kind == "e" {
		for _, e := range w.environments {
			if e.template == template && uses(&e.deployed) {
				return true
			}
		}
		return false
	}
	for _, s := range w.services {
		if s.template != template {
			continue
		}
		if s.pipeline != nil && uses(s.pipeline) {
			return true
		}
		for _, i := range s.instances {
			if uses(&i.deployed) {
				return true
			}
		}
	}
	return false
}

// choose is the version that a create call names: major, and a minor or -1.
func choose(r *reasons, t *walked, major, minor int) ver {
	if t == nil || !t.has(major) {
		r.add(true, notFound)
		return ver{}
	}
	v := ver{major, minor}
	if minor < 0 {
		v = t.recommended(major)
		r.add(v == (ver{}), invalidCall)
		return v
	}
	x := t.versions[v]
	r.add(x == nil, notFound)
	r.add(x != nil && x.status == "REGISTRATION_FAILED", invalidCall)
	return v
}

// chooseUpdate is the version that an update call deploys. A major of 0 and a
// minor of -1 are not given.
func chooseUpdate(r *reasons, t *walked, current ver, a action) ver {
	given := a.Major != 0 || a.Minor >= 0
	major := a.Major
	switch a.Type {
	case "CURRENT_VERSION":
		r.add(given, invalidCall)
		return current
	case "MINOR_VERSION":
		if major == 0 {
			major = current.major
		}
		r.add(major != current.major, invalidCall)
	case "MAJOR_VERSION":
		if major == 0 {
			major = t.recommended(0).major
		}
		r.add(major <= current.major, invalidCall)
		if major == 0 {
			return ver{}
		}
	}
	return choose(r, t, major, a.Minor)
}

func (w *world) doEnvironment(a action) (reasons, func()) {
	e := w.environments[a.Name]
	t := w.templates["e/"+a.Template]
	var r reasons
	if a.Op == "CreateEnvironment" {
		if e != nil {
			switch {
			case strings.HasPrefix(e.status, "DELETE"):
				return reasons{conflict}, nil
			case e.request != a.request():
				return reasons{invalidCall}, nil
			}
			return w.taken(e.modified), func() {}
		}
		v := choose(&r, t, a.Major, a.Minor)
		return r, func() {
			e := &walkedEnvironment{template: a.Template, request: a.request()}
			w.environments[a.Name] = e
			w.begin("environment/"+a.Name, &e.deployed, v)
		}
	}
	if e == nil {
		if a.Op == "DeleteEnvironment" {
			return nil, func() {}
		}
		return reasons{notFound}, nil
	}
	arn := "environment/" + a.Name
	switch a.Op {
	case "CancelEnvironment":
		r.add(e.status != "IN_PROGRESS", conflict)
		return r, func() { w.cancel(arn, &e.deployed) }
	case "DeleteEnvironment":
		if e.status == "DELETE_IN_PROGRESS" {
			return nil, func() {}
		}
		r.add(e.running(), conflict)
		for _, s := range w.services {
			for _, i := range s.instances {
				r.add(i.environment == a.Name, conflict)
			}
		}
		for _, c := range w.components {
			r.add(c.environment == a.Name, conflict)
		}
		return r, func() { w.destroy(arn, &e.deployed, true) }
	}
	r.add(e.running() || strings.HasPrefix(e.status, "DELETE"), conflict)
	if a.Type == "NONE" {
		r.add(a.Major != 0 || a.Minor >= 0, invalidCall)
		return r, func() { e.modified = true }
	}
	v := chooseUpdate(&r, w.templates["e/"+e.template], e.current(), a)
	return r, func() {
		e.modified = true
		w.begin(arn, &e.deployed, v)
	}
}

// accepts holds an environment against a service template version.
func (w *world) accepts(r *reasons, environment string, x *walkedVersion) {
	e := w.environments[environment]
	if e == nil {
		r.add(true, notFound)
		return
	}
	r.add(e.status == "DELETE_IN_PROGRESS" || e.status == "DELETE_FAILED", conflict)
	r.add(!e.succeeded, invalidCall)
	r.add(x != nil && !slices.Contains(x.compat, fmt.Sprintf("%s:%d", e.template, e.version.major)), invalidCall)
}

func (w *world) doService(a action) (reasons, func()) {
	s := w.services[a.Name]
	var r reasons
	if a.Op == "CreateService" {
		if s != nil {
			switch {
			case strings.HasPrefix(s.status, "DELETE"):
				return reasons{conflict}, nil
			case s.request != a.request():
				return reasons{invalidCall}, nil
			}
			return w.taken(s.modified), func() {}
		}
		t := w.templates["s/"+a.Template]
		v := choose(&r, t, a.Major, a.Minor)
		for _, environment := range a.Instances {
			var x *walkedVersion
			if t != nil {
				x = t.versions[v]
			}
			w.accepts(&r, environment, x)
		}
		return r, func() { w.createService(a, v) }
	}
	if s == nil {
		if a.Op == "DeleteService" {
			return nil, func() {}
		}
		return reasons{notFound}, nil
	}
	busyPipeline := s.pipeline != nil && s.pipeline.running()
	switch a.Op {
	case "DescribeService":
		r.add(s.running() || busyPipeline, conflict)
		return r, func() { s.modified = true }
	case "DeleteService":
		if s.status == "DELETE_IN_PROGRESS" {
			return nil, func() {}
		}
		r.add(s.running() || busyPipeline, conflict)
		for name, i := range s.instances {
			r.add(i.running() || w.componentOf(a.Name+"/"+name) != nil, conflict)
		}
		return r, func() { w.deleteService(a.Name, s) }
	}
	return w.doServiceUpdate(a, s)
}

func (w *world) createService(a action, v ver) {
	s := &walkedService{
		template: a.Template, major: v.major, request: a.request(), status: "CREATE_IN_PROGRESS",
		instances: map[string]*walkedInstance{}, spec: maps.Clone(a.Instances),
	}
	w.services[a.Name] = s
	for _, name := range slices.Sorted(maps.Keys(a.Instances)) {
		w.addInstance(a.Name, s, name, a.Instances[name], v)
	}
	if a.Template == "web" {
		s.pipeline = &deployed{waiting: true}
		w.begin("service/"+a.Name+"/pipeline", s.pipeline, v)
	}
	if len(s.instances) == 0 {
		w.settle(a.Name, s)
	}
}

func (w *world) addInstance(service string, s *walkedService, name, environment string, v ver) {
	i := &walkedInstance{environment: environment}
	s.instances[name] = i
	s.order = append(s.order, name)
	w.inherit("service/"+service, "service/"+service+"/service-instance/"+name)
	w.begin("service/"+service+"/service-instance/"+name, &i.deployed, v)
}

func (w *world) deleteService(name string, s *walkedService) {
	s.status = "DELETE_IN_PROGRESS"
	for _, i := range s.instances {
		i.status, i.waiting = "DELETE_IN_PROGRESS", true
	}
	if s.pipeline != nil {
		w.destroy("service/"+name+"/pipeline", s.pipeline, true)
		return
	}
	w.settle(name, s)
}

func (w *world) doServiceUpdate(a action, s *walkedService) (reasons, func()) {
	var r reasons
	var added, removed []string
	for name, environment := range a.Instances {
		if i := s.instances[name]; i == nil {
			added = append(added, name)
		} else {
			r.add(i.environment != environment, invalidCall)
			r.add(i.status == "DELETE_FAILED", conflict)
		}
	}
	for name := range s.instances {
		if _, kept := a.Instances[name]; !kept {
			removed = append(removed, name)
		}
	}
	r.add(len(a.Instances) == 0, invalidCall)
	busy := s.running() || s.pipeline != nil && s.pipeline.running()
	r.add(busy, conflict)
	if len(added)+len(removed) == 0 {
		return r, func() {}
	}
	r.add(strings.HasPrefix(s.status, "DELETE"), conflict)
	for _, name := range removed {
		r.add(s.instances[name].running() || w.componentOf(a.Name+"/"+name) != nil, conflict)
	}
	r.add(s.pipeline != nil && s.pipeline.status == "DELETE_FAILED", conflict)
	var v ver
	if len(added) > 0 {
		t := w.templates["s/"+s.template]
		if v = t.recommended(s.major); v == (ver{}) {
			if len(s.order) > 0 {
				v = s.instances[s.order[len(s.order)-1]].current()
			} else if s.pipeline != nil {
				v = s.pipeline.current()
			}
		}
		r.add(t.versions[v] == nil, invalidCall)
		for _, name := range added {
			w.accepts(&r, a.Instances[name], t.versions[v])
		}
	}
	slices.Sort(added)
	return r, func() { w.beginUpdate(a, s, added, removed, v) }
}

func (w *world) beginUpdate(a action, s *walkedService, added, removed []string, v ver) {
	u := &walkedUpdate{spec: maps.Clone(a.Instances), added: added, removed: map[string]deployed{}}
	s.update, s.status, s.modified = u, "UPDATE_IN_PROGRESS", true
	for _, name := range removed {
		i := s.instances[name]
		u.removed[name] = i.deployed
		i.status, i.waiting = "DELETE_IN_PROGRESS", true
	}
	for _, name := range added {
		w.addInstance(a.Name, s, name, a.Instances[name], v)
	}
	if s.pipeline != nil {
		was := *s.pipeline
		u.pipeline = &was
		s.pipeline.waiting = true
		w.begin("service/"+a.Name+"/pipeline", s.pipeline, s.pipeline.current())
	}
	if len(added) == 0 {
		w.settle(a.Name, s)
	}
}

// doPart is what happens to one instance or pipeline.
func (w *world) doPart(a action) (reasons, func()) {
	var r reasons
	s := w.services[a.Name]
	if s == nil {
		return reasons{notFound}, nil
	}
	frozen := s.running() || s.status == "DELETE_FAILED"
	arn := "service/" + a.Name + "/service-instance/" + a.Child
	t := w.templates["s/"+s.template]
	if a.Op == "CreateInstance" {
		if s.instances[a.Child] != nil {
			return reasons{conflict}, nil
		}
		var v ver
		switch {
		case a.Major == 0 && a.Minor >= 0:
			r.add(true, invalidCall)
		case a.Major == 0:
			v = t.recommended(0)
			r.add(v == (ver{}), invalidCall)
		default:
			v = choose(&r, t, a.Major, a.Minor)
		}
		w.accepts(&r, a.Environment, t.versions[v])
		r.add(frozen, conflict)
		return r, func() { w.addInstance(a.Name, s, a.Child, a.Environment, v) }
	}
	if a.Op == "UpdateInstance" { // a service at work blocks only what that is about
		frozen = strings.HasPrefix(s.status, "DELETE") || s.update != nil && slices.Contains(s.update.added, a.Child)
	}
	d := s.pipeline
	environment := ""
	if strings.HasSuffix(a.Op, "Pipeline") {
		arn = "service/" + a.Name + "/pipeline"
	} else if i := s.instances[a.Child]; i != nil {
		d, environment = &i.deployed, i.environment
	} else {
		d = nil
	}
	if d == nil {
		return reasons{notFound}, nil
	}
	if strings.HasPrefix(a.Op, "Cancel") {
		r.add(d.status != "IN_PROGRESS", conflict)
		return r, func() {
			w.cancel(arn, d)
		}
	}
	if a.Type == "NONE" {
		r.add(a.Major != 0 || a.Minor >= 0, invalidCall)
		return r, func() {}
	}
	v := chooseUpdate(&r, t, d.current(), a)
	if environment != "" {
		w.accepts(&r, environment, t.versions[v])
		c := w.componentOf(a.Name + "/" + a.Child)
		r.add(c != nil && c.running(), conflict)
	}
	r.add(frozen || d.running() || d.status == "DELETE_FAILED", conflict)
	return r, func() { w.begin(arn, d, v) }
}

// begin accepts a deployment; it runs unless it waits.
func (w *world) begin(arn string, d *deployed, v ver) {
	d.status, d.attempted = "IN_PROGRESS", v
	if !d.waiting {
		w.run(arn, d)
	}
}

func (w *world) run(arn string, d *deployed) {
	d.waiting, d.touched = false, true
	w.runs[arn] = true
}

// destroy removes a resource; what was never touched is gone at once.
func (w *world) destroy(arn string, d *deployed, settle bool) {
	d.status, d.waiting = "DELETE_IN_PROGRESS", false
	if d.touched {
		w.run(arn, d)
	} else if settle {
		w.end(arn, "")
	}
}

// cancel stops a deployment.
func (w *world) cancel(arn string, d *deployed) {
	if d.waiting { // nobody works on it
		d.status, d.waiting = "CANCELLED", false
		return
	}
	w.end(arn, "CANCELLED")
}

// end is the end of a run: as FAILED or CANCELLED, else with success.
func (w *world) end(arn, how string) {
	delete(w.runs, arn)
	parts := strings.Split(arn, "/")
	if parts[0] == "environment" {
		e := w.environments[parts[1]]
		if e.finish(how) {
			delete(w.environments, parts[1])
		}
		return
	}
	if parts[0] == "component" {
		w.endComponent(parts[1], how)
		return
	}
	s := w.services[parts[1]]
	if parts[2] == "pipeline" {
		if s.pipeline.finish(how) {
			s.pipeline = nil
		}
	} else {
		i := s.instances[parts[3]]
		if i.finish(how) {
			delete(s.instances, parts[3])
			s.order = slices.DeleteFunc(s.order, func(name string) bool { return name == parts[3] })
		} else if i.status == "SUCCEEDED" && s.spec[parts[3]] == "" && (s.update == nil || !slices.Contains(s.update.added, parts[3])) {
			s.spec[parts[3]], s.modified = i.environment, true // it came by CreateServiceInstance
		}
	}
	w.settle(parts[1], s)
}

// finish is a deployment's end; true if the resource is gone.
func (d *deployed) finish(how string) (gone bool) {
	switch {
	case d.status == "DELETE_IN_PROGRESS" && how == "":
		return true
	case d.status == "DELETE_IN_PROGRESS":
		d.status = "DELETE_FAILED"
	case how == "":
		d.status, d.version, d.succeeded = "SUCCEEDED", d.attempted, true
	default:
		d.status = how
	}
	return false
}

// settle is what becomes of a service after one of its parts has changed.
func (w *world) settle(name string, s *walkedService) {
	arn := "service/" + name
	running, failed := false, false
	for _, i := range s.instances {
		running = running || i.running()
		failed = failed || i.status != "SUCCEEDED"
	}
	switch s.status {
	case "CREATE_IN_PROGRESS":
		switch {
		case running:
		case failed:
			s.status = "CREATE_FAILED"
			if s.pipeline != nil && s.pipeline.waiting {
				s.pipeline.status, s.pipeline.waiting = "FAILED", false
			}
		case s.pipeline == nil || s.pipeline.status == "SUCCEEDED":
			s.status = "ACTIVE"
		case s.pipeline.waiting:
			w.run(arn+"/pipeline", s.pipeline)
		case !s.pipeline.running():
			s.status = "CREATE_FAILED"
		}
	case "DELETE_IN_PROGRESS":
		w.settleDelete(name, s)
	case "UPDATE_IN_PROGRESS":
		w.settleUpdate(name, s)
	case "UPDATE_FAILED_CLEANUP_IN_PROGRESS":
		left := false
		for _, name := range s.update.added {
			if i := s.instances[name]; i != nil {
				if i.running() {
					return
				}
				left = true
			}
		}
		s.status, s.update = "UPDATE_FAILED_CLEANUP_COMPLETE", nil
		if left {
			s.status = "UPDATE_FAILED_CLEANUP_FAILED"
		}
	case "CREATE_FAILED", "UPDATE_FAILED":
		if !failed && (s.pipeline == nil || s.pipeline.status == "SUCCEEDED") {
			s.status = "ACTIVE"
		}
	}
}

// startWaiting lets the removals that waited run.
func (w *world) startWaiting(name string, s *walkedService) bool {
	started := false
	for _, child := range slices.Clone(s.order) {
		i := s.instances[child]
		if i != nil && i.status == "DELETE_IN_PROGRESS" && i.waiting {
			started = true
			w.destroy("service/"+name+"/service-instance/"+child, &i.deployed, true)
		}
	}
	return started
}

func (w *world) settleDelete(name string, s *walkedService) {
	if s.pipeline != nil && s.pipeline.running() {
		return
	}
	if w.startWaiting(name, s) {
		if w.services[name] == s && s.status == "DELETE_IN_PROGRESS" {
			w.settleDelete(name, s)
		}
		return
	}
	for _, i := range s.instances {
		if i.running() {
			return
		}
	}
	if len(s.instances) > 0 || s.pipeline != nil {
		s.status = "DELETE_FAILED"
		return
	}
	delete(w.services, name)
}

func (w *world) settleUpdate(name string, s *walkedService) {
	u := s.update
	failed := false
	for _, child := range u.added {
		i := s.instances[child]
		if i.status == "IN_PROGRESS" || i.status == "CANCELLING" {
			return
		}
		failed = failed || i.status != "SUCCEEDED"
	}
	if failed {
		w.revert(name, s)
		return
	}
	if w.startWaiting(name, s) {
		if s.status == "UPDATE_IN_PROGRESS" {
			w.settleUpdate(name, s)
		}
		return
	}
	left := false
	for child := range u.removed {
		if i := s.instances[child]; i != nil {
			if i.status == "DELETE_IN_PROGRESS" {
				return
			}
			left = true
		}
	}
	switch {
	case s.pipeline != nil && s.pipeline.waiting:
		w.run("service/"+name+"/pipeline", s.pipeline)
		return
	case s.pipeline != nil && s.pipeline.running():
		return
	case s.pipeline != nil && s.pipeline.status != "SUCCEEDED":
		s.status = "UPDATE_FAILED"
	case left:
		s.status = "UPDATE_COMPLETE_CLEANUP_FAILED"
	default:
		s.status = "ACTIVE"
	}
	s.spec, s.update = u.spec, nil
}

// revert puts back what an update with a failed addition had changed.
func (w *world) revert(name string, s *walkedService) {
	u := s.update
	s.status = "UPDATE_FAILED_CLEANUP_IN_PROGRESS"
	for child, was := range u.removed {
		s.instances[child].deployed = was
	}
	if s.pipeline != nil && s.pipeline.waiting {
		*s.pipeline = *u.pipeline
	}
	for _, child := range u.added {
		i := s.instances[child]
		i.status = "DELETE_IN_PROGRESS"
		w.run("service/"+name+"/service-instance/"+child, &i.deployed)
	}
}

// request is what the repeat of a create call is compared by.
func (a action) request() string { return fmt.Sprint(a.Template, a.Major, a.Minor, a.Instances) }
