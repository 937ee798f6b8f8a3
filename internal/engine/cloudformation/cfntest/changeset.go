package cfntest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type resourceChange struct {
	Action, LogicalResourceId, ResourceType string
	Replacement                             string `xml:",omitempty"`
}

type tag struct{ Key, Value string }

func (s *Server) createChangeSet(in url.Values) (any, *problem) {
	name := in.Get("StackName")
	text, p := s.template(in)
	if p != nil {
		return nil, p
	}
	t, p := read(text)
	if p != nil {
		return nil, p
	}
	if !slices.Contains(list(in, "Capabilities.member.%d"), "CAPABILITY_NAMED_IAM") {
		return nil, &problem{http.StatusBadRequest, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"}
	}
	st := s.live(name)
	switch kind := in.Get("ChangeSetType"); {
	case kind == "CREATE" && st == nil:
		s.serial++
		st = &stack{name: name, id: fmt.Sprintf("arn:aws:cloudformation:us-east-1:123456789012:stack/%s/00000000-0000-0000-0000-%012d", name, s.serial), resources: map[string]Resource{}}
		s.stacks = append(s.stacks, st)
		s.event(st, "", "REVIEW_IN_PROGRESS", "User Initiated", "")
	case kind == "CREATE" && st.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", name, in.Get("ChangeSetName"))
	case kind == "UPDATE" && st == nil:
		return nil, invalid("Stack [%s] does not exist", name)
	case kind == "UPDATE" && (st.now != nil || st.status == "REVIEW_IN_PROGRESS" || strings.HasSuffix(st.status, "ROLLBACK_FAILED") || st.status == "ROLLBACK_COMPLETE" || st.status == "DELETE_FAILED"):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
	}
	if _, exists := st.set(in.Get("ChangeSetName")); exists == nil {
		return nil, &problem{http.StatusBadRequest, "AlreadyExistsException", "ChangeSet " + in.Get("ChangeSetName") + " already exists"}
	}
	set := &changeSet{name: in.Get("ChangeSetName"), id: "arn:aws:cloudformation:::changeSet/" + in.Get("ChangeSetName"), template: t, tags: map[string]string{}, status: "CREATE_PENDING", execution: "UNAVAILABLE"}
	values := list(in, "Tags.member.%d.Value")
	for i, key := range list(in, "Tags.member.%d.Key") {
		set.tags[key] = values[i]
	}
	st.sets = append(st.sets, set)
	go s.plan(st, set)
	return struct{ Id, StackId string }{set.id, st.id}, nil
}

// plan computes the changes of a change set, after a while.
func (s *Server) plan(st *stack, set *changeSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	alone := &operation{stack: &stack{}}
	set.status = "CREATE_IN_PROGRESS"
	s.wait(alone, false)
	add := func(action, id, kind, replacement string) {
		set.changes = append(set.changes, resourceChange{action, id, kind, replacement})
	}
	for _, id := range slices.Sorted(maps.Keys(set.template.Resources)) {
		r := set.template.Resources[id]
		if strings.HasSuffix(r.Type, "::Unknown") {
			set.status, set.reason = "FAILED", fmt.Sprintf("Template format error: Unrecognized resource types: [%s]", r.Type)
			return
		}
		if old, ok := st.resources[id]; !ok {
			add("Add", id, r.Type, "")
		} else if old != r {
			add("Modify", id, r.Type, "Conditional")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(st.resources)) {
		if _, ok := set.template.Resources[id]; !ok {
			add("Remove", id, st.resources[id].Type, "")
		}
	}
	if len(set.changes) == 0 && maps.Equal(st.outputs, set.template.Outputs) && maps.Equal(st.tags, set.tags) {
		set.status, set.reason = "FAILED", "The submitted information didn't contain changes. Submit different information to create a change set."
		return
	}
	set.status, set.execution = "CREATE_COMPLETE", "AVAILABLE"
}

func (st *stack) set(name string) (*changeSet, *problem) {
	for _, set := range st.sets {
		if set.name == name || set.id == name {
			return set, nil
		}
	}
	return nil, &problem{http.StatusNotFound, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
}

func (s *Server) findSet(in url.Values) (*stack, *changeSet, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, nil, p
	}
	set, p := st.set(in.Get("ChangeSetName"))
	return st, set, p
}

func (s *Server) describeChangeSet(in url.Values) (any, *problem) {
	st, set, p := s.findSet(in)
	if p != nil {
		return nil, p
	}
	type change struct {
		Type           string
		ResourceChange resourceChange
	}
	out := struct {
		ChangeSetName, ChangeSetId, StackId, StackName, Status, StatusReason, ExecutionStatus string
		NextToken                                                                             string   `xml:",omitempty"`
		Changes                                                                               []change `xml:"Changes>member"`
	}{set.name, set.id, st.id, st.name, set.status, set.reason, set.execution, "", nil}
	page, next := paginate(set.changes, in.Get("NextToken"), s.page)
	for _, c := range page {
		out.Changes = append(out.Changes, change{"Resource", c})
	}
	out.NextToken = next
	return out, nil
}

func (s *Server) executeChangeSet(in url.Values) (any, *problem) {
	st, set, p := s.findSet(in)
	if p != nil {
		return nil, p
	}
	if set.execution != "AVAILABLE" || st.now != nil {
		return nil, &problem{http.StatusBadRequest, "InvalidChangeSetStatus", "ChangeSet [" + set.name + "] cannot be executed in its current execution status of [" + set.execution + "]"}
	}
	for _, other := range st.sets {
		if other != set {
			other.execution = "OBSOLETE"
		}
	}
	set.execution = "EXECUTE_IN_PROGRESS"
	if st.status == "REVIEW_IN_PROGRESS" {
		s.create(st, set, in.Get("ClientRequestToken"))
	} else {
		s.update(st, set, in.Get("ClientRequestToken"))
	}
	return none{}, nil
}

func (s *Server) deleteChangeSet(in url.Values) (any, *problem) {
	st, set, p := s.findSet(in)
	if p != nil {
		return nil, p
	}
	if set.execution == "EXECUTE_IN_PROGRESS" {
		return nil, &problem{http.StatusBadRequest, "InvalidChangeSetStatus", "ChangeSet is being executed"}
	}
	st.sets = slices.DeleteFunc(st.sets, func(c *changeSet) bool { return c == set })
	return none{}, nil
}

func (s *Server) describeStacks(in url.Values) (any, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, p
	}
	type output struct{ OutputKey, OutputValue string }
	type description struct {
		StackId, StackName, StackStatus, StackStatusReason string
		Outputs                                            []output `xml:"Outputs>member"`
		Tags                                               []tag    `xml:"Tags>member"`
	}
	d := description{StackId: st.id, StackName: st.name, StackStatus: st.status, StackStatusReason: st.reason}
	for _, key := range slices.Sorted(maps.Keys(st.outputs)) {
		d.Outputs = append(d.Outputs, output{key, st.outputs[key].Value})
	}
	for _, key := range slices.Sorted(maps.Keys(st.tags)) {
		d.Tags = append(d.Tags, tag{key, st.tags[key]})
	}
	return struct {
		Stacks []description `xml:"Stacks>member"`
	}{[]description{d}}, nil
}

func (s *Server) describeStackEvents(in url.Values) (any, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, p
	}
	newest := slices.Clone(st.events)
	slices.Reverse(newest)
	page, next := paginate(newest, in.Get("NextToken"), s.page)
	return struct {
		StackEvents []event `xml:"StackEvents>member"`
		NextToken   string  `xml:",omitempty"`
	}{page, next}, nil
}

func (s *Server) listStackResources(in url.Values) (any, *problem) {
	st, p := s.find(in.Get("StackName"))
	if p != nil {
		return nil, p
	}
	type summary struct{ LogicalResourceId, ResourceType, ResourceStatus string }
	var all []summary
	for _, id := range slices.Sorted(maps.Keys(st.resources)) {
		all = append(all, summary{id, st.resources[id].Type, "CREATE_COMPLETE"})
	}
	page, next := paginate(all, in.Get("NextToken"), s.page)
	return struct {
		StackResourceSummaries []summary `xml:"StackResourceSummaries>member"`
		NextToken              string    `xml:",omitempty"`
	}{page, next}, nil
}

func paginate[T any](all []T, token string, size int) (page []T, next string) {
	from, _ := strconv.Atoi(token)
	from = min(from, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next
}

// list returns the values of numbered parameters.
func list(in url.Values, pattern string) (out []string) {
	for i := 1; in.Has(fmt.Sprintf(pattern, i)); i++ {
		out = append(out, in.Get(fmt.Sprintf(pattern, i)))
	}
	return out
}
