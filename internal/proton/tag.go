package proton

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Tag is a key and value on a resource.
type Tag struct {
	Key   string
	Value string
}

// MaxTags is how many customer tags a resource may have. Managed tags do not count.
const MaxTags = 50

var tagCharacters = regexp.MustCompile(`^[\p{L}\p{N}\p{Zs}_.:/=+\-@*]*$`)

// CheckTags refuses tags that no caller may set: reserved keys, characters
// outside the allowed ones, a key given twice. Kind Invalid.
func CheckTags(tags []Tag) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if err := CheckTagKey(t.Key); err != nil {
			return err
		}
		if !tagCharacters.MatchString(t.Key) || !tagCharacters.MatchString(t.Value) {
			return Errorf(Invalid, "Tag %q has characters that are not allowed: use letters, digits, spaces and _ . : / = + - @ *", t.Key)
		}
		if seen[t.Key] {
			return Errorf(Invalid, "Tag key %q is given more than once.", t.Key)
		}
		seen[t.Key] = true
	}
	if len(tags) > MaxTags {
		return tooManyTags()
	}
	return nil
}

// CheckTagKey refuses keys that only the server may write. Kind Invalid.
func CheckTagKey(key string) error {
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		return Errorf(Invalid, "Tag key %q is not allowed: keys that start with aws: are reserved.", key)
	}
	return nil
}

// MergeTags is current with changes put over it, ordered by key. Kind Invalid
// if that makes too many.
func MergeTags(current, changes []Tag) ([]Tag, error) {
	merged := map[string]string{}
	for _, t := range slices.Concat(current, changes) {
		merged[t.Key] = t.Value
	}
	if len(merged) > MaxTags {
		return nil, tooManyTags()
	}
	tags := make([]Tag, 0, len(merged))
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		tags = append(tags, Tag{key, merged[key]})
	}
	return tags, nil
}

func tooManyTags() error {
	return Errorf(Invalid, "A resource can have at most %d tags.", MaxTags)
}

// Lineage names what a resource belongs to; it gives the resource's managed
// tags. Empty fields do not apply.
type Lineage struct {
	Scope
	TemplateKind TemplateKind
	Template     string
	Environment  string
	Service      string
	Instance     string
	Component    string
}

// managed lists keys without prefix, with their values, in Proton's order.
func (l Lineage) managed() []Tag {
	tags := []Tag{{"account", l.Account}}
	add := func(key, name string, arn ARN) {
		if name != "" {
			tags = append(tags, Tag{key, string(arn)})
		}
	}
	add("template", l.Template, l.TemplateARN(l.TemplateKind, l.Template))
	add("environment", l.Environment, l.EnvironmentARN(l.Environment))
	add("service", l.Service, l.ServiceARN(l.Service))
	add("service-instance", l.Instance, l.ServiceInstanceARN(l.Service, l.Instance))
	add("component", l.Component, l.ComponentARN(l.Component))
	return tags
}

// ManagedTags are the read-only tags of the Proton resource itself.
func (l Lineage) ManagedTags() []Tag { return l.prefixed("aws:proton:") }

// ProvisionedTags are the tags of the infrastructure made for it.
func (l Lineage) ProvisionedTags() []Tag { return l.prefixed("proton:") }

func (l Lineage) prefixed(prefix string) []Tag {
	tags := l.managed()
	for n := range tags {
		tags[n].Key = prefix + tags[n].Key
	}
	return tags
}
