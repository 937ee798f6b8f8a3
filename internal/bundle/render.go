package bundle

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/schema"
)

// Data is what templates may refer to. Each part sees only its own share of
// it: an instance sees its environment's outputs but not the inputs, a
// pipeline sees all instances.
type Data struct {
	Environment *EnvironmentData
	Service     *ServiceData
	Instance    *InstanceData
	Instances   []InstanceData // for a pipeline, in spec order
	Pipeline    *PipelineData
	Component   *ComponentData // the one attached to the instance, or the one rendered
	Tags        []Tag          // of what is provisioned; seen by Terraform only
	// ResourceARN names the resource in generated Terraform files.
	ResourceARN string
}

// Output is one output of something deployed before.
type Output struct{ Key, Value string }

// EnvironmentData is an environment as templates see it.
type EnvironmentData struct {
	Name      string
	AccountID string
	Inputs    Inputs // seen by the environment's own templates only
	Outputs   []Output
}

// ServiceData is a service as templates see it. The repository members are
// empty without pipeline.
type ServiceData struct {
	Name                    string
	BranchName              string
	RepositoryID            string
	RepositoryConnectionARN string
}

// InstanceData is a service instance as templates see it.
type InstanceData struct {
	Name        string
	Inputs      Inputs
	Outputs     []Output
	Environment *EnvironmentData // of an entry of Data.Instances
}

// PipelineData is a pipeline as templates see it.
type PipelineData struct{ Inputs Inputs }

// ComponentData is a component as templates see it.
type ComponentData struct {
	Name    string
	Outputs []Output
}

// Tag is one tag of a resource.
type Tag struct{ Key, Value string }

// File is one file for an engine. Path is slash-separated and relative to the
// working folder.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// Rendered is what an engine is given to run.
type Rendered struct {
	Files []File // sorted by path
	Build *Build // only for the method CODEBUILD
}

// Build is what a codebuild manifest says.
type Build struct {
	Image                  string
	Runtimes               map[string]string
	Provision, Deprovision []string // commands, in order, for one shell session
	Variables              map[string]string
	// SecretsManager and ParameterStore map a variable to the reference its
	// value is fetched from.
	SecretsManager, ParameterStore map[string]string
	// ProjectProperties is project_properties, rendered; nil when not given.
	ProjectProperties *schema.Object
	// Timeout is TimeoutInMinutes of the project properties, or zero.
	Timeout time.Duration
}

// Render makes the working files of a part from the data. For CODEBUILD that
// is the part's whole directory with the inputs file, for CLOUDFORMATION the
// rendered template alone, for TERRAFORM the selected files, each with a notice
// on top, and generated declarations and values of the data.
// What a template got wrong is a *RenderError with its file and line.
func (b *Bundle) Render(ctx context.Context, part Part, d Data) (*Rendered, error) {
	m := b.manifests[part]
	if m == nil {
		return nil, fmt.Errorf("render %s: the bundle has no such directory", part)
	}
	data, err := namespace(part, d)
	if err != nil {
		return nil, err
	}
	switch m.engine {
	case engineCodeBuild:
		return b.renderBuild(ctx, part, m, data, d)
	case engineHCL:
		if part == InstanceInfrastructure && d.Component == nil {
			v, _ := data.Get(kindInstance)
			v.(*schema.Object).Set("components", object())
		}
		files, err := terraformFolder(partKinds[part], b.selected(part, m), data, d)
		return &Rendered{Files: files}, err
	}
	files := b.selected(part, m)
	for i, f := range files {
		text, err := renderWithin(ctx, part.String()+"/"+f.Path, string(f.Content), variables(part, data, d), b.limits)
		if err != nil {
			return nil, err
		}
		files[i].Content = []byte(text)
	}
	return &Rendered{Files: files}, nil
}

// selected returns the files the manifest names.
func (b *Bundle) selected(part Part, m *manifest) []File {
	var out []File
	for _, f := range b.in(part) {
		if slices.Contains(m.files, f.path) {
			out = append(out, File{f.path, f.mode, f.content})
		}
	}
	return out
}

func (b *Bundle) renderBuild(ctx context.Context, part Part, m *manifest, data *schema.Object, d Data) (*Rendered, error) {
	inputs, err := inputsFile(data, m.build.hclInputs)
	if err != nil {
		return nil, err
	}
	r := &Rendered{Files: []File{inputs}, Build: &Build{
		Image: m.build.image, Runtimes: m.build.runtimes,
		Provision: m.build.provision, Deprovision: m.build.deprovision,
		Variables: m.build.variables, SecretsManager: m.build.secretsManager, ParameterStore: m.build.paramsStore,
	}}
	for _, f := range b.in(part) {
		if f.path != inputs.Path {
			r.Files = append(r.Files, File{f.path, f.mode, f.content})
		}
	}
	slices.SortFunc(r.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	if m.build.projectProperties == nil {
		return r, nil
	}
	p := &propertyRenderer{ctx: ctx, path: m.path, vars: variables(part, data, d), limits: b.limits}
	properties, err := p.value(m.build.projectProperties)
	if err != nil {
		return nil, err
	}
	r.Build.ProjectProperties = properties.(*schema.Object)
	r.Build.Timeout, err = timeout(r.Build.ProjectProperties)
	return r, err
}

// timeout reads TimeoutInMinutes, which may have been rendered to text.
func timeout(properties *schema.Object) (time.Duration, error) {
	v, ok := properties.Get("TimeoutInMinutes")
	if !ok || v == nil {
		return 0, nil
	}
	if text, isText := v.(string); isText {
		v, _ = schema.ParseNumber(strings.TrimSpace(text))
	}
	const most = 7 * 24 * 60
	if minutes, whole := v.(int64); whole && minutes > 0 && minutes <= most {
		return time.Duration(minutes) * time.Minute, nil
	}
	return 0, fmt.Errorf("project_properties.TimeoutInMinutes must be a whole number from 1 to %d", most)
}
