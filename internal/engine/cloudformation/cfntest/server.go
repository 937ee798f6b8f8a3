// Package cfntest is a CloudFormation for tests: a server that speaks its query
// protocol, STS's AssumeRole and as much of S3 as templates need, with stacks that take time, fail, roll back,
// get stuck and tell of it in events, as the real one does.
//
// What happens to a resource stands in its properties (see Resource); what
// happens to requests is set on the Server. It makes nothing real and never
// listens on anything but loopback.
package cfntest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is the fake. Its methods are safe for concurrent use.
type Server struct {
	URL string // of CloudFormation, of STS and of S3

	mu       sync.Mutex
	stacks   []*stack // in the order of their creation, deleted ones too
	released chan struct{}
	relented bool
	changes  int
	serial   int
	page     int
	pace     time.Duration
	calls    []Call
	faults   []*fault
	roles    map[string]string // of an access key: who it acts as
	buckets  map[string]map[string]string
	closed   chan struct{}
}

// Call is one request that was received.
type Call struct {
	Action string
	Role   string     // ARN of the assumed role; empty: none
	Form   url.Values // of S3's: Bucket, Key and Owner
}

type fault struct {
	action, code string
	status, left int
	lost         bool // answer so only after doing what was asked
}

// New returns a running server, stopped at the end of the test.
func New(t *testing.T) *Server {
	s, stop := Start()
	t.Cleanup(stop)
	return s
}

// Start returns a running server, and what stops it.
func Start() (s *Server, stop func()) {
	s = &Server{released: make(chan struct{}), pace: time.Millisecond, page: 100, roles: map[string]string{}, buckets: map[string]map[string]string{}, closed: make(chan struct{})}
	web := httptest.NewServer(s)
	s.URL = web.URL
	return s, func() { close(s.closed); web.Close() }
}

// PageSize sets how many events one answer holds.
func (s *Server) PageSize(n int) { s.with(func() { s.page = n }) }

// Fault lets the next n requests for an action be refused with a code.
func (s *Server) Fault(action, code string, status, n int) {
	s.with(func() { s.faults = append(s.faults, &fault{action: action, code: code, status: status, left: n}) })
}

// Lose lets the next request for an action be done, and its answer be lost.
func (s *Server) Lose(action string) {
	s.with(func() {
		s.faults = append(s.faults, &fault{action: action, code: "ValidationError", status: http.StatusBadRequest, left: 1, lost: true})
	})
}

// Release lets held resources go on, now and later.
func (s *Server) Release() {
	s.with(func() {
		select {
		case <-s.released:
		default:
			close(s.released)
		}
	})
}

// Relent lets deletions and rollbacks succeed that were set to fail.
func (s *Server) Relent() { s.with(func() { s.relented = true }) }

// Calls returns the requests for an action, or all for "".
func (s *Server) Calls(action string) (out []Call) {
	s.with(func() {
		for _, c := range s.calls {
			if action == "" || c.Action == action {
				out = append(out, c)
			}
		}
	})
	return out
}

// Changes counts the creations, updates and deletions that were completed.
func (s *Server) Changes() (n int) { s.with(func() { n = s.changes }); return n }

// Busy reports whether an operation is going on, Holding whether one of them
// waits for Release.
func (s *Server) Busy() bool { return s.any(func(st *stack) bool { return st.now != nil }) }

// Holding: see Busy.
func (s *Server) Holding() bool { return s.any(func(st *stack) bool { return st.holding }) }

func (s *Server) any(is func(*stack) bool) (found bool) {
	s.with(func() { found = slices.ContainsFunc(s.stacks, is) })
	return found
}

// Snapshot is what there is of a stack.
type Snapshot struct {
	ID, Status string
	Values     map[string]string // the property Value of each resource
	Tags       map[string]string
	ChangeSets int
}

// Stack returns a stack that was not deleted.
func (s *Server) Stack(name string) (out Snapshot, ok bool) {
	s.with(func() {
		st := s.live(name)
		if ok = st != nil; !ok {
			return
		}
		out = Snapshot{ID: st.id, Status: st.status, Values: map[string]string{}, Tags: st.tags, ChangeSets: len(st.sets)}
		for id, r := range st.resources {
			out.Values[id] = r.Properties.Value
		}
	})
	return out, ok
}

func (s *Server) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// problem is an answer that is an error.
type problem struct {
	status        int
	code, message string
}

func (p *problem) Error() string { return p.code + ": " + p.message }

func invalid(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one request of the query protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		s.serveObject(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := r.Form.Get("Action")
	s.mu.Lock()
	f := s.fault(action)
	s.calls = append(s.calls, Call{action, s.roles[accessKey(r)], r.Form})
	var result any
	var p *problem
	if f == nil || f.lost {
		result, p = s.do(action, r.Form)
	}
	if f != nil {
		p = &problem{f.status, f.code, "as the test asked"}
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	if p != nil {
		w.WriteHeader(p.status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>", p.code)
		xml.EscapeText(w, []byte(p.message))
		fmt.Fprint(w, "</Message></Error><RequestId>r</RequestId></ErrorResponse>")
		return
	}
	fmt.Fprintf(w, "<%sResponse>", action)
	xml.NewEncoder(w).EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}})
	fmt.Fprintf(w, "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%sResponse>", action)
}

func (s *Server) fault(action string) *fault {
	for _, f := range s.faults {
		if f.left > 0 && f.action == action {
			f.left--
			return f
		}
	}
	return nil
}

// accessKey returns the key that a request was signed with.
func accessKey(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}

func (s *Server) do(action string, in url.Values) (any, *problem) {
	switch action {
	case "AssumeRole":
		return s.assumeRole(in)
	case "GetCallerIdentity":
		return struct{ Account string }{"123456789012"}, nil
	case "DescribeStacks":
		return s.describeStacks(in)
	case "DescribeStackEvents":
		return s.describeStackEvents(in)
	case "ListStackResources":
		return s.listStackResources(in)
	case "CreateChangeSet":
		return s.createChangeSet(in)
	case "DescribeChangeSet":
		return s.describeChangeSet(in)
	case "ExecuteChangeSet":
		return s.executeChangeSet(in)
	case "DeleteChangeSet":
		return s.deleteChangeSet(in)
	case "DeleteStack":
		return s.deleteStack(in)
	case "CancelUpdateStack":
		return s.cancelUpdateStack(in)
	case "ContinueUpdateRollback":
		return s.continueUpdateRollback(in)
	}
	return nil, &problem{http.StatusBadRequest, "InvalidAction", "no action " + action}
}

type none struct{}

func (s *Server) assumeRole(in url.Values) (any, *problem) {
	s.serial++
	key := fmt.Sprintf("ASIAFAKE%08d", s.serial)
	s.roles[key] = in.Get("RoleArn")
	type credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
	return struct{ Credentials credentials }{credentials{key, "secret", "token", time.Now().Add(time.Hour)}}, nil
}
