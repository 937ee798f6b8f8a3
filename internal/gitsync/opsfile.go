package gitsync

import (
	"fmt"

	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/schema"
)

// placed is one instance of an ops file, and where its spec is.
type placed struct {
	instance string
	branch   string
	spec     string
}

// parseOps reads which specs an ops file names for the instances of a service,
// in its order. Errors name the line.
func parseOps(text []byte, service string) ([]placed, error) {
	doc, err := schema.ParseYAML(text)
	if err != nil {
		return nil, err
	}
	services := doc.Get("sync").Get("services")
	if services.IsNull() || services.Kind != schema.Map {
		return nil, fmt.Errorf("sync.services is missing: it must be a mapping from services to their instances")
	}
	entry := services.Get(service)
	if entry.IsNull() {
		return nil, fmt.Errorf("line %d: sync.services has no service %s", services.Line, service)
	}
	if entry.Kind != schema.Map {
		return nil, fmt.Errorf("line %d: sync.services.%s must be a mapping from instances to branch and spec", entry.Line, service)
	}
	var list []placed
	for _, f := range entry.Fields {
		branch, spec := f.Value.Get("branch"), f.Value.Get("spec")
		if !branch.IsScalar() || !spec.IsScalar() {
			return nil, fmt.Errorf("line %d: sync.services.%s.%s must have branch and spec", f.Line, service, f.Key)
		}
		if err := git.CheckBranch(branch.Text); err != nil {
			return nil, fmt.Errorf("line %d: %w", branch.Line, err)
		}
		file, err := control.FilePath(spec.Text)
		if err != nil {
			return nil, fmt.Errorf("line %d: spec %q is no path in the repository", spec.Line, spec.Text)
		}
		list = append(list, placed{f.Key, branch.Text, file})
	}
	return list, nil
}
