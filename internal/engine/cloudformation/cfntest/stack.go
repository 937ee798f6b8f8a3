package cfntest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Template is what the server understands of a template; it may be YAML.
type Template struct {
	Resources map[string]Resource `yaml:"Resources" json:"Resources"`
	Outputs   map[string]Output   `yaml:"Outputs" json:"Outputs,omitempty"`
}

// Output has a value as it is.
type Output struct {
	Value string `yaml:"Value" json:"Value"`
}

// Resource is one resource. They are worked on in the order of their names.
type Resource struct {
	Type       string     `yaml:"Type" json:"Type"`
	Properties Properties `yaml:"Properties" json:"Properties"`
}

// Properties say how a resource behaves.
type Properties struct {
	Value        string `yaml:"Value" json:"Value,omitempty"`
	Say          string `yaml:"Say" json:"Say,omitempty"`                   // reason of the event when it begins
	Hold         bool   `yaml:"Hold" json:"Hold,omitempty"`                 // wait for Server.Release
	Fail         string `yaml:"Fail" json:"Fail,omitempty"`                 // reason not to become so
	FailRollback string `yaml:"FailRollback" json:"FailRollback,omitempty"` // reason not to be rolled back from
	FailDelete   string `yaml:"FailDelete" json:"FailDelete,omitempty"`     // reason not to be deleted
}

type stack struct {
	id, name, status, reason string
	now                      *operation // nil: nothing is going on
	holding                  bool
	resources                map[string]Resource
	before                   map[string]Resource // what a rollback goes back to
	outputs                  map[string]Output
	tags                     map[string]string
	events                   []event // oldest first
	sets                     []*changeSet
}

// operation is one going on on a stack.
type operation struct {
	*stack
	token     string
	cancel    chan struct{}
	cancelled bool
}

func (o *operation) stop() {
	if !o.cancelled {
		o.cancelled = true
		close(o.cancel)
	}
}

type changeSet struct {
	id, name, status, reason, execution string
	template                            Template
	tags                                map[string]string
	changes                             []resourceChange
}

type event struct {
	EventId, StackId, StackName, LogicalResourceId, PhysicalResourceId string
	ResourceType, ResourceStatus                                       string
	ResourceStatusReason                                               string `xml:",omitempty"`
	ClientRequestToken                                                 string `xml:",omitempty"`
	Timestamp                                                          time.Time
}

func (s *Server) live(name string) *stack {
	for _, st := range slices.Backward(s.stacks) {
		if (st.name == name || st.id == name) && st.status != "DELETE_COMPLETE" {
			return st
		}
	}
	return nil
}

// find returns a live stack by name or ID, or a deleted one by ID.
func (s *Server) find(name string) (*stack, *problem) {
	if st := s.live(name); st != nil {
		return st, nil
	}
	for _, st := range s.stacks {
		if st.id == name {
			return st, nil
		}
	}
	return nil, invalid("Stack with id %s does not exist", name)
}

// event notes a status of the stack (resource "") or of a resource.
func (s *Server) event(st *stack, resource, status, reason, token string) {
	s.serial++
	e := event{
		EventId: fmt.Sprintf("event-%06d", s.serial), StackId: st.id, StackName: st.name, LogicalResourceId: resource,
		PhysicalResourceId: st.name + "-" + resource, ResourceType: st.resources[resource].Type, ResourceStatus: status,
		ResourceStatusReason: reason, ClientRequestToken: token, Timestamp: time.Now().UTC(),
	}
	if resource == "" {
		st.status, st.reason = status, reason
		e.LogicalResourceId, e.PhysicalResourceId, e.ResourceType = st.name, st.id, "AWS::CloudFormation::Stack"
	}
	st.events = append(st.events, e)
}

// begin starts an operation: work runs by itself, and holds the lock except
// while it waits.
func (s *Server) begin(st *stack, token string, work func(*operation)) {
	op := &operation{stack: st, token: token, cancel: make(chan struct{})}
	st.now = op
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		work(op)
		if st.now == op {
			st.now = nil
		}
	}()
}

// wait lets time pass; it returns false if the operation was cancelled.
func (s *Server) wait(op *operation, hold bool) bool {
	op.holding = hold
	s.mu.Unlock()
	select {
	case <-time.After(s.pace):
	case <-s.closed:
	}
	if hold {
		select {
		case <-s.released:
		case <-op.cancel:
		case <-s.closed:
		}
	}
	s.mu.Lock()
	op.holding = false
	return !op.cancelled
}

// put makes the resources as the template says. It returns why not, and whether
// it was cancelled.
func (s *Server) put(op *operation, t Template) (failure string, cancelled bool) {
	st, token := op.stack, op.token
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r, verb := t.Resources[id], "CREATE"
		if old, ok := st.resources[id]; ok {
			if old == r {
				continue
			}
			verb = "UPDATE"
		}
		was, existed := st.resources[id]
		st.resources[id] = r
		s.event(st, id, verb+"_IN_PROGRESS", r.Properties.Say, token)
		if !s.wait(op, r.Properties.Hold) {
			s.event(st, id, verb+"_FAILED", "Resource update cancelled", token)
			return "Resource update cancelled", true
		}
		if why := r.Properties.Fail; why != "" {
			s.event(st, id, verb+"_FAILED", why, token)
			if existed {
				st.resources[id] = was
			}
			return fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", strings.ToLower(verb), id), false
		}
		s.event(st, id, verb+"_COMPLETE", "", token)
	}
	return "", false
}

