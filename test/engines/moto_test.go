package engines

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// plainMoto is moto behind a proxy that writes templates in the form that moto
// reads best: JSON, functions with their long names, Region names in place of
// references to them. They mean the same to AWS. Moto shows outputs only of
// stacks that were made or updated without a change set, so the proxy follows
// the execution of one with an update that changes nothing.
func plainMoto(t *testing.T) string {
	t.Helper()
	to := must(url.Parse(enginetest.Moto(t)))(t)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	send := func(w http.ResponseWriter, r *http.Request, form url.Values) {
		body := form.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	}
	var templates sync.Map // by the name of their change set
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if template := form.Get("TemplateBody"); template != "" {
			form.Set("TemplateBody", plain(t, template))
			templates.Store(form.Get("ChangeSetName"), form.Get("TemplateBody"))
		}
		again := r.Clone(r.Context())
		send(w, r, form)
		if template, ok := templates.Load(form.Get("ChangeSetName")); ok && form.Get("Action") == "ExecuteChangeSet" {
			send(httptest.NewRecorder(), again, url.Values{
				"Action": {"UpdateStack"}, "Version": {form.Get("Version")}, "StackName": {form.Get("StackName")}, "TemplateBody": {template.(string)},
			})
		}
	}))
	t.Cleanup(web.Close)
	return web.URL
}

func plain(t *testing.T, template string) string {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(template), &document); err != nil || len(document.Content) != 1 {
		t.Errorf("a template that is no YAML was sent: %v\n%s", err, template)
		return template
	}
	v := value(document.Content[0])
	replaceUnknown(v)
	text, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return strings.ReplaceAll(string(text), `"Fn::GetAZs":{"Ref":"AWS::Region"}`, `"Fn::GetAZs":"`+motoRegion+`"`)
}

// unknown are types of resources that moto leaves out of a stack; it then fails
// at outputs that refer to one.
var unknown = []string{"AWS::ServiceDiscovery::PrivateDnsNamespace", "AWS::AppRunner::VpcConnector", "AWS::AppRunner::Service"}

func replaceUnknown(template any) {
	root, _ := template.(map[string]any)
	resources, _ := root["Resources"].(map[string]any)
	outputs, _ := root["Outputs"].(map[string]any)
	for name, r := range resources {
		kind, _ := r.(map[string]any)["Type"].(string)
		if !slices.Contains(unknown, kind) {
			continue
		}
		for _, o := range outputs {
			output := o.(map[string]any)
			if text, _ := json.Marshal(output["Value"]); strings.Contains(string(text), `"`+name+`"`) || strings.Contains(string(text), "${"+name) {
				output["Value"] = "moto-has-no-" + name
			}
		}
	}
}

// value is a node with short forms of functions written out.
func value(n *yaml.Node) any {
	function, short := strings.CutPrefix(n.Tag, "!")
	if !short || strings.HasPrefix(function, "!") {
		return content(n, n.Tag)
	}
	var argument any
	switch n.Kind {
	case yaml.ScalarNode:
		argument = n.Value
		if function == "GetAtt" {
			resource, attribute, _ := strings.Cut(n.Value, ".")
			argument = []string{resource, attribute}
		}
	default:
		argument = content(n, "")
	}
	if function != "Ref" && function != "Condition" {
		function = "Fn::" + function
	}
	return map[string]any{function: argument}
}

func content(n *yaml.Node, tag string) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, value(item))
		}
		return list
	case yaml.AliasNode:
		return value(n.Alias)
	}
	if tag != "!!int" && tag != "!!bool" && tag != "!!float" {
		return n.Value
	}
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	return v
}
