package auth

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed policies/*.json
var managedFiles embed.FS

// managed are the built-in policies by name: AWS Proton's own, and with names
// of ours those that also cover what Proton's were never brought up to date with.
var managed = readManaged()

func readManaged() map[string]*Policy {
	entries, err := managedFiles.ReadDir("policies")
	if err != nil {
		panic(fmt.Sprintf("auth: built-in policies: %v", err))
	}
	all := map[string]*Policy{}
	for _, e := range entries {
		text, err := managedFiles.ReadFile("policies/" + e.Name())
		if err == nil {
			name := strings.TrimSuffix(e.Name(), ".json")
			if all[name], err = ParsePolicy(text); err == nil {
				all[name] = all[name].Named(name)
			}
		}
		if err != nil {
			panic(fmt.Sprintf("auth: built-in policy %s: %v", e.Name(), err))
		}
	}
	return all
}

// ManagedPolicy is the built-in policy with a name, which may be given as the
// ARN that it has on AWS.
func ManagedPolicy(name string) (*Policy, bool) {
	if strings.HasPrefix(name, "arn:aws:iam::aws:policy/") {
		name = name[strings.LastIndex(name, "/")+1:]
	}
	p, ok := managed[name]
	return p, ok
}

// ManagedPolicies are the names of the built-in policies.
func ManagedPolicies() []string {
	var names []string
	for name := range managed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