// remove deletes resources but those to keep, and returns those that stayed.
func (s *Server) remove(op *operation, keep map[string]Resource) (stuck []string) {
	st, token := op.stack, op.token
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(st.resources))) {
		if _, ok := keep[id]; ok {
			continue
		}
		s.event(st, id, "DELETE_IN_PROGRESS", "", token)
		s.wait(op, false)
		if why := st.resources[id].Properties.FailDelete; why != "" && !s.relented {
			s.event(st, id, "DELETE_FAILED", why, token)
			stuck = append(stuck, id)
			continue
		}
		s.event(st, id, "DELETE_COMPLETE", "", token)
		delete(st.resources, id)
	}
	return stuck
}

func (s *Server) create(st *stack, set *changeSet, token string) {
	s.event(st, "", "CREATE_IN_PROGRESS", "User Initiated", token)
	s.begin(st, token, func(op *operation) {
		failure, cancelled := s.put(op, set.template)
		if cancelled {
			return // a deletion has taken over
		}
		if failure != "" {
			set.execution = "EXECUTE_FAILED"
			s.event(st, "", "ROLLBACK_IN_PROGRESS", failure+"Rollback requested by user.", token)
			stuck := s.remove(op, nil)
			switch {
			case op.cancelled:
			case stuck != nil:
				s.event(st, "", "ROLLBACK_FAILED", "", token)
			default:
				s.event(st, "", "ROLLBACK_COMPLETE", "", token)
			}
			return
		}
		s.changes++
		st.outputs, st.tags, st.sets = set.template.Outputs, set.tags, nil
		s.event(st, "", "CREATE_COMPLETE", "", token)
	})
}

func (s *Server) update(st *stack, set *changeSet, token string) {
	st.before = maps.Clone(st.resources)
	s.event(st, "", "UPDATE_IN_PROGRESS", "User Initiated", token)
	s.begin(st, token, func(op *operation) {
		if failure, _ := s.put(op, set.template); failure != "" {
			set.execution = "EXECUTE_FAILED"
			s.rollBack(op, failure)
			return
		}
		s.changes++
		st.outputs, st.tags, st.sets = set.template.Outputs, set.tags, nil
		s.event(st, "", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", token)
		s.remove(op, set.template.Resources)
		s.event(st, "", "UPDATE_COMPLETE", "", token)
	})
}

func (s *Server) rollBack(op *operation, failure string) {
	st, token := op.stack, op.token
	s.event(st, "", "UPDATE_ROLLBACK_IN_PROGRESS", failure, token)
	for _, id := range slices.Sorted(maps.Keys(st.before)) {
		r := st.resources[id]
		if r == st.before[id] && r.Properties.FailRollback == "" {
			continue
		}
		s.event(st, id, "UPDATE_IN_PROGRESS", "", token)
		s.wait(op, false)
		if why := r.Properties.FailRollback; why != "" && !s.relented {
			s.event(st, id, "UPDATE_FAILED", why, token)
			s.event(st, "", "UPDATE_ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to update: [%s]. ", id), token)
			return
		}
		st.resources[id] = st.before[id]
		s.event(st, id, "UPDATE_COMPLETE", "", token)
	}
	s.event(st, "", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", token)
	s.remove(op, st.before)
	s.event(st, "", "UPDATE_ROLLBACK_COMPLETE", "", token)
}

func (s *Server) deleteStack(in url.Values) (any, *problem) {
	st := s.live(in.Get("StackName"))
	if st == nil || st.status == "DELETE_IN_PROGRESS" {
		return none{}, nil
	}
	if strings.HasPrefix(st.status, "UPDATE_") && strings.HasSuffix(st.status, "_IN_PROGRESS") {
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.name, st.status)
	}
	if st.now != nil {
		st.now.stop()
	}
	retain := list(in, "RetainResources.member.%d")
	if len(retain) > 0 && st.status != "DELETE_FAILED" {
		return nil, invalid("Invalid operation on stack [%s]. Specify the RetainResources parameter only when the stack is in the DELETE_FAILED state", st.id)
	}
	for _, id := range retain {
		delete(st.resources, id)
	}
	token := in.Get("ClientRequestToken")
	s.event(st, "", "DELETE_IN_PROGRESS", "User Initiated", token)
	was := len(st.resources) > 0
	s.begin(st, token, func(op *operation) {
		s.wait(op, false)
		if stuck := s.remove(op, nil); stuck != nil {
			s.event(st, "", "DELETE_FAILED", fmt.Sprintf("The following resource(s) failed to delete: %v. ", stuck), token)
			return
		}
		if was {
			s.changes++
		}
		s.event(st, "", "DELETE_COMPLETE", "", token)
	})
	return none{}, nil
}

func (s *Server) cancelUpdateStack(in url.Values) (any, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, p
	}
	if st.status != "UPDATE_IN_PROGRESS" {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	if st.now != nil {
		st.now.stop()
	}
	return none{}, nil
}

func (s *Server) continueUpdateRollback(in url.Values) (any, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, p
	}
	if st.status != "UPDATE_ROLLBACK_FAILED" {
		return nil, invalid("Stack:%s is in %s state and can not continue a rollback", st.id, st.status)
	}
	token := in.Get("ClientRequestToken")
	s.event(st, "", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", token)
	s.begin(st, token, func(op *operation) { s.rollBack(op, "") })
	return none{}, nil
}

// read parses a template as CloudFormation would.
func read(text string) (t Template, p *problem) {
	if err := yaml.Unmarshal([]byte(text), &t); err != nil {
		return t, invalid("Template format error: %s", err)
	}
	if len(t.Resources) == 0 {
		return t, invalid("Template format error: At least one Resources member must be defined.")
	}
	return t, nil
}
