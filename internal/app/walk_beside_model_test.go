package app

import (
	"slices"
	"strings"
)

// This file is the reference model of what the random walk does beside
// environments and services.

type walkedComponent struct {
	deployed
	environment      string
	attached, wanted string // "shop/a"; - for none
}

type walkedConnection struct {
	environment string
	status      string // empty once it is gone
}

// componentOf is the component that is, or is being, attached to an instance.
func (w *world) componentOf(instance string) *walkedComponent {
	for _, c := range w.components {
		if c.attached == instance || c.wanted == instance {
			return c
		}
	}
	return nil
}

// besideModels predict what do predicts.
var besideModels = map[string]func(*world, action) (reasons, func()){
	"CreateComponent":  (*world).createComponent,
	"UpdateComponent":  (*world).updateComponent,
	"DeleteComponent":  (*world).deleteComponent,
	"CancelComponent":  (*world).cancelComponent,
	"Notify":           (*world).notify,
	"Tag":              (*world).tag,
	"Untag":            (*world).tag,
	"AskConnection":    (*world).askConnection,
	"AcceptConnection": (*world).answerConnection,
	"RejectConnection": (*world).answerConnection,
	"DropConnection":   (*world).answerConnection,
	"Link":             func(w *world, a action) (reasons, func()) { return nil, func() { w.repositories[a.Name] = true } },
	"Unlink":           func(w *world, a action) (reasons, func()) { return nil, func() { delete(w.repositories, a.Name) } },
}

// hosts holds an environment against a component.
func (w *world) hosts(r *reasons, environment string) {
	e := w.environments[environment]
	if e == nil {
		r.add(true, notFound)
		return
	}
	r.add(strings.HasPrefix(e.status, "DELETE"), conflict)
	r.add(!e.succeeded, invalidCall)
}

// attaches holds an instance, "shop/a", against a component that is to be
// attached to it.
func (w *world) attaches(r *reasons, c *walkedComponent, instance string) (environment string) {
	service, name, _ := strings.Cut(instance, "/")
	s := w.services[service]
	if s == nil || s.instances[name] == nil {
		r.add(true, notFound)
		return ""
	}
	i := s.instances[name]
	r.add(i.running() || i.status == "DELETE_FAILED" || strings.HasPrefix(s.status, "DELETE"), conflict)
	r.add(s.update != nil && slices.Contains(s.update.added, name), conflict)
	r.add(s.template != "web", invalidCall)
	other := w.componentOf(instance)
	r.add(other != nil && other != c, conflict)
	return i.environment
}

func (w *world) createComponent(a action) (reasons, func()) {
	if w.components[a.Name] != nil {
		return reasons{conflict}, nil
	}
	var r reasons
	c := &walkedComponent{environment: a.Environment, attached: "-"}
	if a.Attach != "" {
		c.attached = a.Attach
		c.environment = w.attaches(&r, c, a.Attach)
	}
	w.hosts(&r, c.environment)
	return r, func() {
		c.wanted = c.attached
		w.components[a.Name] = c
		w.begin("component/"+a.Name, &c.deployed, ver{})
	}
}

func (w *world) updateComponent(a action) (reasons, func()) {
	c := w.components[a.Name]
	if c == nil {
		return reasons{notFound}, nil
	}
	var r reasons
	r.add(c.running() || strings.HasPrefix(c.status, "DELETE"), conflict)
	if a.Type == "NONE" {
		r.add(a.Attach != "", invalidCall)
		return r, func() {}
	}
	target := a.Attach
	if target == "" {
		target = c.attached
	}
	r.add(target != c.attached && target != "-" && c.attached != "-", conflict)
	if c.attached != "-" {
		service, name, _ := strings.Cut(c.attached, "/")
		r.add(w.services[service].instances[name].running(), conflict)
	}
	if target != "-" && target != c.attached {
		environment := w.attaches(&r, c, target)
		r.add(environment != "" && environment != c.environment, invalidCall)
	}
	w.hosts(&r, c.environment)
	return r, func() {
		c.wanted = target
		if !c.succeeded { // nothing is in force that could be kept
			c.attached = target
		}
		w.begin("component/"+a.Name, &c.deployed, ver{})
	}
}

func (w *world) deleteComponent(a action) (reasons, func()) {
	c := w.components[a.Name]
	if c == nil || c.status == "DELETE_IN_PROGRESS" {
		return nil, func() {}
	}
	var r reasons
	r.add(c.running() || c.attached != "-", conflict)
	return r, func() { w.destroy("component/"+a.Name, &c.deployed, true) }
}

func (w *world) cancelComponent(a action) (reasons, func()) {
	c := w.components[a.Name]
	if c == nil {
		return reasons{notFound}, nil
	}
	var r reasons
	r.add(c.status != "IN_PROGRESS", conflict)
	return r, func() { w.cancel("component/"+a.Name, &c.deployed) }
}

func (w *world) endComponent(name, how string) {
	c := w.components[name]
	switch {
	case c.finish(how):
		delete(w.components, name)
	case how == "":
		c.attached = c.wanted
	}
	c.wanted = c.attached
}

// notify is a report: how a deployment ends is not said by it here.
func (w *world) notify(a action) (reasons, func()) {
	d := w.find(a.Name)
	switch {
	case d == nil:
		return reasons{notFound}, nil
	case d.waiting:
		return reasons{fine, conflict}, func() {}
	case !d.running():
		return reasons{conflict}, nil
	}
	return nil, func() {}
}

