package console

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// words writes a constant of the API for people: "CREATE_IN_PROGRESS" as
// "Create in progress".
func words(constant string) string {
	text := strings.ToLower(strings.ReplaceAll(constant, "_", " "))
	if text == "" {
		return "–"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// tone is how a status looks: good, busy, bad or idle.
func tone(status string) string {
	switch {
	case strings.Contains(status, "FAILED") || status == "REJECTED":
		return "bad"
	case strings.Contains(status, "IN_PROGRESS") || status == "CANCELLING" || status == "PENDING":
		return "busy"
	case status == "SUCCEEDED" || status == "ACTIVE" || status == "PUBLISHED" || status == "CONNECTED":
		return "good"
	}
	return "idle"
}

// when writes an instant; the page's script shows it in the reader's zone.
func when(t *awsjson.Timestamp) string {
	if t == nil || t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func iso(t *awsjson.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// took is how long a deployment has run, once it has ended.
func took(from, to *awsjson.Timestamp) string {
	if from == nil || to == nil {
		return "–"
	}
	return to.Sub(from.Time).Round(100 * time.Millisecond).String()
}

// at writes the path of a page; every part is escaped.
func at(parts ...string) string {
	var b strings.Builder
	b.WriteString(Root)
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// with adds a parameter to a path.
func with(path, name, value string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

func version(major, minor *string) string { return api.Value(major) + "." + api.Value(minor) }

func number(n *int64) string { return fmt.Sprint(api.Value(n)) }

// target is what a deployment deploys, and where its page is.
func target(d api.DeploymentSummary) (name, path string) {
	switch {
	case api.Value(d.ComponentName) != "":
		return "component " + *d.ComponentName, at("components", *d.ComponentName)
	case api.Value(d.ServiceInstanceName) != "":
		return *d.ServiceName + " / " + *d.ServiceInstanceName, at("services", *d.ServiceName, "instances", *d.ServiceInstanceName)
	case api.Value(d.ServiceName) != "":
		return *d.ServiceName + " / pipeline", at("services", *d.ServiceName, "pipeline")
	}
	return api.Value(d.EnvironmentName), at("environments", api.Value(d.EnvironmentName))
}

// shell quotes a text for a POSIX shell, if it needs quotes.
func shell(text string) string {
	if text != "" && strings.IndexFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@", r))
	}) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// command writes an AWS CLI command that does what a form does. Options are
// names and values in turn; those with an empty value are left out. A spec is
// given as a here-document.
func command(operation, spec string, options ...string) string {
	var b strings.Builder
	b.WriteString("aws proton " + operation)
	for n := 0; n+1 < len(options); n += 2 {
		if options[n+1] != "" {
			b.WriteString(" \\\n  --" + options[n] + " " + shell(options[n+1]))
		}
	}
	if spec != "" {
		b.WriteString(" \\\n  --spec file:///dev/stdin <<'SPEC'\n" + strings.TrimRight(spec, "\n") + "\nSPEC")
	}
	return b.String()
}

func shortID(id *string) string {
	if text := api.Value(id); len(text) > 8 {
		return text[:8]
	}
	return api.Value(id)
}
