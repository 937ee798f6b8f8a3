package app

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/jobs"
)

// engineNames are the engines as settings name them.
var engineNames = map[string]engine.Method{
	"cloudformation": engine.CloudFormation, "opentofu": engine.OpenTofu, "command": engine.Command, "pull-request": engine.PullRequest,
}

// workLimits reads how many deployments may be worked on at once with an engine.
func (c Config) workLimits() (map[engine.Method]int, error) {
	limits := map[engine.Method]int{}
	for _, pair := range strings.Split(c.WorkLimits, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		method, ok := engineNames[name]
		if !ok {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(slices.Sorted(maps.Keys(engineNames)), ", "))
		}
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s=%s: give a positive number, as in opentofu=4,command=8", name, text)
		}
		if limits[method] != 0 {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		limits[method] = n
	}
	return limits, nil
}

// The least that limits of what templates run may be: with less, OpenTofu itself
// does not start, or cannot write what it must.
const (
	leastRunMemory = 128 << 20
	leastRunFile   = 1 << 20
)

func (c Config) checkRunLimits(fail func(setting, format string, args ...any)) {
	check := func(setting string, n, least int) {
		switch {
		case n != 0 && n < least:
			fail(setting, "%d is less than the %d bytes that OpenTofu needs; 0 does not limit", n, least)
		case n != 0 && c.Sandbox == "off":
			fail(setting, "holds in the sandbox only: set sandbox to auto or require")
		}
	}
	check("run-memory-limit", c.RunMemoryLimit, leastRunMemory)
	check("run-file-limit", c.RunFileLimit, leastRunFile)
}

// runLimits are those of what templates run.
func (c Config) runLimits() sandbox.Limits {
	return sandbox.Limits{Memory: int64(c.RunMemoryLimit), File: int64(c.RunFileLimit)}
}

// limitWork has engines that are limited given places of their own.
func (s *Server) limitWork(c Config) (limited map[engine.Method]bool) {
	limits, _ := c.workLimits() // Check has refused bad ones
	limited, s.limits = map[engine.Method]bool{}, map[jobs.Kind]int{}
	var names []string
	for method, n := range limits {
		names = append(names, string(method))
		limited[method], s.limits[jobs.DeployWith(string(method))] = true, n
	}
	s.store.LimitEngines(names...)
	return limited
}

// deployKinds are the kinds of jobs that work on deployments.
func deployKinds() []jobs.Kind {
	kinds := []jobs.Kind{jobs.Deploy}
	for _, method := range engineNames {
		kinds = append(kinds, jobs.DeployWith(string(method)))
	}
	return kinds
}