// find is what can be deployed at a path.
func (w *world) find(path string) *deployed {
	parts := strings.Split(path, "/")
	switch parts[0] {
	case "environment":
		if e := w.environments[parts[1]]; e != nil {
			return &e.deployed
		}
	case "component":
		if c := w.components[parts[1]]; c != nil {
			return &c.deployed
		}
	case "service":
		s := w.services[parts[1]]
		switch {
		case s == nil || len(parts) < 3:
		case parts[2] == "pipeline":
			return s.pipeline
		case s.instances[parts[3]] != nil:
			return &s.instances[parts[3]].deployed
		}
	}
	return nil
}

// instances are all there are: "shop/a".
func (w *world) instances() []string {
	var list []string
	for service, s := range w.services {
		for name := range s.instances {
			list = append(list, service+"/"+name)
		}
	}
	slices.Sort(list)
	return list
}

func templatePath(kind, name string) string {
	return map[string]string{"e": "environment-template/", "s": "service-template/"}[kind] + name
}

// paths are all resources that have tags.
func (w *world) paths() []string {
	var paths []string
	for key, t := range w.templates {
		kind, name, _ := strings.Cut(key, "/")
		paths = append(paths, templatePath(kind, name))
		for v := range t.versions {
			paths = append(paths, templatePath(kind, name)+":"+v.String())
		}
	}
	for name := range w.environments {
		paths = append(paths, "environment/"+name)
	}
	for name, s := range w.services {
		paths = append(paths, "service/"+name)
		for child := range s.instances {
			paths = append(paths, "service/"+name+"/service-instance/"+child)
		}
	}
	for name := range w.components {
		paths = append(paths, "component/"+name)
	}
	for name := range w.repositories {
		paths = append(paths, "repository/github:"+name)
	}
	slices.Sort(paths)
	return paths
}

// managed are the names of the tags that the server gives.
func (w *world) managed(path string) []string {
	kind, name, _ := strings.Cut(path, "/")
	switch {
	case strings.HasSuffix(kind, "-template"):
		return []string{"account", "template"}
	case kind == "environment":
		return []string{"account", "environment", "template"}
	case kind == "component" && w.components[name].attached == "-":
		return []string{"account", "component", "environment"}
	case kind == "component":
		return []string{"account", "component", "environment", "service", "service-instance"}
	case strings.Contains(name, "/service-instance/"):
		return []string{"account", "environment", "service", "service-instance", "template"}
	case kind == "service":
		return []string{"account", "service", "template"}
	}
	return []string{"account"}
}

func (w *world) tag(a action) (reasons, func()) {
	var r reasons
	r.add(a.Child == "aws:team", invalidCall)
	if strings.HasSuffix(a.Name, "/pipeline") {
		r.add(true, invalidCall)
		r.add(w.find(a.Name) == nil, notFound)
		return r, nil
	}
	r.add(!slices.Contains(w.paths(), a.Name), notFound)
	return r, func() {
		if a.Op == "Untag" {
			delete(w.tags[a.Name], a.Child)
			return
		}
		if w.tags[a.Name] == nil {
			w.tags[a.Name] = map[string]string{}
		}
		w.tags[a.Name][a.Child] = a.Environment
	}
}

// inherit gives a new child the tags of its parent.
func (w *world) inherit(parent, child string) {
	for key, value := range w.tags[parent] {
		if w.tags[child] == nil {
			w.tags[child] = map[string]string{}
		}
		w.tags[child][key] = value
	}
}

// forget drops the tags of what is gone.
func (w *world) forget() {
	paths := w.paths()
	for path := range w.tags {
		if !slices.Contains(paths, path) {
			delete(w.tags, path)
		}
	}
}

func (w *world) askConnection(a action) (reasons, func()) {
	var r reasons
	for _, c := range w.connections {
		r.add(c.environment == a.Environment && (c.status == "PENDING" || c.status == "CONNECTED"), conflict)
	}
	return r, func() { w.connections = append(w.connections, &walkedConnection{a.Environment, "PENDING"}) }
}

func (w *world) answerConnection(a action) (reasons, func()) {
	var c *walkedConnection
	if a.Minor < len(w.connections) && w.connections[a.Minor].status != "" {
		c = w.connections[a.Minor]
	}
	if a.Op == "DropConnection" {
		return nil, func() {
			if c != nil {
				c.status = ""
			}
		}
	}
	if c == nil {
		return reasons{notFound}, nil
	}
	if a.Op == "RejectConnection" {
		if c.status == "REJECTED" {
			return reasons{fine, conflict}, func() {}
		}
		return nil, func() { c.status = "REJECTED" }
	}
	if c.status == "REJECTED" {
		return reasons{conflict}, nil
	}
	return nil, func() { c.status = "CONNECTED" }
}

// linesBeside is what the model says can be read of it.
func (w *world) linesBeside(add func(...any)) {
	failed := 0
	for name, c := range w.components {
		add("component", name, c.environment, c.status, c.attached)
		if strings.HasSuffix(c.status, "FAILED") {
			failed++
		}
	}
	add("count of components", len(w.components), failed)
	for n, c := range w.connections {
		if c.status != "" {
			add("connection", "MANAGEMENT_ACCOUNT", n, c.environment, c.status)
			add("connection", "ENVIRONMENT_ACCOUNT", n, c.environment, c.status)
		}
	}
	for name := range w.repositories {
		add("repository", name)
	}
}
