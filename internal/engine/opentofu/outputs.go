package opentofu

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// StateName returns the name of a resource's state: account, region, and the
// part of the ARN that says which resource it is. Unlike the names of folders,
// which join names with hyphens, no two resources have the same.
func StateName(resourceARN string) string {
	parts := strings.SplitN(resourceARN, ":", 6)
	if len(parts) != 6 {
		return resourceARN
	}
	return path.Join(parts[4], parts[3], parts[5])
}

// FolderName returns what the folder of a run's resource is called where
// Proton keeps Terraform files: "env", "env/service-instance", "env/component"
// or "service/pipeline". The environment is the one in the run's variables.
func FolderName(r engine.Run) string {
	parts := strings.SplitN(r.ResourceARN, ":", 6)
	words := strings.Split(parts[len(parts)-1], "/")
	var variables struct{ Environment struct{ Name string } }
	for _, f := range r.Files {
		if f.Path == "proton.auto.tfvars.json" {
			json.Unmarshal(f.Content, &variables) // without a name: at the root
		}
	}
	switch {
	case len(words) == 2 && words[0] == "environment":
		return words[1]
	case len(words) == 2:
		return path.Join(variables.Environment.Name, words[1])
	case len(words) == 4 && words[2] == "service-instance":
		return path.Join(variables.Environment.Name, words[1]+"-"+words[3])
	case len(words) >= 3 && words[2] == "pipeline":
		return path.Join(words[1], "pipeline")
	}
	return parts[len(parts)-1]
}

// stateFile is what we read of a state, in the format of version 4.
type stateFile struct {
	Version   int                    `json:"version"`
	Outputs   map[string]stateOutput `json:"outputs"`
	Resources []struct {
		Provider string `json:"provider"`
	} `json:"resources"`
	Encrypted json.RawMessage `json:"encrypted_data"`
}

// stateOutput is an output, in a state as well as in what "output -json" prints.
type stateOutput struct {
	Value     json.RawMessage `json:"value"`
	Sensitive bool            `json:"sensitive"`
}

// errUnreadable says that only the tool can read the state.
var errUnreadable = errors.New("the state can only be read by the tool")

func parseState(content []byte) (stateFile, error) {
	var s stateFile
	if content == nil {
		return s, nil
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("the state is damaged: %w", err)
	}
	if s.Version != 4 || s.Encrypted != nil {
		return stateFile{}, errUnreadable
	}
	return s, nil
}

// outputs returns the outputs of a run that has succeeded, from the state; or
// from the tool, which is much slower, if the files have it encrypt that.
func (d *Driver) outputs(ctx context.Context, f *supervisor.Folder, r engine.Run) ([]engine.Output, error) {
	content, err := d.States.Pull(ctx, StateName(r.ResourceARN))
	if err != nil {
		return nil, err
	}
	state, err := parseState(content)
	if !errors.Is(err, errUnreadable) {
		return convert(state.Outputs), err
	}
	r.Log = io.Discard
	s, err := d.open(ctx, f, r, overrideHTTP)
	defer s.close()
	if err != nil {
		return nil, err
	}
	var printed bytes.Buffer
	exit, err := s.raw(ctx, &printed, "output", "-json")
	if err != nil {
		return nil, err
	}
	var outputs map[string]stateOutput
	if err := json.Unmarshal(printed.Bytes(), &outputs); exit != 0 || err != nil {
		return nil, engine.MarkPermanent(fmt.Errorf("%s output exited with %d and printed no outputs", s.tool, exit))
	}
	return convert(outputs), nil
}

// convert makes strings of values: strings as they are, all else as compact
// JSON; null is left out.
func convert(from map[string]stateOutput) []engine.Output {
	var out []engine.Output
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if value, ok := valueText(from[key].Value); ok {
			out = append(out, engine.Output{Key: key, Value: value, Sensitive: from[key].Sensitive})
		}
	}
	return out
}

func valueText(raw json.RawMessage) (text string, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // numbers keep their spelling
	var value any
	if dec.Decode(&value) != nil || value == nil {
		return "", false
	}
	if text, ok = value.(string); ok {
		return text, true
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), true
}

// addOutputs adds what was notified, which wins.
func addOutputs(outputs, notified []engine.Output) []engine.Output {
	for _, o := range notified {
		outputs = slices.DeleteFunc(outputs, func(old engine.Output) bool { return old.Key == o.Key })
		outputs = append(outputs, o)
	}
	slices.SortStableFunc(outputs, func(a, b engine.Output) int { return cmp.Compare(a.Key, b.Key) })
	return outputs
}

// stateSecrets returns the values of sensitive outputs, and each text in them.
func stateSecrets(content []byte) []string {
	state, err := parseState(content)
	if err != nil {
		return nil // what can't be read can't be told from other text
	}
	var secrets []string
	for _, o := range state.Outputs {
		var value any
		if !o.Sensitive || json.Unmarshal(o.Value, &value) != nil {
			continue
		}
		text, _ := valueText(o.Value)
		secrets = append(append(secrets, text), texts(value)...)
	}
	return secrets
}

func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	case map[string]any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	}
	return all
}

// stateProviders returns the providers that a state's resources need, sorted.
// An init has to provide them too, until the resources are gone. ok is false
// if only the tool can read the state.
func stateProviders(content []byte) (all []string, ok bool) {
	state, err := parseState(content)
	if err != nil {
		return nil, false
	}
	for _, r := range state.Resources {
		// provider["registry/name"].alias, of a module perhaps
		if _, name, ok := strings.Cut(r.Provider, `provider["`); ok {
			name, _, _ = strings.Cut(name, `"`)
			if !strings.HasPrefix(name, "terraform.io/builtin/") { // part of the tool
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), true
}
