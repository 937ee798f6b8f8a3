package pullrequest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/engine"
)

const (
	// metadataFile tells automation what a folder is, and changes at every
	// deployment.
	metadataFile = ".proton/deployment-metadata.json"
	// inputsFile holds what a resource was given.
	inputsFile = "proton.auto.tfvars.json"
)

// branch is where a run's change is.
func branch(r engine.Run) string { return "proton--proton-" + r.Repository.Kind + "-" + r.ID }

// title is that of the commit and of the pull request.
func title(r engine.Run) string {
	return "Update requested for Proton - " + r.ResourceARN[strings.LastIndex(r.ResourceARN, ":")+1:]
}

// body tells people what a pull request is about. before is the inputs file as
// it is, if it is.
func (d *Driver) body(r engine.Run, before []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Resource: `%s`\n", r.ResourceARN)
	if version := version(r); version != "" {
		fmt.Fprintf(&b, "Template: `%s`\n", version)
	}
	fmt.Fprintf(&b, "Deployment: `%s`\n", r.DeploymentID)
	if d.Page != nil {
		if page := d.Page(r); page != "" {
			fmt.Fprintf(&b, "\n%s\n", page)
		}
	}
	if r.Goal == engine.Destroy {
		b.WriteString("\nThe resource is being deleted. Merging this removes what was provisioned of it.\n")
		return b.String()
	}
	b.WriteString(changedInputs(before, fileOf(r, inputsFile)))
	return engine.NewRedactor(r.Secrets...).String(b.String())
}

// version is the template version that a run deploys, as its metadata says.
func version(r engine.Run) string {
	var m struct {
		Resource struct {
			Template string `json:"templateArn"`
			Major    string `json:"templateMajorVersion"`
			Minor    string `json:"templateMinorVersion"`
		} `json:"resourceMetadata"`
	}
	if json.Unmarshal(fileOf(r, metadataFile), &m) != nil || m.Resource.Template == "" {
		return ""
	}
	return m.Resource.Template + ":" + m.Resource.Major + "." + m.Resource.Minor
}

const (
	maxRows = 50  // of the table of inputs
	maxCell = 200 // characters
)

// changedInputs is a table of the inputs that differ; empty without.
func changedInputs(before, after []byte) string {
	was, will := inputs(before), inputs(after)
	names := map[string]bool{}
	for _, side := range []map[string]string{was, will} {
		for name := range side {
			names[name] = was[name] != will[name]
		}
	}
	var b strings.Builder
	rows := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !names[name] {
			continue
		}
		if rows++; rows > maxRows {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(name), cell(was[name]), cell(will[name]))
	}
	if rows > maxRows {
		fmt.Fprintf(&b, "\nand %d more\n", rows-maxRows)
	}
	if rows == 0 {
		return ""
	}
	return "\n| input | before | after |\n|---|---|---|\n" + b.String()
}

// inputs are those of the resource itself that an inputs file is of, as JSON.
func inputs(file []byte) map[string]string {
	var parts map[string]json.RawMessage
	if json.Unmarshal(file, &parts) != nil {
		return nil
	}
	all := map[string]string{}
	for _, of := range []string{"environment", "service_instance", "pipeline", "component"} {
		var part struct {
			Inputs map[string]json.RawMessage `json:"inputs"`
		}
		if json.Unmarshal(parts[of], &part) != nil {
			continue
		}
		for name, value := range part.Inputs {
			var text bytes.Buffer
			if json.Compact(&text, value) == nil {
				all[name] = text.String()
			}
		}
	}
	return all
}

// cell is a text that stays in its cell of a table.
func cell(text string) string {
	if text == "" {
		return ""
	}
	if runes := []rune(text); len(runes) > maxCell {
		text = string(runes[:maxCell]) + "…"
	}
	return "`" + strings.NewReplacer("|", `\|`, "`", "'", "\n", " ").Replace(text) + "`"
}
