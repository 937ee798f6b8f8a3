package app

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
)

// waitFor has a condition looked at until it holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// told reads a file of events: what became of each resource, as "detail-type:
// previous > status".
func told(t *testing.T, path string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var e struct {
			DetailType string `json:"detail-type"`
			Resources  []string
			Detail     map[string]string
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		arn := e.Resources[0]
		if kind, _, _ := strings.Cut(arn[strings.LastIndex(arn, ":")+1:], "/"); kind == "deployment" {
			arn = "deployment"
		}
		all[arn] = append(all[arn], e.DetailType+": "+e.Detail["previousStatus"]+" > "+e.Detail["status"])
	}
	return all
}

func TestEveryStatusChangeIsToldInOrder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := start(t, func(c *Config) { c.EventFile = path })
	ctx := t.Context()
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
	if err := api.WaiterServiceDeleted.Every(10*time.Millisecond).Wait(ctx, f.Client, &api.GetServiceInput{Name: p("shop")}); err != nil {
		t.Fatal(err)
	}
	must(f.DeleteServiceTemplateVersion(ctx, &api.DeleteServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0")}))(t)
	must(f.DeleteServiceTemplate(ctx, &api.DeleteServiceTemplateInput{Name: p("web")}))(t)

	deployed := func(kind string) []string {
		kind = "AWS Proton " + kind + " Status Change: "
		return []string{kind + " > IN_PROGRESS", kind + "IN_PROGRESS > SUCCEEDED", kind + "SUCCEEDED > DELETE_IN_PROGRESS", kind + "DELETE_IN_PROGRESS > DELETED"}
	}
	const environment, service, template, version = "AWS Proton Environment Status Change: ", "AWS Proton Service Status Change: ",
		"AWS Proton Service Template Status Change: ", "AWS Proton Service Template Version Status Change: "
	want := map[string][]string{
		f.arn("environment/one"): {environment + " > IN_PROGRESS", environment + "IN_PROGRESS > SUCCEEDED"},
		f.arn("service/shop"): {
			service + " > CREATE_IN_PROGRESS", service + "CREATE_IN_PROGRESS > ACTIVE", service + "ACTIVE > DELETE_IN_PROGRESS", service + "DELETE_IN_PROGRESS > DELETED",
		},
		f.arn("service/shop/service-instance/dev"):  deployed("Service Instance"),
		f.arn("service/shop/service-instance/prod"): deployed("Service Instance"),
		f.arn("service/shop/pipeline"):              deployed("Service Pipeline"),
		f.arn("service-template/web"):               {template + " > DRAFT", template + "DRAFT > PUBLISHED", template + "PUBLISHED > DRAFT", template + "DRAFT > DELETED"},
		f.arn("service-template/web:1.0"): {
			version + " > REGISTRATION_IN_PROGRESS", version + "REGISTRATION_IN_PROGRESS > DRAFT", version + "DRAFT > PUBLISHED", version + "PUBLISHED > DELETED",
		},
		f.arn("environment-template/net"): {
			"AWS Proton Environment Template Status Change:  > DRAFT", "AWS Proton Environment Template Status Change: DRAFT > PUBLISHED",
		},
	}
	waitFor(t, "the template's end is told", func() bool { return len(told(t, path)[f.arn("service-template/web")]) == 4 })
	got := told(t, path)
	deployments := got["deployment"]
	for _, arn := range []string{"deployment", f.arn("environment-template/net:1.0")} {
		delete(got, arn)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	slices.Sort(deployments)
	const d = "AWS Proton Deployment Status Change: "
	wantDeployments := slices.Concat(slices.Repeat([]string{d + " > DELETE_IN_PROGRESS"}, 3), slices.Repeat([]string{d + " > IN_PROGRESS"}, 4),
		slices.Repeat([]string{d + "DELETE_IN_PROGRESS > DELETE_COMPLETE"}, 3), slices.Repeat([]string{d + "IN_PROGRESS > SUCCEEDED"}, 4))
	if diff := cmp.Diff(wantDeployments, deployments); diff != "" {
		t.Errorf("deployments: -want +got:\n%s", diff)
	}
}

// receiver is a webhook's other end, which answers as it is told to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(event map[string]any) int
	taken  []map[string]any
	heads  []http.Header
	bodies [][]byte
}

func receive(t *testing.T) *receiver {
	r := &receiver{answer: func(map[string]any) int { return http.StatusNoContent }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		var event map[string]any
		if err := json.Unmarshal(body, &event); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		status := r.answer(event)
		if status/100 == 2 {
			r.taken, r.heads, r.bodies = append(r.taken, event), append(r.heads, q.Header), append(r.bodies, body)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken)
}

func TestWebhooksAreSignedAndShapedAsProtonsEvents(t *testing.T) {
	t.Parallel()
	key := []byte("a key that both ends know")
	hook, cloud := receive(t), receive(t)
	f := start(t, func(c *Config) {
		c.EventWebhook, c.EventCloudevents, c.EventSecret = hook.URL+"/in?token=t0k3n", cloud.URL, "whsec_"+base64.StdEncoding.EncodeToString(key)
	})
	must(f.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	waitFor(t, "both are told", func() bool { return hook.count() == 1 && cloud.count() == 1 })

	for _, r := range []*receiver{hook, cloud} {
		head := r.heads[0]
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(head.Get("Webhook-Id") + "." + head.Get("Webhook-Timestamp") + "." + string(r.bodies[0])))
		if got, want := head.Get("Webhook-Signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if head.Get("Webhook-Id") != r.taken[0]["id"] {
			t.Errorf("the id in the head is %q, in the body %q", head.Get("Webhook-Id"), r.taken[0]["id"])
		}
	}
	if hook.taken[0]["id"] != cloud.taken[0]["id"] {
		t.Error("two targets know one event by different ids")
	}
	arn := f.arn("environment-template/net")
	for _, c := range []struct {
		got, want map[string]any
		kind      string
	}{
		{hook.taken[0], map[string]any{
			"version": "0", "detail-type": "AWS Proton Environment Template Status Change", "source": "aws.proton", "account": f.account,
			"region": region, "resources": []any{arn}, "detail": map[string]any{"name": "net", "status": "DRAFT"},
		}, "application/json"},
		{cloud.taken[0], map[string]any{
			"specversion": "1.0", "type": "aws.proton.environment-template.status-change", "source": "aws.proton", "subject": arn,
			"datacontenttype": "application/json", "awsaccount": f.account, "awsregion": region, "data": map[string]any{"name": "net", "status": "DRAFT"},
		}, "application/cloudevents+json; charset=utf-8"},
	} {
		at, err := time.Parse(time.RFC3339, c.got["time"].(string))
		if err != nil || time.Since(at) > time.Minute || at.Location() != time.UTC {
			t.Errorf("time %v (%v)", c.got["time"], err)
		}
		delete(c.got, "time")
		delete(c.got, "id")
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if got := hook.heads[0].Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if got := cloud.heads[0].Get("Content-Type"); got != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if name := f.server.teller.Targets[0].Name(); strings.Contains(name, "t0k3n") || strings.Contains(name, "/in") {
		t.Errorf("the name %q, which is logged, has more of the URL than its host", name)
	}
}

// A receiver that refuses some events gets them again, in the order of their
// resource, and the others meanwhile.
func TestWhatAReceiverRefusesHoldsUpOnlyItsResource(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	refused := 0
	hook.answer = func(e map[string]any) int {
		if e["detail"].(map[string]any)["name"] == "first" && refused == 0 {
			refused++
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
	f := start(t, func(c *Config) { c.EventWebhook = hook.URL })
	ctx := t.Context()
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("first")}))(t)
	must(f.DeleteEnvironmentTemplate(ctx, &api.DeleteEnvironmentTemplateInput{Name: p("first")}))(t)
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("second")}))(t)
	waitFor(t, "all are told", func() bool { return hook.count() == 3 })
	var order []string
	for _, e := range hook.taken {
		d := e["detail"].(map[string]any)
		order = append(order, d["name"].(string)+" "+d["status"].(string))
	}
	if want := []string{"second DRAFT", "first DRAFT", "first DELETED"}; !slices.Equal(order, want) {
		t.Errorf("told in the order %v, want %v", order, want)
	}
}

