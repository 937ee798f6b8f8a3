package proton

import (
	"strings"
	"testing"
)

func TestNumberVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lastMajor, major, lastMinor int64
		versions                    []TemplateVersion
		want                        Version
		kind                        Kind
	}{
		"the first version":                      {lastMajor: 0, want: Version{1, 0}},
		"another major":                          {lastMajor: 3, want: Version{4, 0}},
		"a major after the highest was deleted":  {lastMajor: 3, versions: versions("1.0 DRAFT"), want: Version{4, 0}},
		"another minor":                          {lastMajor: 3, major: 2, lastMinor: 6, versions: versions("1.0 DRAFT", "2.4 DRAFT"), want: Version{2, 7}},
		"a minor of a major that never existed":  {lastMajor: 1, major: 2, lastMinor: -1, versions: versions("1.0 DRAFT"), kind: NotFound},
		"a minor of a major with no minors left": {lastMajor: 2, major: 2, lastMinor: 3, versions: versions("1.0 DRAFT"), kind: NotFound},
		"major 1 of a template with nothing":     {lastMajor: 0, major: 1, lastMinor: -1, kind: NotFound},
	} {
		template := Template{Scope: scope, Kind: ServiceTemplate, Name: "web", LastMajor: c.lastMajor}
		got, err := NumberVersion(template, c.versions, c.major, c.lastMinor)
		if got != c.want || (err != nil) != (c.kind == NotFound) || err != nil && KindOf(err) != c.kind {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, c.want)
		}
	}
	_, err := NumberVersion(Template{Scope: scope, Kind: ServiceTemplate, Name: "web"}, nil, 1, -1)
	const want = "The requested template major version does not exist: arn:aws:proton:eu-west-1:123456789012:service-template/web:1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// version is a template version of scope: "1.2 PUBLISHED".
func version(text string) TemplateVersion {
	number, status, _ := strings.Cut(text, " ")
	v, ok := ParseVersion(number)
	if !ok {
		panic(text)
	}
	return TemplateVersion{Scope: scope, Kind: ServiceTemplate, TemplateName: "web", Version: v, Status: TemplateVersionStatus(status)}
}

func versions(texts ...string) []TemplateVersion {
	var list []TemplateVersion
	for _, text := range texts {
		list = append(list, version(text))
	}
	return list
}

func TestRecommendIsTheHighestPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		versions []TemplateVersion
		want     Version
		minor    int64 // of major 1
	}{
		"nothing":                       {nil, Version{}, -1},
		"only drafts":                   {versions("1.0 DRAFT", "1.1 REGISTRATION_IN_PROGRESS", "2.0 REGISTRATION_FAILED"), Version{}, -1},
		"drafts above do not count":     {versions("1.0 PUBLISHED", "1.1 DRAFT", "2.0 DRAFT"), Version{1, 0}, 0},
		"by number, not by text":        {versions("1.9 PUBLISHED", "1.10 PUBLISHED"), Version{1, 10}, 10},
		"published low, then high":      {versions("2.0 PUBLISHED", "1.5 PUBLISHED"), Version{2, 0}, 5},
		"another major has none of one": {versions("2.3 PUBLISHED", "1.0 DRAFT"), Version{2, 3}, -1},
	} {
		if got := Recommend(c.versions); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if got := RecommendMinor(c.versions, 1); got != c.minor {
			t.Errorf("%s: minor %d, want %d", name, got, c.minor)
		}
	}
}

func TestRefuseVersionDelete(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:proton:eu-west-1:123456789012:service-template/web:"
	for name, c := range map[string]struct {
		siblings []TemplateVersion
		delete   int // index of siblings
		inUse    bool
		want     string
	}{
		"in use":                                   {versions("1.0 PUBLISHED"), 0, true, "Template version " + arn + "1.0 can't be deleted because it is in use."},
		"recommended, others exist":                {versions("1.0 DRAFT", "1.1 PUBLISHED"), 1, false, "Recommended template version " + arn + "1.1 can't be deleted."},
		"recommended and the only one":             {versions("1.1 PUBLISHED"), 0, false, ""},
		"recommended minor of a major that is not": {versions("1.1 PUBLISHED", "2.0 PUBLISHED"), 0, false, ""},
		"a draft":             {versions("1.0 DRAFT", "1.1 PUBLISHED"), 0, false, ""},
		"failed registration": {versions("1.0 REGISTRATION_FAILED"), 0, false, ""},
		"being registered":    {versions("1.0 REGISTRATION_IN_PROGRESS"), 0, false, "Template version " + arn + "1.0 can't be deleted while it is being registered."},
	} {
		template := Template{Scope: scope, Kind: ServiceTemplate, Name: "web", Recommended: Recommend(c.siblings)}
		err := RefuseVersionDelete(template, c.siblings[c.delete], c.siblings, c.inUse)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case c.want != "" && (err == nil || err.Error() != c.want || KindOf(err) != Conflict):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestJudgeRepeat(t *testing.T) {
	t.Parallel()
	arn := scope.ServiceARN("shop")
	for name, c := range map[string]struct {
		made     Creation
		hash     string
		deleting bool
		kind     Kind
		want     string
	}{
		"the same call":            {Creation{RequestHash: "a"}, "a", false, 0, ""},
		"other parameters":         {Creation{RequestHash: "a"}, "b", false, Invalid, "Idempotent parameter mismatch"},
		"other, and modified":      {Creation{RequestHash: "a", Modified: true}, "b", false, Invalid, "Idempotent parameter mismatch"},
		"modified since":           {Creation{RequestHash: "a", Modified: true}, "a", false, Conflict, "Resource already exists and has been modified: " + string(arn)},
		"being deleted":            {Creation{RequestHash: "a"}, "a", true, Conflict, string(arn) + " is being deleted."},
		"being deleted, different": {Creation{RequestHash: "a"}, "b", true, Conflict, string(arn) + " is being deleted."},
	} {
		err := JudgeRepeat(c.made, c.hash, arn, c.deleting)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case c.want != "" && (err == nil || err.Error() != c.want || KindOf(err) != c.kind):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestMissingResourcesAreSaidInProtonsWords(t *testing.T) {
	t.Parallel()
	const p = "arn:aws:proton:eu-west-1:123456789012:"
	for want, err := range map[string]error{
		"The requested environment template does not exist: " + p + "environment-template/vpc":     NoTemplate(scope, EnvironmentTemplate, "vpc"),
		"The requested service template version does not exist: " + p + "service-template/web:1.0": NoTemplateVersion(scope, ServiceTemplate, "web", "1.0"),
		"The requested environment does not exist: " + p + "environment/e":                         NoEnvironment(scope, "e"),
		"The requested service does not exist: " + p + "service/s":                                 NoService(scope, "s"),
		"The requested service instance does not exist: " + p + "service/s/service-instance/i":     NoServiceInstance(scope, "s", "i"),
		"Service " + p + "service/s has no pipeline.":                                              NoPipeline(scope, "s"),
		"The requested deployment does not exist: d":                                               NoDeployment("d"),
	} {
		if err.Error() != want || !IsNotFound(err) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
