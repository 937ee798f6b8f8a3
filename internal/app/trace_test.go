package app

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/spf13/pflag"
	otlp "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes traces as OTLP over HTTP.
type collector struct {
	url string

	mu     sync.Mutex
	spans  map[string]received // by id
	header http.Header
}

type received struct {
	trace, id, parent, name, kind string
	failed                        bool
	about                         map[string]string
}

func newCollector(t *testing.T) *collector {
	c := &collector{spans: map[string]received{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s of type %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if err := c.take(r); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *collector) take(r *http.Request) error {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	var batch otlp.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &batch); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = r.Header
	for _, of := range batch.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				got := received{
					trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					name: s.Name, kind: s.Kind.String(), failed: s.GetStatus().GetCode() == 2, about: map[string]string{},
				}
				if s.EndTimeUnixNano < s.StartTimeUnixNano || time.Since(time.Unix(0, int64(s.StartTimeUnixNano))) > time.Hour {
					return fmt.Errorf("%s was from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
				}
				for _, a := range append(of.Resource.Attributes, s.Attributes...) {
					got.about[a.Key] = a.Value.GetStringValue()
					if n := a.Value.GetIntValue(); n != 0 {
						got.about[a.Key] = fmt.Sprint(n)
					}
				}
				c.spans[got.id] = got
			}
		}
	}
	return nil
}

// path is a span with all above it, the topmost first.
func (c *collector) path(s received) string {
	if above, ok := c.spans[s.parent]; ok {
		return c.path(above) + " > " + s.name
	}
	return s.name
}

// paths are those of a trace, with the spans at their ends.
func (c *collector) paths(trace string) map[string]received {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]received{}
	for _, s := range c.spans {
		if s.trace == trace {
			all[c.path(s)] = s
		}
	}
	return all
}

// tracedClient says with each call which trace it belongs to.
func tracedClient(s *Server, parent string) *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: s.URL, Sign: func(r *http.Request, body []byte) error {
		r.Header.Set("traceparent", parent)
		return auth.Sign(r, body, s.Root.AccessKeyID, s.Root.SecretAccessKey, "", region, "proton", time.Now())
	}})
}

// find reads the first line with a message.
func (l *lines) find(message string) map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		fields := map[string]any{}
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			return fields
		}
	}
	return nil
}

const (
	callersTrace  = "0af7651916cd43dd8448eb211c80319c"
	callersParent = "00-" + callersTrace + "-b7ad6b7169203331-01"
)

// As an operator sees it: one trace from the caller's own span through call, job
// and driver to the commands, which join it; and the call's id in the log.
func TestOneTraceGoesFromTheCallerToTheCommands(t *testing.T) {
	t.Parallel()
	c, log := newCollector(t), &lines{}
	config := testConfig(t)
	config.OtlpEndpoint, config.OtlpHeaders, config.LogFormat = c.url, "x-tenant=a%20b", "json"
	s, err := Start(t.Context(), config, NewLogger(config, log))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{server: s, account: config.AccountID, Client: client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)}
	f.publish(t)
	f.put(t, "/templates/new.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": strings.Replace(manifest, `["true"]`, `['echo "joined $TRACEPARENT"']`, 1),
	}))
	must(f.CreateEnvironmentTemplateVersion(t.Context(), &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), Source: s3("new.tar.gz")}))(t)
	one := &api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("1")}
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(t.Context(), f.Client, one); err != nil {
		t.Fatal(err)
	}
	made := must(tracedClient(s, callersParent).CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{
		Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), TemplateMinorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	f.environmentEnds(t, "one")
	told := must(f.ListDeploymentLogEvents(t.Context(), &api.ListDeploymentLogEventsInput{DeploymentId: made.Environment.LastAttemptedDeploymentId}))(t)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := c.paths(callersTrace)
	call, commands := all["CreateEnvironment"], all["CreateEnvironment > deploy > step > commands"]
	for _, path := range []string{"CreateEnvironment", "CreateEnvironment > deploy", "CreateEnvironment > deploy > render", "CreateEnvironment > deploy > step"} {
		if all[path].id == "" || all[path].failed {
			t.Errorf("no good span %s among %v", path, all)
		}
	}
	if commands.id == "" || call.parent != "b7ad6b7169203331" || call.kind != "SPAN_KIND_SERVER" {
		t.Fatalf("call %+v, commands %+v", call, commands)
	}
	step := all["CreateEnvironment > deploy > step"].about
	if diff := cmp.Diff([]string{"CODEBUILD", f.arn("environment/one"), "hadron", s.node, "a b"},
		[]string{step["hadron.engine"], step["hadron.target"], step["service.name"], step["service.instance.id"], c.header.Get("x-tenant")}); diff != "" {
		t.Errorf("the step's span (-want +got):\n%s", diff)
	}
	if got, want := strings.TrimSpace(*told.Events[len(told.Events)-1].Message), "joined 00-"+callersTrace+"-"+commands.id+"-01"; got != want {
		t.Errorf("the commands say %q, want %q", got, want)
	}
	line, request := log.find("deployment ended"), call.about["aws.request_id"]
	if request == "" || line["request_id"] != request || line["trace_id"] != callersTrace {
		t.Errorf("the log says %v of request %q", line, request)
	}
}

