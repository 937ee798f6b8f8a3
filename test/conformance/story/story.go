// Package story holds what every stock client does in its suite, as data: a
// list of steps that a small runner for each client carries out with that
// client's own calls, waiters and paginators. Some of the steps are written by
// hand, those that are the same for each operation are made from the model.
package story

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/test/conformance/wire"
)

// Step is one thing that a client does. Texts contain ${variables}: region,
// account, bucket, and those that steps save.
type Step struct {
	// One of these says what: an operation to call once; one to call until it
	// answers as wanted; a waiter; an operation to read with a paginator; the
	// key of an object to upload.
	Call  string `json:"call,omitempty"`
	Until string `json:"until,omitempty"`
	Wait  string `json:"wait,omitempty"`
	Pages string `json:"pages,omitempty"`
	Put   string `json:"put,omitempty"`

	As      string            `json:"as,omitempty"` // whose key; empty: root
	In      map[string]any    `json:"in,omitempty"`
	Want    any               `json:"want,omitempty"`    // what the answer contains; of Pages: the names of all items
	Refused string            `json:"refused,omitempty"` // the exception
	Message string            `json:"message,omitempty"` // its text
	Save    map[string]string `json:"save,omitempty"`    // variable → path into the answer
	Fails   bool              `json:"fails,omitempty"`   // the waiter
	Size    int               `json:"size,omitempty"`    // of a page; 0: there is no such parameter
	Key     string            `json:"key,omitempty"`     // where a page has its items
	Name    string            `json:"name,omitempty"`    // member of an item
	Content []byte            `json:"content,omitempty"` // of the object; base64 in JSON
}

// A Story is a list of steps against a server of its own.
type Story struct {
	Name     string
	Settings []string // of the server; ${aws} is where CloudFormation and STS are played, and an S3 that never answers
	Git      bool     // ${connection} is one to a folder that WriteRepositories has filled
	Steps    []Step
}

// WriteRepositories makes the repository acme/templates in a folder, as a
// connection of kind git finds it there, with a template and the spec of a
// service.
func WriteRepositories(dir string) error {
	work, bare := filepath.Join(dir, "work"), filepath.Join(dir, "acme", "templates.git")
	files := map[string]string{
		"configuration/proton-ops.yaml": "sync: {services: {shop: {one: {branch: main, spec: ./configuration/shop.yaml}}}}\n",
		"configuration/shop.yaml":       "{proton: ServiceSpec, instances: [{name: one, environment: dev, spec: {mode: ok}}]}\n",
	}
	for name, text := range bundles["net"] {
		files["templates/net/v1/"+name] = text
	}
	for name, text := range files {
		file := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main", work}, {"-C", work, "add", "."},
		{"-C", work, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message=Templates"},
		{"clone", "--quiet", "--bare", work, bare},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", args, err, out)
		}
	}
	return nil
}

//go:embed *.json
var files embed.FS

// All makes the stories for the repository at root.
func All(root string) ([]Story, error) {
	model, err := wire.LoadModel(root)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "internal", "gen", "model", "implemented.txt"))
	if err != nil {
		return nil, err
	}
	operations := slices.DeleteFunc(strings.Fields(string(text)), func(o string) bool { return !model.IsProton(o) })
	life, err := load("main.json")
	if err != nil {
		return nil, err
	}
	quota, err := load("quota.json")
	if err != nil {
		return nil, err
	}
	components, err := load("components.json")
	if err != nil {
		return nil, err
	}
	git, err := load("git.json")
	if err != nil {
		return nil, err
	}
	return []Story{
		{Name: "git", Steps: git, Git: true},
		{Name: "life", Steps: append(refusals(model, operations), life...)},
		{Name: "quota", Steps: quota, Settings: []string{
			"HADRON_QUOTA_TEMPLATES=2", "HADRON_QUOTA_VERSIONS_PER_TEMPLATE=1", "HADRON_QUOTA_ENVIRONMENTS=1", "HADRON_QUOTA_SERVICES=1",
			"HADRON_QUOTA_INSTANCES_PER_SERVICE=1", "HADRON_QUOTA_ACCOUNT_CONNECTIONS=1",
		}},
		{Name: "components", Steps: components, Settings: []string{
			"HADRON_CLOUDFORMATION_ENDPOINT=${aws}", "HADRON_STS_ENDPOINT=${aws}", "HADRON_S3_ENDPOINT=${aws}", "HADRON_STOP_GRACE=0", "AWS_ACCESS_KEY_ID=AKIACONFORMANCE00003", "AWS_SECRET_ACCESS_KEY=none",
			"HADRON_QUOTA_COMPONENTS=2",
		}},
		{Name: "throttle", Steps: throttled(model, operations), Settings: []string{"HADRON_THROTTLE_RATE=1"}},
	}, nil
}

// Setup publishes the templates net, web and plain and makes the environment
// dev, for scenarios that begin there.
func Setup() (Story, error) {
	steps, err := load("setup.json")
	return Story{Name: "setup", Steps: steps}, err
}

