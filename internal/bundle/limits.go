package bundle

import (
	"fmt"

	"github.com/hadronhq/hadron/internal/jinja"
)

// Limits bound a bundle and what is rendered from it. Sizes are in bytes. The
// JSON names are those a configuration uses.
type Limits struct {
	Archive       int64 `json:"bundleBytes"`           // the archive as it comes, compressed
	Manifest      int64 `json:"manifestBytes"`         // each manifest
	Schema        int64 `json:"schemaBytes"`           // the schema
	TemplateFile  int64 `json:"templateFileBytes"`     // each file named by a jinja or hcl manifest
	TemplateFiles int   `json:"templateFiles"`         // how many files jinja and hcl manifests name in all
	ParameterName int   `json:"parameterNameLength"`   // characters of an input's name
	Unpacked      int64 `json:"bundleUnpackedBytes"`   // all content of the archive, uncompressed
	Entries       int   `json:"bundleEntries"`         // files and directories in the archive
	Rendered      int   `json:"renderedTemplateBytes"` // of one template
	RenderSteps   int   `json:"renderSteps"`           // of one template: statements, loop turns and items
}

// DefaultLimits are Proton's limits, and guards for unpacking and rendering.
func DefaultLimits() Limits {
	j := jinja.DefaultLimits()
	return Limits{
		Archive:       5 << 20,
		Manifest:      50 << 10,
		Schema:        50 << 10,
		TemplateFile:  200 << 10,
		TemplateFiles: 10,
		ParameterName: 100,
		Unpacked:      100 << 20,
		Entries:       5000,
		Rendered:      j.Output,
		RenderSteps:   j.Steps,
	}
}

// Check reports limits that nothing could keep.
func (l Limits) Check() error {
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"bundleBytes", l.Archive}, {"manifestBytes", l.Manifest}, {"schemaBytes", l.Schema},
		{"templateFileBytes", l.TemplateFile}, {"templateFiles", int64(l.TemplateFiles)},
		{"parameterNameLength", int64(l.ParameterName)}, {"bundleUnpackedBytes", l.Unpacked},
		{"bundleEntries", int64(l.Entries)}, {"renderedTemplateBytes", int64(l.Rendered)}, {"renderSteps", int64(l.RenderSteps)},
	} {
		if v.value <= 0 {
			return fmt.Errorf("limit %s is %d; it must be at least 1", v.name, v.value)
		}
	}
	return nil
}

// rendering bounds one template.
func (l Limits) rendering() jinja.Limits {
	j := jinja.DefaultLimits()
	j.Output, j.Steps = l.Rendered, l.RenderSteps
	return j
}
