package bundle

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// namespace is the data of a part as Proton's inputs file holds it: exactly
// these names, in this order.
func namespace(part Part, d Data) (*schema.Object, error) {
	missing := func(what string) error { return fmt.Errorf("render %s: data has no %s", part, what) }
	switch {
	case part == Infrastructure && d.Environment == nil:
		return nil, missing("environment")
	case part != Infrastructure && d.Service == nil:
		return nil, missing("service")
	case part == InstanceInfrastructure && (d.Environment == nil || d.Instance == nil):
		return nil, missing("service instance and its environment")
	case part == PipelineInfrastructure && d.Pipeline == nil:
		return nil, missing("pipeline")
	}
	switch part {
	case Infrastructure:
		return object("environment", object("name", d.Environment.Name, "inputs", inputsOf(d.Environment.Inputs))), nil
	case InstanceInfrastructure:
		instance := object("name", d.Instance.Name, "inputs", inputsOf(d.Instance.Inputs))
		if d.Component != nil {
			instance.Set("components", componentsOf(d.Component))
		}
		return object("environment", deployed(d.Environment), "service", serviceOf(d.Service), "service_instance", instance), nil
	}
	instances := make([]any, 0, len(d.Instances))
	for _, i := range d.Instances {
		entry := object("name", i.Name, "inputs", inputsOf(i.Inputs), "outputs", outputsOf(i.Outputs))
		if i.Environment != nil {
			entry.Set("environment", deployed(i.Environment))
		}
		instances = append(instances, entry)
	}
	return object("pipeline", object("inputs", inputsOf(d.Pipeline.Inputs)),
		"service", serviceOf(d.Service), "service_instances", instances), nil
}

// object makes an object of alternating keys and values.
func object(pairs ...any) *schema.Object {
	o := schema.NewObject()
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func inputsOf(i Inputs) *schema.Object {
	if i == nil {
		return schema.NewObject()
	}
	return i
}

func outputsOf(outputs []Output) *schema.Object {
	o := schema.NewObject()
	for _, out := range outputs {
		o.Set(out.Key, out.Value)
	}
	return o
}

// deployed is an environment as what is built on it sees it.
func deployed(e *EnvironmentData) *schema.Object {
	return object("account_id", e.AccountID, "name", e.Name, "outputs", outputsOf(e.Outputs))
}

func serviceOf(s *ServiceData) *schema.Object {
	return object("name", s.Name, "repository_connection_arn", s.RepositoryConnectionARN,
		"repository_id", s.RepositoryID, "branch_name", s.BranchName)
}

func componentsOf(c *ComponentData) *schema.Object {
	return object("default", object("name", c.Name, "outputs", outputsOf(c.Outputs)))
}

// Names of the inputs file by its form.
const (
	inputsJSON = "proton-inputs.json"
	inputsHCL  = "proton-inputs.auto.tfvars"
)

// inputsFile writes the data for commands.
func inputsFile(data *schema.Object, hcl bool) (File, error) {
	if hcl {
		f := hclwrite.NewEmptyFile()
		for _, name := range data.Keys() {
			v, _ := data.Get(name)
			f.Body().SetAttributeRaw(name, hclTokens(v))
		}
		return File{Path: inputsHCL, Mode: 0o644, Content: f.Bytes()}, nil
	}
	var b bytes.Buffer
	if err := schema.WriteJSON(&b, data, "", "  "); err != nil {
		return File{}, fmt.Errorf("write %s: %w", inputsJSON, err)
	}
	b.WriteByte('\n')
	return File{Path: inputsJSON, Mode: 0o644, Content: b.Bytes()}, nil
}

func hclTokens(v any) hclwrite.Tokens {
	switch v := v.(type) {
	case *schema.Object:
		var attrs []hclwrite.ObjectAttrTokens
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			name := hclwrite.TokensForValue(cty.StringVal(k))
			if hclsyntax.ValidIdentifier(k) {
				name = hclwrite.TokensForIdentifier(k)
			}
			attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: name, Value: hclTokens(value)})
		}
		return hclwrite.TokensForObject(attrs)
	case []any:
		items := make([]hclwrite.Tokens, 0, len(v))
		for _, item := range v {
			items = append(items, hclTokens(item))
		}
		return hclwrite.TokensForTuple(items)
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(v))
	case int64:
		return hclwrite.TokensForValue(cty.NumberIntVal(v))
	case *big.Int:
		return hclwrite.TokensForValue(cty.NumberVal(new(big.Float).SetPrec(512).SetInt(v)))
	case float64:
		return hclwrite.TokensForValue(cty.NumberFloatVal(v))
	case string:
		return hclwrite.TokensForValue(cty.StringVal(strings.ToValidUTF8(v, "\uFFFD")))
	}
	return hclwrite.TokensForValue(cty.NullVal(cty.DynamicPseudoType))
}
