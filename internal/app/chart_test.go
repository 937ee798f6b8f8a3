package app

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"
)

const chartFolder = "../../deploy/helm/hadron"

// chart renders the chart as Helm would, with as many of its functions as the
// chart uses; Helm itself does where it is (scripts/setup-helm.sh).
func chart(t *testing.T, change func(values map[string]any)) map[string]map[string]any {
	t.Helper()
	values := parse(t, must(os.ReadFile(filepath.Join(chartFolder, "values.yaml")))(t))
	if change != nil {
		change(values)
	}
	about := parse(t, must(os.ReadFile(filepath.Join(chartFolder, "Chart.yaml")))(t))
	root := template.New("").Option("missingkey=error")
	root.Funcs(chartFunctions(root))
	files := must(filepath.Glob(filepath.Join(chartFolder, "templates", "*")))(t)
	for _, file := range files {
		template.Must(root.New(filepath.Base(file)).Parse(string(must(os.ReadFile(file))(t))))
	}
	kinds := map[string]map[string]any{}
	for _, file := range files {
		var b bytes.Buffer
		if err := root.ExecuteTemplate(&b, filepath.Base(file), map[string]any{
			"Values": values, "Chart": map[string]any{"AppVersion": about["appVersion"], "Name": about["name"]},
			"Release": map[string]any{"Name": "prod", "Namespace": "platform", "Service": "Helm"},
		}); err != nil {
			t.Fatal(err)
		}
		if text := strings.TrimSpace(b.String()); strings.HasSuffix(file, ".yaml") && text != "" {
			o := parse(t, b.Bytes())
			kinds[o["kind"].(string)] = o
		}
	}
	return kinds
}

func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

func chartFunctions(root *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := root.ExecuteTemplate(&b, name, data)
			return strings.TrimSpace(b.String()), err
		},
		"nindent": func(n int, text string) string {
			pad := "\n" + strings.Repeat(" ", n)
			return pad + strings.ReplaceAll(text, "\n", pad)
		},
		"toYaml": func(v any) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSpace(string(text)), err
		},
		"default": func(otherwise, v any) any {
			if v == nil || v == "" {
				return otherwise
			}
			return v
		},
		"trunc":      func(n int, text string) string { return text[:min(n, len(text))] },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"quote":      func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"add":        func(a, b int) int { return a + b },
		"int":        func(n int) int { return n },
		"lookup":     func(...string) map[string]any { return nil },
		"randBytes":  func(n int) string { return strings.Repeat("k", n) },
		"b64enc":     func(text string) string { return "base64 of " + text },
	}
}

// at walks down what was parsed, by names and numbers.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func TestChartFitsTheServer(t *testing.T) {
	t.Parallel()
	kinds := chart(t, nil)
	spec := at(kinds["Deployment"], "spec")
	pod := at(spec, "template", "spec")
	box := at(pod, "containers", 0)
	var args []string
	for _, a := range at(box, "args").([]any) {
		args = append(args, a.(string))
	}
	knownFlags(t, "the chart", args)
	knownFlags(t, "values.yaml", settingsOf(parse(t, must(os.ReadFile(filepath.Join(chartFolder, "values.yaml")))(t))))
	_, env := serveFlags()
	for _, e := range at(box, "env").([]any) {
		if name := at(e, "name").(string); strings.HasPrefix(name, "HADRON_") && !env[name] {
			t.Errorf("there is no setting %s", name)
		}
	}
	grace := at(pod, "terminationGracePeriodSeconds").(int)
	for what, is := range map[string][2]any{
		"servers":                {at(spec, "replicas"), 3},
		"alive":                  {at(box, "livenessProbe", "httpGet", "path"), "/healthz"},
		"ready":                  {at(box, "readinessProbe", "httpGet", "path"), "/readyz"},
		"database":               {at(box, "env", 1, "valueFrom", "secretKeyRef", "name"), "hadron-database"},
		"user":                   {at(pod, "securityContext", "runAsUser"), 10001},
		"root's files":           {at(box, "securityContext", "readOnlyRootFilesystem"), true},
		"no more privileges":     {at(box, "securityContext", "allowPrivilegeEscalation"), false},
		"key's secret":           {at(pod, "volumes", 2, "secret", "secretName"), at(kinds["Secret"], "metadata", "name")},
		"key":                    {at(kinds["Secret"], "data", "master.key"), "base64 of " + strings.Repeat("k", 32)},
		"key is kept":            {at(kinds["Secret"], "metadata", "annotations", "helm.sh/resource-policy"), "keep"},
		"metrics":                {at(spec, "template", "metadata", "annotations", "prometheus.io/path"), "/metrics"},
		"metrics' port":          {at(spec, "template", "metadata", "annotations", "prometheus.io/port"), fmt.Sprint(at(box, "ports", 0, "containerPort"))},
		"pods of the service":    {at(kinds["Service"], "spec", "selector", "app.kubernetes.io/instance"), at(spec, "template", "metadata", "labels", "app.kubernetes.io/instance")},
		"one less at most":       {at(kinds["PodDisruptionBudget"], "spec", "maxUnavailable"), 1},
		"time to stop":           {grace >= 60+2*int(stopTime.Seconds()), true},
		"the key is where it is": {slices.Contains(args, "--master-key-file=/etc/hadron/master.key") && at(box, "volumeMounts", 2, "mountPath") == "/etc/hadron", true},
		"time for deployments":   {slices.Contains(args, "--stop-grace=60"), true},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %v, want %v", what, is[0], is[1])
		}
	}
	own := chart(t, func(v map[string]any) {
		v["replicas"], v["publicUrl"] = 1, "https://hadron.example.com"
		v["masterKey"] = map[string]any{"secret": "mine"}
		v["rootKey"] = map[string]any{"secret": "root"}
		v["settings"] = map[string]any{"concurrency": 7}
		v["env"] = []any{map[string]any{"name": "AWS_REGION", "value": "eu-west-1"}}
	})
	text := fmt.Sprint(own["Deployment"])
	for _, part := range []string{"--public-url=https://hadron.example.com", "--concurrency=7", "HADRON_ROOT_ACCESS_KEY_ID", "AWS_REGION", "secretName:mine"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
	if own["Secret"] != nil || own["PodDisruptionBudget"] != nil {
		t.Errorf("made though not asked for: %v %v", own["Secret"], own["PodDisruptionBudget"])
	}
}

// HADRON_HELM names Helm (scripts/setup-helm.sh builds it; "make test-chart").
func TestHelmLintsTheChart(t *testing.T) {
	t.Parallel()
	helm := os.Getenv("HADRON_HELM")
	if helm == "" {
		t.Skip("HADRON_HELM names no Helm: the chart was rendered by TestChartFitsTheServer alone")
	}
	for _, args := range [][]string{{"lint", "--strict"}, {"template", "prod", "--kube-version", "1.31.0"}, {"template", "prod", "--kube-version", "1.31.0", "--set", "masterKey.secret=mine,rootKey.secret=root,replicas=1"}} {
		out, err := exec.Command(helm, append(args, chartFolder)...).CombinedOutput()
		if err != nil || args[0] == "template" && !bytes.Contains(out, []byte("path: /readyz")) {
			t.Errorf("helm %v: %v\n%s", args, err, out)
		}
	}
}
