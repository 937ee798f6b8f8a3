package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/linediff"
)

const (
	maxFilesListed   = 500  // of a bundle
	maxFilesCompared = 20   // of two bundles, line by line
	maxLinesShown    = 2000 // of all these files
	maxLineShown     = 500  // characters of a line
	linesAround      = 3    // a change are shown with it
)

// fileRow is a file in a list of files, and where its text is shown.
type fileRow struct{ Path, Size, Note, Link string }

// fileChange is what happened to a file between two versions of a bundle.
type fileChange struct {
	Path, What, Note string
	Lines            []specLine // nil when only Note says something
}

func templateType(kind string) *api.HadronTemplateType {
	if kind == ofEnvironments {
		return api.Ptr(api.HadronTemplateTypeEnvironment)
	}
	return api.Ptr(api.HadronTemplateTypeService)
}

// bundleFiles lists the files of a version's bundle, or reads one of them.
func (c *Console) bundleFiles(r *http.Request, f *versionFacts, path *string) ([]api.TemplateVersionFile, error) {
	out, err := c.client.ListTemplateVersionFiles(r.Context(), &api.ListTemplateVersionFilesInput{
		TemplateType: templateType(f.Kind), TemplateName: &f.Name, MajorVersion: &f.Major, MinorVersion: &f.Minor, Path: path})
	if err != nil {
		return nil, err
	}
	return out.Files, nil
}

// browse lists a version's files, and reads the one that is asked for. Who may
// not read them sees the rest of the page.
func (c *Console) browse(r *http.Request, f *versionFacts) (err error) {
	f.Files, err = c.bundleFiles(r, f, nil)
	if denied(err) {
		f.Denied = true
		return nil
	}
	path := r.URL.Query().Get("file")
	if err != nil || path == "" {
		return err
	}
	one, err := c.bundleFiles(r, f, &path)
	if err == nil {
		f.Shown = &one[0]
	}
	return err
}

// compare says what changed since another version: the one asked for, or the
// one before.
func (c *Console) compare(r *http.Request, f *versionFacts) error {
	versions, err := c.templateVersions(r, f.Kind, f.Name)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(versions, func(v versionRow) bool { return v.Major == f.Major && v.Minor == f.Minor })
	if n < 0 {
		return nil
	}
	f.Others = slices.Delete(slices.Clone(versions), n, n+1)
	since := r.URL.Query().Get("since")
	if since != "" {
		n = slices.IndexFunc(f.Others, func(v versionRow) bool { return v.Major+"."+v.Minor == since })
		if n < 0 {
			return invalid("There is no other version " + since + " of " + f.Name + " to compare with.")
		}
	}
	if n == len(f.Others) {
		return nil // the first version has none before it
	}
	before, err := c.versionOf(r, f.Kind, f.Name, f.Others[n].Major, f.Others[n].Minor)
	if err != nil || since == "" && (before.Schema == "" || f.Schema == "") {
		return err // one of them is not registered
	}
	f.Before = before.Version()
	if f.Denied {
		f.Changes = schemaChange(before.Schema, f.Schema)
		return nil
	}
	if before.Files, err = c.bundleFiles(r, &before, nil); err != nil {
		return err
	}
	f.Changes, err = c.bundleChanges(r, &before, f)
	return err
}

// schemaChange is what is known of a change without the files.
func schemaChange(before, after string) []fileChange {
	if before == after {
		return nil
	}
	return []fileChange{compareTexts(fileChange{Path: "schema", What: "changed"}, before, after, maxLinesShown)}
}

// bundleChanges compares two bundles file by file. Beyond maxFilesCompared and
// maxLinesShown, it names what changed without saying how.
func (c *Console) bundleChanges(r *http.Request, before, after *versionFacts) ([]fileChange, error) {
	changes := changedFiles(before.Files, after.Files)
	compared, left := 0, maxLinesShown
	for n := range changes {
		change := &changes[n]
		if change.What != "changed" || change.Note != "" {
			continue
		}
		if compared++; compared > maxFilesCompared {
			change.Note = "not compared: too many files have changed"
			continue
		}
		var texts [2]string
		for side, f := range []*versionFacts{before, after} {
			one, err := c.bundleFiles(r, f, &change.Path)
			if err != nil {
				return nil, err
			}
			texts[side] = api.Value(one[0].Content)
		}
		*change = compareTexts(*change, texts[0], texts[1], left)
		left -= len(change.Lines)
	}
	return changes, nil
}

// changedFiles lists what differs between two lists of files, by path.
func changedFiles(before, after []api.TemplateVersionFile) []fileChange {
	var changes []fileChange
	old := map[string]api.TemplateVersionFile{}
	for _, f := range before {
		old[*f.Path] = f
	}
	for _, f := range after {
		was, ok := old[*f.Path]
		delete(old, *f.Path)
		switch {
		case !ok:
			changes = append(changes, fileChange{Path: *f.Path, What: "added", Note: number(f.Size) + " bytes"})
		case *was.Sha256 != *f.Sha256:
			note := api.Value(f.Note)
			if note == "" {
				note = api.Value(was.Note)
			}
			changes = append(changes, fileChange{Path: *f.Path, What: "changed", Note: note})
		}
	}
	for path, f := range old {
		changes = append(changes, fileChange{Path: path, What: "removed", Note: number(f.Size) + " bytes"})
	}
	slices.SortFunc(changes, func(a, b fileChange) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return changes
}

// compareTexts adds the lines that differ, with some around them, up to most
// lines.
func compareTexts(change fileChange, before, after string, most int) fileChange {
	a, b := lines(before), lines(after)
	if !linediff.Compared(a, b) {
		change.Note = "too long to be compared line by line"
		return change
	}
	found := around(difference(a, b))
	switch {
	case len(found) == 0:
		change.Note = "only empty lines at its end differ"
	case len(found) > most:
		change.Note = fmt.Sprintf("not shown: more than %d lines have changed in all files", maxLinesShown)
	default:
		change.Lines = found
		for n := range found {
			found[n].Text = onScreen(found[n].Text)
		}
	}
	return change
}

// onScreen is a line as it can be shown: not too long, and with a sign for the
// carriage return that would not be seen.
func onScreen(line string) string {
	if rest, cut := strings.CutSuffix(line, "\r"); cut {
		line = rest + "␍"
	}
	for n := range line {
		if n >= maxLineShown {
			return line[:n] + fmt.Sprintf("… and %d bytes more", len(line)-n)
		}
	}
	return line
}

// around keeps changed lines and those near them; what is left out between is
// one line of dots.
func around(full []specLine) []specLine {
	near := make([]bool, len(full))
	for n, line := range full {
		if line.Mark == " " {
			continue
		}
		for i := max(0, n-linesAround); i <= min(len(full)-1, n+linesAround); i++ {
			near[i] = true
		}
	}
	var kept []specLine
	for n, line := range full {
		switch {
		case near[n]:
			kept = append(kept, line)
		case n > 0 && near[n-1]:
			kept = append(kept, specLine{" ", "…"})
		}
	}
	return kept
}

// toFileRows are a bundle's files, linked to their text on the version's page.
func toFileRows(f versionFacts) []fileRow {
	page := at("templates", f.Kind, f.Name, f.Major, f.Minor)
	if f.Before != "" {
		page = with(page, "since", f.Before)
	}
	var rows []fileRow
	for _, file := range f.Files[:min(len(f.Files), maxFilesListed)] {
		path := api.Value(file.Path)
		rows = append(rows, fileRow{path, number(file.Size), api.Value(file.Note), with(page, "file", path) + "#files"})
	}
	return rows
}
