package gitsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/schema"
)

const (
	registrationFile = ".template-registration.yaml"
	compatibleFile   = ".compatible-envs" // its older form
)

// registration reads which environment templates a service template version
// is compatible with, and what components it takes. Errors begin with the file.
func registration(files map[string]bundle.File, v *proton.TemplateVersion) error {
	if f, ok := files[registrationFile]; ok {
		if err := parseRegistration(f.Content, v); err != nil {
			return fmt.Errorf("%s: %w", registrationFile, err)
		}
		return nil
	}
	f, ok := files[compatibleFile]
	if !ok {
		return fmt.Errorf("%s is missing: a service template needs it, with compatible_environments", registrationFile)
	}
	for n, line := range strings.Split(string(f.Content), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c, err := compatible(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", compatibleFile, n+1, err)
		}
		v.Compatible = append(v.Compatible, c)
	}
	if err := checkCompatible(v.Compatible); err != nil {
		return fmt.Errorf("%s: %w", compatibleFile, err)
	}
	return nil
}

func parseRegistration(text []byte, v *proton.TemplateVersion) error {
	doc, err := schema.ParseYAML(text)
	if err != nil {
		return err
	}
	if doc.Kind != schema.Map {
		return errors.New("it must be a mapping with compatible_environments")
	}
	list := doc.Get("compatible_environments")
	if list.IsNull() {
		if list = doc.Get("compatible_environment"); !list.IsNull() { // misspelt so in published templates
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s:%d: compatible_environment is taken for compatible_environments", registrationFile, list.Line))
		}
	}
	if list.IsNull() || list.Kind != schema.List {
		return errors.New("compatible_environments is missing: it must be a list of \"template:major\"")
	}
	for _, item := range list.Items {
		c, err := compatible(item.Text)
		if err != nil {
			return fmt.Errorf("line %d: %w", item.Line, err)
		}
		v.Compatible = append(v.Compatible, c)
	}
	sources := doc.Get("supported_component_sources")
	if !sources.IsNull() && sources.Kind != schema.List {
		return fmt.Errorf("line %d: supported_component_sources must be a list", sources.Line)
	}
	if !sources.IsNull() {
		for _, item := range sources.Items {
			if item.Text != "DIRECTLY_DEFINED" {
				return fmt.Errorf("line %d: %q is no source of components: the only one is DIRECTLY_DEFINED", item.Line, item.Text)
			}
			if !slices.Contains(v.ComponentSources, item.Text) {
				v.ComponentSources = append(v.ComponentSources, item.Text)
			}
		}
	}
	return checkCompatible(v.Compatible)
}

func checkCompatible(list []proton.CompatibleTemplate) error {
	if len(list) < 1 || len(list) > 10 {
		return fmt.Errorf("it names %d environment templates, but must name 1 to 10", len(list))
	}
	return nil
}

// compatible reads "template:major".
func compatible(text string) (proton.CompatibleTemplate, error) {
	name, major, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, number := proton.ParseVersionPart(strings.TrimSpace(major))
	if name = strings.TrimSpace(name); !ok || !number || n == 0 || name == "" {
		return proton.CompatibleTemplate{}, fmt.Errorf("%q is not an environment template and its major version, as in network:1", text)
	}
	return proton.CompatibleTemplate{Name: name, Major: n}, nil
}
