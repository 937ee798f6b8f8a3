package bundle

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// NoEcho are the values of a CloudFormation template's parameters that are not
// to be shown: the defaults of those with NoEcho. Text that is no template has
// none.
func NoEcho(template []byte) []string {
	if !bytes.Contains(template, []byte("NoEcho")) {
		return nil
	}
	var t struct {
		Parameters map[string]struct {
			NoEcho  yaml.Node `yaml:"NoEcho"`
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if yaml.Unmarshal(template, &t) != nil {
		return nil
	}
	var values []string
	for _, p := range t.Parameters {
		if strings.EqualFold(p.NoEcho.Value, "true") && p.Default.Kind == yaml.ScalarNode {
			values = append(values, p.Default.Value)
		}
	}
	return values
}
