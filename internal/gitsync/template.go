package gitsync

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

var majorFolder = regexp.MustCompile(`^v([1-9]\d{0,8})$`)

// syncTemplate syncs every major version of a template that the commit holds.
func (u *update) syncTemplate(ctx context.Context, c *snapshot, config proton.TemplateSyncConfig) error {
	folder, ok := templateFolder(c.entries, config)
	majors := majorsIn(c.entries, folder)
	if !ok || len(majors) == 0 {
		where := "/"
		if config.Subdirectory != "" {
			where = config.Subdirectory
		}
		text := fmt.Sprintf("Commit %s: no directory %s with major versions (v1, v2, …) in it below %s", u.sha, config.TemplateName, where)
		u.failed = append(u.failed, text)
		return u.failTemplate(ctx, config, text)
	}
	if err := u.clearTemplateFailure(ctx, config); err != nil {
		return err
	}
	for _, m := range majors {
		t := &templateUpdate{update: u, config: config, major: m.major, folder: m.entry}
		if err := t.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// failTemplate records that no major version of a template could be found.
func (u *update) failTemplate(ctx context.Context, config proton.TemplateSyncConfig, text string) error {
	key := proton.TemplateStateKey(config.Kind, config.TemplateName, 0)
	return u.record(ctx, proton.SubjectTemplate, key, config.Owner(), func(s *proton.SyncState) {
		s.Begin(newID(), string(u.repository.TemplateARN(config.Kind, config.TemplateName)), u.revision(config.Subdirectory), now())
		s.End(proton.SyncFailed, proton.EventConfigInvalid, text, u.sha, now())
	})
}

func (u *update) clearTemplateFailure(ctx context.Context, config proton.TemplateSyncConfig) error {
	return u.Store.Update(ctx, func(tx *store.Tx) error {
		if err := u.fence(ctx, tx); err != nil {
			return err
		}
		return tx.DeleteSyncState(ctx, u.repository.Scope, proton.SubjectTemplate, proton.TemplateStateKey(config.Kind, config.TemplateName, 0))
	})
}

// templateFolder is the first directory with the template's name below the
// configured one, or that one itself if it has the name.
func templateFolder(entries []git.Entry, config proton.TemplateSyncConfig) (string, bool) {
	root := config.Subdirectory
	if path.Base(root) == config.TemplateName && len(majorsIn(entries, root)) > 0 {
		return root, true
	}
	best, found := "", false
	for _, e := range entries {
		if e.Kind != git.Folder || path.Base(e.Path) != config.TemplateName || !below(root, e.Path) {
			continue
		}
		nearer := cmp.Or(cmp.Compare(strings.Count(e.Path, "/"), strings.Count(best, "/")), strings.Compare(e.Path, best)) < 0
		if !found || nearer {
			best, found = e.Path, true
		}
	}
	return best, found
}

func below(root, p string) bool { return root == "" || strings.HasPrefix(p, root+"/") }

type majorEntry struct {
	major int64
	entry git.Entry
}

// majorsIn are the major versions in a template's directory, by number.
func majorsIn(entries []git.Entry, folder string) []majorEntry {
	var majors []majorEntry
	for _, e := range entries {
		if e.Kind != git.Folder || path.Dir(e.Path) != cmp.Or(folder, ".") {
			continue
		}
		if m := majorFolder.FindStringSubmatch(path.Base(e.Path)); m != nil {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			majors = append(majors, majorEntry{n, e})
		}
	}
	slices.SortFunc(majors, func(a, b majorEntry) int { return cmp.Compare(a.major, b.major) })
	return majors
}

// templateUpdate is the sync of one major version. The id of its directory in
// git stands for all that is in it.
type templateUpdate struct {
	*update
	config proton.TemplateSyncConfig
	major  int64
	folder git.Entry
}

func (t *templateUpdate) stateKey() string {
	return proton.TemplateStateKey(t.config.Kind, t.config.TemplateName, t.major)
}

func (t *templateUpdate) subject() string {
	return fmt.Sprintf("%s:%d", t.repository.TemplateARN(t.config.Kind, t.config.TemplateName), t.major)
}

func (t *templateUpdate) change(ctx context.Context, change func(*proton.SyncState)) error {
	return t.record(ctx, proton.SubjectTemplate, t.stateKey(), t.config.Owner(), change)
}

// do registers the directory as the next minor version, if it is not what was
// registered last.
func (t *templateUpdate) do(ctx context.Context, c *snapshot) error {
	state, there, err := t.current(ctx)
	if err != nil {
		return err
	}
	switch {
	case t.quiet && !state.Waiting:
		return nil
	case state.Latest != nil && !state.Latest.Status.Ended():
		if state.Digest == t.folder.ID {
			return nil
		}
		return t.change(ctx, func(s *proton.SyncState) { s.Waiting = true })
	case there && state.DigestGood == t.folder.ID:
		return t.unchanged(ctx, state)
	case state.Digest == t.folder.ID && state.Latest.Status == proton.SyncFailed && !t.asked && !state.Waiting:
		return nil // it failed as it is, and would again
	}
	v := proton.TemplateVersion{
		Scope: t.repository.Scope, Kind: t.config.Kind, TemplateName: t.config.TemplateName, Version: proton.Version{Major: t.major},
	}
	archive, problem := t.read(ctx, c, &v)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if problem != nil {
		return t.fail(ctx, problem, false)
	}
	sum := sha256.Sum256(archive)
	v.BundleDigest = "sha256:" + hex.EncodeToString(sum[:])
	err = t.Plane.RegisterSynced(ctx, v, archive,
		func(tx *store.Tx) error { return t.fence(ctx, tx) },
		func(tx *store.Tx, v proton.TemplateVersion) error {
			return t.recordIn(ctx, tx, proton.SubjectTemplate, t.stateKey(), t.config.Owner(), func(s *proton.SyncState) {
				s.Begin(newID(), t.subject(), t.revision(t.folder.Path), now())
				s.Latest.Status, s.Digest = proton.SyncInProgress, t.folder.ID
				s.Latest.Note(proton.EventRegistrationStarted, "Registering "+v.Version.String()+" from commit "+t.sha, string(v.ARN()), now())
			})
		})
	switch kind := proton.KindOf(err); {
	case errors.Is(err, control.ErrRegistering):
		return t.change(ctx, func(s *proton.SyncState) { s.Waiting = true })
	case kind == proton.NotFound: // of an environment template, which may come yet
		return t.fail(ctx, refusal(err), true)
	case kind == proton.QuotaExceeded, kind == proton.Invalid:
		return t.fail(ctx, refusal(err), false)
	}
	return err
}

// refusal is a refusal of the control plane without what is for the log.
func refusal(err error) error {
	if e, ok := errors.AsType[*proton.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}

// current reads the state, and whether the version last synced still exists.
func (t *templateUpdate) current(ctx context.Context) (state proton.SyncState, there bool, err error) {
	err = t.Store.View(ctx, func(tx *store.Tx) error {
		if state, _, err = tx.SyncState(ctx, t.repository.Scope, proton.SubjectTemplate, t.stateKey()); err != nil || state.Succeeded == nil {
			return err
		}
		r, err := proton.ParseARN(syncedVersion(state.Succeeded))
		if err != nil {
			return nil
		}
		_, err = tx.TemplateVersion(ctx, t.repository.Scope, t.config.Kind, t.config.TemplateName, r.Version)
		there = err == nil
		if proton.IsNotFound(err) {
			err = nil
		}
		return err
	})
	return state, there, err
}

// syncedVersion is the ARN of the version that an attempt came to.
func syncedVersion(a *proton.SyncAttempt) string {
	for _, e := range slices.Backward(a.Events) {
		if e.Type == proton.EventRegistrationSucceeded || e.Type == proton.EventBundleUnchanged {
			return e.ExternalID
		}
	}
	return ""
}

// unchanged records that the commit brings nothing new.
func (t *templateUpdate) unchanged(ctx context.Context, was proton.SyncState) error {
	arn := syncedVersion(was.Succeeded)
	return t.change(ctx, func(s *proton.SyncState) {
		s.Begin(newID(), t.subject(), t.revision(t.folder.Path), now())
		s.Digest = t.folder.ID
		s.End(proton.SyncSucceeded, proton.EventBundleUnchanged, "Unchanged since "+arn[strings.LastIndex(arn, ":")+1:], arn, now())
	})
}

// fail records why the directory can't be registered. again: what stands in
// the way is elsewhere, and may go away without a commit.
func (t *templateUpdate) fail(ctx context.Context, problem error, again bool) error {
	text := fmt.Sprintf("Commit %s: %s", t.sha, problem)
	return t.change(ctx, func(s *proton.SyncState) {
		if again && s.Waiting && s.Digest == t.folder.ID && s.Latest != nil && s.Latest.Events[len(s.Latest.Events)-1].Text == text {
			return // the same as at the last try
		}
		s.Begin(newID(), t.subject(), t.revision(t.folder.Path), now())
		s.Digest = t.folder.ID
		s.End(proton.SyncFailed, proton.EventRegistrationFailed, text, t.sha, now())
		s.Waiting = again
	})
}

// read packs the directory, and reads what belongs to the version beside the
// bundle.
func (t *templateUpdate) read(ctx context.Context, c *snapshot, v *proton.TemplateVersion) (archive []byte, problem error) {
	var files []git.Entry
	for _, e := range c.entries {
		switch {
		case !below(t.folder.Path, e.Path) || e.Kind == git.Folder:
		case e.Kind == git.Link:
			return nil, fmt.Errorf("%s: symbolic links are not allowed in a template bundle", e.Path)
		case e.Kind == git.Submodule:
			return nil, fmt.Errorf("%s: submodules are not allowed in a template bundle", e.Path)
		default:
			files = append(files, e)
		}
	}
	if len(files) > t.Limits.Entries {
		return nil, fmt.Errorf("%s: it has %d files, more than %d", t.folder.Path, len(files), t.Limits.Entries)
	}
	contents, err := c.Read(ctx, t.Limits.Unpacked, files...)
	if errors.Is(err, git.ErrTooLarge) {
		return nil, fmt.Errorf("%s: its files have more than %d bytes together", t.folder.Path, t.Limits.Unpacked)
	}
	if err != nil {
		return nil, err
	}
	var packed []bundle.File
	byName := map[string]bundle.File{}
	for _, f := range files {
		file := bundle.File{Path: strings.TrimPrefix(f.Path, t.folder.Path+"/"), Mode: f.Mode, Content: contents[f.ID]}
		packed = append(packed, file)
		byName[file.Path] = file
	}
	if v.Kind == proton.ServiceTemplate {
		if err := registration(byName, v); err != nil {
			return nil, fmt.Errorf("%s/%w", t.folder.Path, err)
		}
	}
	return bundle.PackFiles(packed)
}
