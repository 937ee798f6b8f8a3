package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// kinds name what a folder of Terraform files provisions, in the names of the
// files that Proton adds to it.
const (
	kindEnvironment = "environment"
	kindInstance    = "service_instance"
	kindPipeline    = "pipeline"
	kindComponent   = "component"
)

var partKinds = [len(partDirs)]string{kindEnvironment, kindInstance, kindPipeline}

// valuesFile is the file of generated values; Terraform loads it by its name.
const valuesFile = "proton.auto.tfvars.json"

func declarationsFile(kind string) string { return "proton." + kind + ".variables.tf" }

// terraformFolder makes the working folder of a Terraform run: the selected
// files with a notice on top, the declarations of the data's variables, and
// their values. What is generated replaces a file of the same name.
func terraformFolder(kind string, selected []File, data *schema.Object, d Data) ([]File, error) {
	values := object()
	for _, name := range data.Keys() {
		v, _ := data.Get(name)
		values.Set(name, v)
	}
	tags := object()
	for _, t := range d.Tags {
		tags.Set(t.Key, t.Value)
	}
	values.Set("proton_tags", tags)
	values.Set("//", d.ResourceARN)
	var text bytes.Buffer
	if err := writeValues(&text, values, ""); err != nil {
		return nil, fmt.Errorf("write %s: %w", valuesFile, err)
	}
	notice := notice(d.ResourceARN)
	files := []File{
		{Path: valuesFile, Mode: 0o644, Content: text.Bytes()},
		{Path: declarationsFile(kind), Mode: 0o644, Content: []byte(notice + declarations(kind, data))},
	}
	for _, f := range selected {
		if f.Path == files[0].Path || f.Path == files[1].Path {
			continue
		}
		f.Content = append([]byte(notice), f.Content...)
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// notice heads every Terraform file. Without an ARN, in a preview, it names no
// resource.
func notice(arn string) string {
	var b strings.Builder
	b.WriteString("/*\nManaged by Proton: changes made here are replaced at the next deployment.\n\n")
	if arn != "" {
		fmt.Fprintf(&b, "Resource: %s\n\n", strings.ReplaceAll(arn, "*/", ""))
	}
	b.WriteString("If this resource can no longer be found in Proton it may have been deleted; clean up by hand.\n*/\n\n")
	return b.String()
}

// The declarations of each kind, as terraform fmt lays them out.
const (
	declareEnvironment = `variable "environment" {
  type = object({
    inputs = any
    name   = string
  })
  default = null
}
`
	declareDeployedEnvironment = `variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
  default = null
}
`
	declareService = `variable "service" {
  type = object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })
}
`
	declareInstance = `variable "service_instance" {
  type = object({
    name       = string
    inputs     = any
    components = map(any)
  })
  default = null
}
`
	declareInstances = `variable "service_instances" {
  type = list(object({
    name    = string
    inputs  = any
    outputs = map(string)
    environment = object({
      account_id = string
      name       = string
      outputs    = map(string)
    })
  }))
}
`
	declarePipeline = `variable "pipeline" {
  type = object({
    inputs = any
  })
  default = null
}
`
	declareComponent = `variable "component" {
  type = object({
    name = string
  })
}
`
	declareComponentEnvironment = `variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
}
`
	declareComponentService = `variable "service" {
  type = object({
    name = string
  })
  default = null
}
`
	declareComponentInstance = `variable "service_instance" {
  type = object({
    name   = string
    inputs = %s
  })
  default = null
}
`
	declareTags = `variable "proton_tags" {
  type    = map(string)
  default = null
}
`
)

// declarations declares the variables of a kind.
func declarations(kind string, data *schema.Object) string {
	var blocks []string
	switch kind {
	case kindEnvironment:
		blocks = []string{declareEnvironment}
	case kindInstance:
		blocks = []string{declareDeployedEnvironment, declareService, declareInstance}
	case kindPipeline:
		service := strings.Replace(declareService, "  })\n}", "  })\n  default = null\n}", 1)
		blocks = []string{declareInstances, service, declarePipeline}
	case kindComponent:
		blocks = []string{declareComponent, declareComponentEnvironment, declareComponentService,
			fmt.Sprintf(declareComponentInstance, componentInputsType(data))}
	}
	return strings.Join(append(blocks, declareTags), "\n")
}

// componentInputsType is the type of a component's inputs: templates written
// for map(string) expect text, which only single values can become.
func componentInputsType(data *schema.Object) string {
	instance, _ := data.Get("service_instance")
	o, _ := instance.(*schema.Object)
	inputs, _ := o.Get("inputs")
	if o, _ = inputs.(*schema.Object); o != nil {
		for _, k := range o.Keys() {
			switch v, _ := o.Get(k); v.(type) {
			case *schema.Object, []any:
				return "any"
			}
		}
	}
	return "map(string)"
}

// declaredVariables are the names a generated file declares.
func declaredVariables(kind string) []string {
	names := []string{"proton_tags"}
	switch kind {
	case kindEnvironment:
		return append(names, "environment")
	case kindInstance:
		return append(names, "environment", "service", "service_instance")
	case kindPipeline:
		return append(names, "service_instances", "service", "pipeline")
	}
	return append(names, "component", "environment", "service", "service_instance")
}

// writeValues writes JSON in the style of the files that Proton committed:
// blanks on both sides of a colon, the items of a list on its own line, and no
// line break at the end.
func writeValues(b *bytes.Buffer, v any, indent string) error {
	switch v := v.(type) {
	case *schema.Object:
		if v.Len() == 0 {
			b.WriteString("{ }")
			return nil
		}
		before := "{\n"
		for _, k := range v.Keys() {
			b.WriteString(before + indent + "  ")
			before = ",\n"
			if err := schema.WriteJSON(b, k, "", ""); err != nil {
				return err
			}
			b.WriteString(" : ")
			value, _ := v.Get(k)
			if err := writeValues(b, value, indent+"  "); err != nil {
				return err
			}
		}
		b.WriteString("\n" + indent + "}")
	case []any:
		if len(v) == 0 {
			b.WriteString("[ ]")
			return nil
		}
		before := "[ "
		for _, item := range v {
			b.WriteString(before)
			before = ", "
			if err := writeValues(b, item, indent); err != nil {
				return err
			}
		}
		b.WriteString(" ]")
	default:
		return schema.WriteJSON(b, v, "", "")
	}
	return nil
}
