package engine

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// inherited are the only variables that a tool gets from the server's own
// environment. Everything else there may be secret.
var inherited = []string{"PATH", "LANG", "LC_ALL", "TZ"}

// Environment returns the variables a tool starts with: PATH, language and
// time zone of environ (the server's, in the form of os.Environ), and HOME and
// TMPDIR in folders of its own.
func Environment(environ []string, home, tmp string) map[string]string {
	env := map[string]string{"HOME": home, "TMPDIR": tmp, "LANG": "C.UTF-8"}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(inherited, name) {
			env[name] = value
		}
	}
	return env
}

// Environ returns env in the form that starting a process takes, sorted.
func Environ(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

// FindProgram returns the absolute path of a program: one of that path, or, if it
// is only a name, the first in the folders of path (in the form of PATH); empty
// if there is none that can be run.
func FindProgram(path, name string) string {
	files := []string{name}
	if !strings.ContainsRune(name, filepath.Separator) {
		files = nil
		for _, folder := range filepath.SplitList(path) {
			if folder != "" { // the current folder
				files = append(files, filepath.Join(folder, name))
			}
		}
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		if whole, err := filepath.Abs(file); err == nil {
			return whole
		}
	}
	return ""
}
