package proton

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func numbered(n int) []Tag {
	tags := make([]Tag, n)
	for i := range tags {
		tags[i] = Tag{fmt.Sprintf("k%02d", i), "v"}
	}
	return tags
}

func TestCheckTags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tags []Tag
		want string // part of the refusal; empty: fine
	}{
		"none":                        {nil, ""},
		"every allowed character":     {[]Tag{{"Ab9 _.:/=+-@*é語", ""}, {"empty", ""}}, ""},
		"keys that differ in case":    {[]Tag{{"team", "a"}, {"Team", "b"}}, ""},
		"aws inside":                  {[]Tag{{"my:aws:key", "a"}}, ""},
		"fifty":                       {numbered(50), ""},
		"fifty-one":                   {numbered(51), "at most 50"},
		"reserved":                    {[]Tag{{"aws:proton:account", "a"}}, "reserved"},
		"reserved in capitals":        {[]Tag{{"AwS:x", "a"}}, "reserved"},
		"a key twice":                 {[]Tag{{"k", "a"}, {"k", "b"}}, "more than once"},
		"forbidden character":         {[]Tag{{"k#", "a"}}, "not allowed"},
		"forbidden in the value":      {[]Tag{{"k", "a;b"}}, "not allowed"},
		"line break":                  {[]Tag{{"k", "a\nb"}}, "not allowed"},
		"what is not allowed is said": {[]Tag{{"k", "<"}}, "letters, digits, spaces"},
	} {
		err := CheckTags(c.tags)
		if (err == nil) != (c.want == "") || err != nil && (KindOf(err) != Invalid || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestMergeTags(t *testing.T) {
	t.Parallel()
	got, err := MergeTags([]Tag{{"b", "1"}, {"a", "1"}}, []Tag{{"c", "2"}, {"b", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tag{{"a", "1"}, {"b", "2"}, {"c", "2"}}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := MergeTags(numbered(50), numbered(50)); err != nil || len(got) != 50 {
		t.Errorf("fifty over the same fifty: %d, %v", len(got), err)
	}
	if _, err := MergeTags(numbered(50), []Tag{{"one-more", ""}}); KindOf(err) != Invalid {
		t.Errorf("fifty-one: %v, want Invalid", err)
	}
}

func TestManagedTags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		l    Lineage
		want []string
	}{
		"environment template": {Lineage{TemplateKind: EnvironmentTemplate, Template: "vpc"}, []string{"account", "template"}},
		"environment":          {Lineage{TemplateKind: EnvironmentTemplate, Template: "vpc", Environment: "e"}, []string{"account", "template", "environment"}},
		"service":              {Lineage{TemplateKind: ServiceTemplate, Template: "web", Service: "s"}, []string{"account", "template", "service"}},
		"service instance": {Lineage{TemplateKind: ServiceTemplate, Template: "web", Environment: "e", Service: "s", Instance: "i"},
			[]string{"account", "template", "environment", "service", "service-instance"}},
		"detached component": {Lineage{Environment: "e", Component: "c"}, []string{"account", "environment", "component"}},
		"attached component": {Lineage{Environment: "e", Service: "s", Instance: "i", Component: "c"},
			[]string{"account", "environment", "service", "service-instance", "component"}},
		"repository": {Lineage{}, []string{"account"}},
	} {
		c.l.Scope = scope
		values := map[string]ARN{
			"account":     ARN(scope.Account),
			"template":    scope.TemplateARN(c.l.TemplateKind, c.l.Template),
			"environment": scope.EnvironmentARN("e"), "service": scope.ServiceARN("s"),
			"service-instance": scope.ServiceInstanceARN("s", "i"), "component": scope.ComponentARN("c"),
		}
		var own, provisioned []Tag
		for _, key := range c.want {
			own = append(own, Tag{"aws:proton:" + key, string(values[key])})
			provisioned = append(provisioned, Tag{"proton:" + key, string(values[key])})
		}
		if diff := cmp.Diff(own, c.l.ManagedTags()); diff != "" {
			t.Errorf("%s, managed (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(provisioned, c.l.ProvisionedTags()); diff != "" {
			t.Errorf("%s, provisioned (-want +got):\n%s", name, diff)
		}
	}
}