func TestEventsOutliveTheServer(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	hook.answer = func(map[string]any) int { return http.StatusServiceUnavailable }
	data := t.TempDir()
	config := func(c *Config) { c.EventWebhook, c.Data, c.Database = hook.URL, data, "" }
	f := start(t, config)
	must(f.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.broken = true // closed here
	if err := f.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	hook.mu.Lock()
	hook.answer = func(map[string]any) int { return http.StatusOK }
	hook.mu.Unlock()
	start(t, config)
	waitFor(t, "the event is told after all", func() bool { return hook.count() == 1 })
}

func TestARefusedCallIsNoEvent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := start(t, func(c *Config) { c.EventFile = path })
	ctx := t.Context()
	in := &api.CreateEnvironmentTemplateInput{Name: p("net")}
	must(f.CreateEnvironmentTemplate(ctx, in))(t)
	if _, err := f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web"), Tags: []api.Tag{{Key: p("aws:x"), Value: p("y")}}}); err == nil {
		t.Fatal("a reserved tag was taken")
	}
	must(f.UpdateEnvironmentTemplate(ctx, &api.UpdateEnvironmentTemplateInput{Name: p("net"), Description: p("changes no status")}))(t)
	must(f.DeleteEnvironmentTemplate(ctx, &api.DeleteEnvironmentTemplateInput{Name: p("net")}))(t)
	waitFor(t, "the end is told", func() bool { return len(told(t, path)[f.arn("environment-template/net")]) == 2 })
	if got := told(t, path); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
