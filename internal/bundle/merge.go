package bundle

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// MergeInstance returns a service spec in which one instance's entry is that of
// another spec: replaced, or added at the end. If the entry already says the
// same, the text is returned as it is; otherwise the document is written anew,
// comments kept.
func MergeInstance(spec, from, name string) (string, error) {
	old, err := ParseServiceSpec(spec)
	if err != nil {
		return "", err
	}
	next, err := ParseServiceSpec(from)
	if err != nil {
		return "", err
	}
	to, ok := next.Instance(name)
	if !ok {
		return "", fmt.Errorf("the spec has no instance %s", name)
	}
	if was, ok := old.Instance(name); ok && was.Environment == to.Environment && reflect.DeepEqual(was.values.Value(), to.values.Value()) {
		return spec, nil
	}
	return rewriteSpec(spec, from, func(doc, source *yaml.Node) {
		entry := instanceNode(mappingValue(source, "instances"), name)
		list := mappingValue(doc, "instances")
		if list == nil || list.Kind != yaml.SequenceNode {
			list = setMapping(doc, "instances", &yaml.Node{Kind: yaml.SequenceNode})
		}
		if len(list.Content) == 0 {
			list.Style = 0 // "[]" becomes a list of lines
		}
		if was := instanceNode(list, name); was != nil {
			*was = *entry
			return
		}
		list.Content = append(list.Content, entry)
	})
}

// MergePipeline returns a service spec whose pipeline section is that of
// another spec. If it already says the same, the text is returned as it is.
func MergePipeline(spec, from string) (string, error) {
	old, err := ParseServiceSpec(spec)
	if err != nil {
		return "", err
	}
	next, err := ParseServiceSpec(from)
	if err != nil {
		return "", err
	}
	if reflect.DeepEqual(old.pipeline.Value(), next.pipeline.Value()) {
		return spec, nil
	}
	return rewriteSpec(spec, from, func(doc, source *yaml.Node) {
		section := mappingValue(source, "pipeline")
		if section == nil {
			section = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		}
		setMapping(doc, "pipeline", section)
	})
}

// rewriteSpec changes a document with the help of another one.
func rewriteSpec(spec, from string, change func(doc, source *yaml.Node)) (string, error) {
	var doc, source yaml.Node
	if err := yaml.Unmarshal([]byte(spec), &doc); err != nil {
		return "", err
	}
	if err := yaml.Unmarshal([]byte(from), &source); err != nil {
		return "", err
	}
	change(doc.Content[0], source.Content[0])
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return "", err
	}
	if err := e.Close(); err != nil {
		return "", err
	}
	return b.String(), nil
}

// mappingValue is the value of a mapping's key; nil without it.
func mappingValue(mapping *yaml.Node, key string) *yaml.Node {
	for n := 0; n+1 < len(mapping.Content); n += 2 {
		if mapping.Content[n].Value == key {
			return mapping.Content[n+1]
		}
	}
	return nil
}

// setMapping sets the value of a mapping's key and returns it.
func setMapping(mapping *yaml.Node, key string, value *yaml.Node) *yaml.Node {
	if was := mappingValue(mapping, key); was != nil {
		*was = *value
		return was
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	return value
}

// instanceNode is the entry of an instance in a list; nil without it.
func instanceNode(list *yaml.Node, name string) *yaml.Node {
	if list == nil {
		return nil
	}
	for _, entry := range list.Content {
		if n := mappingValue(entry, "name"); n != nil && n.Value == name {
			return entry
		}
	}
	return nil
}