// What goes on after a restart, or on another server, still belongs to its call.
func TestTheTraceOfADeploymentOutlivesItsServer(t *testing.T) {
	t.Parallel()
	c, config := newCollector(t), testConfig(t)
	config.OtlpEndpoint, config.StopGrace = c.url, 0
	scripted, hold := enginetest.NewScripted(), make(chan struct{})
	s, err := Start(t.Context(), config, slog.New(slog.DiscardHandler), WithEngines(engine.Set{engine.Command: scripted}))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{server: s, engine: scripted, account: config.AccountID, Client: client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)}
	f.publish(t)
	scripted.On("", enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(tracedClient(s, callersParent).CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{
		Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t)
	eventually(t, "the environment is being deployed", func() bool { return scripted.Holding() == 1 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.node
	close(hold)
	if s, err = Start(t.Context(), config, slog.New(slog.DiscardHandler), WithEngines(engine.Set{engine.Command: scripted.Restart()})); err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	f.server, f.Client = s, client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)
	f.environmentEnds(t, "one")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	steps := map[string]bool{} // by server: whether it failed
	for _, span := range c.spans {
		if span.trace == callersTrace && c.path(span) == "CreateEnvironment > deploy > step" {
			steps[span.about["service.instance.id"]] = span.failed
		}
	}
	if diff := cmp.Diff(map[string]bool{first: true, s.node: false}, steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
}

// A collector that is busy gets the spans again; what it does not take holds
// nothing up.
func TestBusyCollectorGetsTheSpansAgain(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	busy := make(chan struct{}, 1)
	busy <- struct{}{}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-busy:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			if err := c.take(r); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(gate.Close)
	config, log := testConfig(t), &lines{}
	config.OtlpEndpoint, config.LogFormat = gate.URL, "json"
	s, err := Start(t.Context(), config, NewLogger(config, log), WithEngines(engine.Set{}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tracedClient(s, callersParent).GetService(t.Context(), &api.GetServiceInput{Name: p("nothing")})
	if code(err) != "ResourceNotFoundException" {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if span := c.paths(callersTrace)["GetService"]; span.about["error.type"] != "ResourceNotFoundException" || span.failed {
		t.Errorf("the span of the call is %+v", span)
	}
	if line := log.find("traces were dropped"); line != nil {
		t.Errorf("dropped: %v", line)
	}
}

func TestTracesAreConfiguredAsOpenTelemetryHasIt(t *testing.T) {
	t.Parallel()
	type env map[string]string
	for name, c := range map[string]struct {
		env  env
		args []string
		want [2]string // endpoint with path, headers
		fail string
	}{
		"nothing":          {},
		"base":             {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, want: [2]string{"http://c:4318/v1/traces", ""}},
		"base with a path": {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c/otlp"}, want: [2]string{"http://c/otlp/v1/traces", ""}},
		"for traces": {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"},
			want: [2]string{"http://t/x", "a=b"}},
		"our own":        {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "HADRON_OTLP_ENDPOINT": "https://h"}, want: [2]string{"https://h/v1/traces", ""}},
		"not their keys": {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}, args: []string{"--otlp-endpoint", "http://h"}, want: [2]string{"http://h/v1/traces", ""}},
		"off":            {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}},
		"gRPC":           {env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, fail: `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not spoken here`},
		"bad headers":    {env: env{"HADRON_OTLP_HEADERS": "secret"}, fail: "otlp-headers: pair 1 is not name=value"},
	} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddFlags(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		got, err := LoadConfig(flags, func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, "")
		switch {
		case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail) || strings.Contains(err.Error(), "secret\"")):
			t.Errorf("%s: %v, want %s", name, err, c.fail)
		case c.fail == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.fail == "":
			endpoint := got.OtlpEndpoint
			if endpoint != "" {
				endpoint = tracesURL(endpoint)
			}
			if is := [2]string{endpoint, got.OtlpHeaders}; is != c.want {
				t.Errorf("%s: %v, want %v", name, is, c.want)
			}
		}
	}
}
