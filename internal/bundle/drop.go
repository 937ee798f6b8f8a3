package bundle

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// DropInstance returns a service spec without one instance. A spec that has
// none of that name is returned as it is.
func DropInstance(spec, name string) (string, error) {
	parsed, err := ParseServiceSpec(spec)
	if err != nil {
		return "", err
	}
	if _, ok := parsed.Instance(name); !ok {
		return spec, nil
	}
	return rewriteSpec(spec, spec, func(doc, _ *yaml.Node) {
		list := mappingValue(doc, "instances")
		entry := instanceNode(list, name)
		list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool { return n == entry })
	})
}
