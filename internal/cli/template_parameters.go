package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hadronhq/hadron/internal/bundle"
)

// parameters is what only a deployment knows, in the shape of its inputs file,
// so that the file of a real deployment can be used. Inputs in it are ignored:
// they come from the spec.
type parameters struct {
	Environment environmentParameters `json:"environment"`
	Service     struct {
		Name          string `json:"name"`
		ConnectionARN string `json:"repository_connection_arn"`
		RepositoryID  string `json:"repository_id"`
		BranchName    string `json:"branch_name"`
	} `json:"service"`
	Instance struct {
		ignored
		Name        string                         `json:"name"`
		Components  map[string]componentParameters `json:"components"`
		Outputs     bundle.Inputs                  `json:"outputs"`
		Environment *environmentParameters         `json:"environment"`
	} `json:"service_instance"`
	Instances []instanceParameters `json:"service_instances"`
	Pipeline  ignored              `json:"pipeline"`
	Tags      bundle.Inputs        `json:"proton_tags"`
}

// ignored is what the inputs file of a deployment has and a spec decides.
type ignored struct {
	Inputs json.RawMessage `json:"inputs"`
}

type environmentParameters struct {
	ignored
	Name      string        `json:"name"`
	AccountID string        `json:"account_id"`
	Outputs   bundle.Inputs `json:"outputs"`
}

type instanceParameters struct {
	ignored
	Name        string                         `json:"name"`
	Outputs     bundle.Inputs                  `json:"outputs"`
	Environment *environmentParameters         `json:"environment"`
	Components  map[string]componentParameters `json:"components"`
}

type componentParameters struct {
	Name    string        `json:"name"`
	Outputs bundle.Inputs `json:"outputs"`
}

// readParameters reads a file of parameters; without one, and for what it does
// not say, names are "example". Members that nothing would read are refused.
func readParameters(file string) (parameters, error) {
	var p parameters
	p.Environment.Name, p.Environment.AccountID, p.Service.Name = "example", "000000000000", "example"
	if file == "" {
		return p, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&p)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return p, fmt.Errorf("%s: want one JSON object and nothing after it", file)
		}
		return p, nil
	}
	line := 0
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		line = lineAt(text, e.Offset)
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		line = lineAt(text, e.Offset)
	}
	if line > 0 {
		return p, fmt.Errorf("%s:%d: %w", file, line, err)
	}
	return p, fmt.Errorf("%s: %w; \"hadron template render --help\" shows the members there are", file, err)
}

// lineAt is the 1-based line of an offset.
func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

func (e environmentParameters) data() *bundle.EnvironmentData {
	return &bundle.EnvironmentData{Name: e.Name, AccountID: e.AccountID, Outputs: outputs(e.Outputs)}
}

func outputs(o bundle.Inputs) []bundle.Output {
	var list []bundle.Output
	if o == nil {
		return nil
	}
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		text, ok := value.(string)
		if !ok { // outputs are texts; a list arrives as its JSON
			raw, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(raw)
		}
		list = append(list, bundle.Output{Key: key, Value: text})
	}
	return list
}

// instance is what is known of one instance.
func (p parameters) instance(name string) instanceParameters {
	var known instanceParameters
	for _, i := range p.Instances {
		if i.Name == name {
			known = i
		}
	}
	if p.Instance.Name != "" && p.Instance.Name != name {
		return known
	}
	if known.Components == nil {
		known.Components = p.Instance.Components
	}
	if known.Environment == nil {
		known.Environment = p.Instance.Environment
	}
	if known.Outputs == nil {
		known.Outputs = p.Instance.Outputs
	}
	return known
}

// arn is what the ARN of a deployed resource would be.
func (p parameters) arn(resource string) string {
	return "arn:aws:proton:" + region + ":" + p.Environment.AccountID + ":" + resource
}

// tags are those that a deployment of a target would give to what it makes.
func (p parameters) tags(environment, service, instance string) []bundle.Tag {
	var list []bundle.Tag
	if p.Tags != nil {
		for _, o := range outputs(p.Tags) {
			list = append(list, bundle.Tag(o))
		}
		return list
	}
	add := func(key, resource string) {
		list = append(list, bundle.Tag{Key: "proton:" + key, Value: p.arn(resource)})
	}
	list = append(list, bundle.Tag{Key: "proton:account", Value: p.Environment.AccountID})
	if service == "" {
		add("template", "environment-template/example")
	} else {
		add("template", "service-template/example")
	}
	if environment != "" {
		add("environment", "environment/"+environment)
	}
	if service != "" {
		add("service", "service/"+service)
	}
	if instance != "" {
		add("service-instance", "service/"+service+"/service-instance/"+instance)
	}
	return list
}