// existsNot are the operations that model ResourceNotFoundException and answer
// otherwise when nothing that they name exists.
var existsNot = map[string]string{
	"CreateComponent":                      "names nothing",
	"DeleteComponent":                      "answers {}",
	"DeleteDeployment":                     "answers {}",
	"DeleteEnvironment":                    "answers {}",
	"DeleteEnvironmentAccountConnection":   "answers {}",
	"DeleteEnvironmentTemplate":            "answers {}",
	"DeleteEnvironmentTemplateVersion":     "answers {}",
	"DeleteRepository":                     "answers {}",
	"DeleteService":                        "answers {}",
	"DeleteServiceTemplate":                "answers {}",
	"DeleteServiceTemplateVersion":         "answers {}",
	"DeleteServiceSyncConfig":              "answers {}",
	"DeleteTemplateSyncConfig":             "answers {}",
	"GetAccountSettings":                   "answers empty settings",
	"ListDeployments":                      "names nothing",
	"ListEnvironments":                     "names nothing",
	"ListRepositories":                     "names nothing",
	"ListServiceInstances":                 "names nothing",
	"ListTagsForResource":                  "names another Region",
	"NotifyResourceDeploymentStatusChange": "names another Region",
	"TagResource":                          "names another Region",
	"UntagResource":                        "names another Region",
}

// refusals are the calls that each operation refuses in an empty Region: what
// breaks the model, what the caller may not do, and what names nothing.
func refusals(model *wire.Model, operations []string) []Step {
	var steps []Step
	for _, o := range operations {
		if in := model.Break(o); in != nil {
			steps = append(steps, Step{Call: o, In: in, Refused: "ValidationException"})
		}
		steps = append(steps, Step{Call: o, As: "denied", In: model.Sample(o), Refused: "AccessDeniedException"})
		if _, not := existsNot[o]; !not && model.Models(o, "ResourceNotFoundException") {
			steps = append(steps, Step{Call: o, In: model.Sample(o), Refused: "ResourceNotFoundException"})
		}
	}
	for _, o := range []string{"ListTagsForResource", "NotifyResourceDeploymentStatusChange", "TagResource", "UntagResource"} {
		in := model.Sample(o)
		in["resourceArn"] = "arn:aws:proton:${region}:${account}:environment/nope"
		steps = append(steps, Step{Call: o, In: in, Refused: "ResourceNotFoundException"})
	}
	steps = append(steps,
		Step{Call: "ListDeployments", In: map[string]any{"serviceName": "nope"}, Refused: "ResourceNotFoundException"},
		Step{Call: "ListServiceInstances", In: map[string]any{"serviceName": "nope"}, Refused: "ResourceNotFoundException"})
	for _, o := range slices.Sorted(maps.Keys(existsNot)) {
		if existsNot[o] == "answers {}" && slices.Contains(operations, o) {
			steps = append(steps, Step{Call: o, In: model.Sample(o)})
		}
	}
	return steps
}

// throttled makes each operation refuse a caller that is too fast.
func throttled(model *wire.Model, operations []string) []Step {
	var steps []Step
	for _, o := range operations {
		steps = append(steps, Step{Until: o, In: model.Sample(o), Refused: "ThrottlingException"})
	}
	return steps
}

// load reads steps that were written by hand.
func load(file string) ([]Step, error) {
	text, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var steps []Step
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&steps); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for n, s := range steps {
		if s.Put != "" {
			if steps[n].Content, err = pack(bundles[s.Put]); err != nil {
				return nil, fmt.Errorf("%s: bundle %s: %w", file, s.Put, err)
			}
			steps[n].Put += ".tar.gz"
		}
	}
	return steps, nil
}

// bundles do as an input says: succeed, fail, or run until they are stopped.
var bundles = map[string]map[string]string{
	"net": {
		"schema/schema.yaml":           schema("environment_input_type: In"),
		"infrastructure/manifest.yaml": manifest,
		"infrastructure/run.sh":        run("mode"),
	},
	"web": {
		"schema/schema.yaml":                    schema("service_input_type: In\n  pipeline_input_type: Pipe"),
		"instance_infrastructure/manifest.yaml": manifest,
		"instance_infrastructure/run.sh":        run("mode"),
		"pipeline_infrastructure/manifest.yaml": manifest,
		"pipeline_infrastructure/run.sh":        run("pipe"),
	},
	"plain": {
		"schema/schema.yaml":                    schema("service_input_type: In"),
		"instance_infrastructure/manifest.yaml": manifest,
		"instance_infrastructure/run.sh":        run("mode"),
	},
}

func schema(types string) string {
	return `schema:
  format: {openapi: "3.0.0"}
  ` + types + `
  types:
    In:
      type: object
      properties:
        mode: {type: string, enum: [ok, fail, hold], default: ok}
    Pipe:
      type: object
      properties:
        pipe: {type: string, enum: [ok, fail, hold], default: ok}
`
}

const manifest = `infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        provision: ["sh -e run.sh"]
        deprovision: ["true"]
`

// run does as the input of a name says.
func run(input string) string {
	return `mode=$(tr -d ' \n' < proton-inputs.json | sed 's/.*"` + input + `":"\([a-z]*\)".*/\1/')
case $mode in
  ok) echo '{"Mode": "ok"}' > proton-outputs.json ;;
  hold) exec sleep 100 ;;
  *) exit 1 ;;
esac
`
}

func pack(texts map[string]string) ([]byte, error) {
	if len(texts) == 0 {
		return nil, errors.New("there is no such bundle")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(texts[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(texts[name])); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
