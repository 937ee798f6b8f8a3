package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/pflag"
)

// newResource is a resource that is not there yet, as flags describe it.
type newResource struct {
	wanted   bool
	template string
	input    string
}

func (n *newResource) flags(f *pflag.FlagSet) {
	f.BoolVar(&n.wanted, "new", false, "the resource is not there yet: preview its creation")
	f.StringVar(&n.template, "template", "", "with --new: name of the template")
	f.StringVar(&n.input, "input", "", "with --new: JSON file with the input of the create call")
}

func (n *newResource) check(remove bool) error {
	switch {
	case n.wanted && remove:
		return errors.New("--new and --remove exclude each other")
	case !n.wanted && (n.template != "" || n.input != ""):
		return errors.New("--template and --input are for --new: what is there keeps its template")
	}
	return nil
}

// call is the create call that the flags describe.
func (n *newResource) call(in *api.PreviewDeploymentInput) (*api.PreviewCreationInput, error) {
	path := (*in.Resource)[strings.LastIndexByte(*in.Resource, ':')+1:]
	kind, names, _ := strings.Cut(path, "/")
	service, instance, isInstance := strings.Cut(names, "/service-instance/")
	members := map[string]*string{"spec": in.Spec, "templateName": given(n.template), "templateMajorVersion": in.TemplateMajorVersion, "templateMinorVersion": in.TemplateMinorVersion}
	var out api.PreviewCreationInput
	var err error
	switch {
	case kind == "environment":
		members["name"] = &names
		out.Environment, err = createInput[api.CreateEnvironmentInput](n.input, members)
	case kind == "component":
		members = map[string]*string{"name": &names, "serviceSpec": in.Spec}
		out.Component, err = createInput[api.CreateComponentInput](n.input, members)
	case kind == "service" && isInstance:
		members["name"], members["serviceName"] = &instance, &service
		out.ServiceInstance, err = createInput[api.CreateServiceInstanceInput](n.input, members)
	case kind == "service" && !strings.Contains(names, "/"):
		members["name"] = &names
		out.Service, err = createInput[api.CreateServiceInput](n.input, members)
	default:
		err = fmt.Errorf("%s: --new takes environment/NAME, service/NAME, service/NAME/service-instance/NAME or component/NAME", *in.Resource)
	}
	return &out, err
}

// createInput reads the input of a create call from a file, if one is named,
// and puts in the members that are given.
func createInput[T any](file string, members map[string]*string) (*T, error) {
	all := map[string]any{}
	if file != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
	}
	for name, value := range members {
		if value != nil {
			all[name] = *value
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	in := new(T)
	if err := d.Decode(in); err != nil {
		return nil, fmt.Errorf("the input of the create call: %w", err)
	}
	return in, nil
}

func (t *tool) showCreation(answer *api.PreviewCreationOutput, out string, asJSON bool) error {
	if asJSON && out == "" {
		return t.writeJSON(answer)
	}
	for n, preview := range answer.Previews {
		if out == "" {
			if n > 0 {
				fmt.Fprintln(t.stdout)
			}
			(&page{w: t.stdout, color: t.color}).planned(&preview, "would be created")
			continue
		}
		dir := out
		if len(answer.Previews) > 1 { // of a service: a folder for each instance
			arn := api.Value(preview.ResourceArn)
			dir = filepath.Join(out, arn[strings.LastIndexByte(arn, '/')+1:])
		}
		if err := t.saveFiles(preview.Files, dir); err != nil {
			return err
		}
	}
	for _, why := range answer.NotPreviewed {
		fmt.Fprintln(t.stderr, "hadron: not previewed:", why)
	}
	return nil
}
