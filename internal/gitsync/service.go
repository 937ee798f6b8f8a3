package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// maxFile is how large an ops file or a spec may be: specs may have 51200
// characters, of up to four bytes.
const maxFile = 256 << 10

// serviceUpdate is the sync of one service.
type serviceUpdate struct {
	*update
	config proton.ServiceSyncConfig
	placed []placed
}

// syncServices syncs the services whose ops files are on the branch. The ops
// files are read first: the clone can hold one commit at a time.
func (u *update) syncServices(ctx context.Context, c *snapshot) error {
	var list []*serviceUpdate
	for _, config := range u.services {
		if config.Branch != u.branch {
			continue
		}
		s := &serviceUpdate{update: u, config: config}
		if err := s.readOps(ctx, c); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			u.failed = append(u.failed, fmt.Sprintf("Commit %s: %s: %v", u.sha, config.FilePath, err))
			continue
		}
		list = append(list, s)
	}
	c.Close()
	for _, s := range list {
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *serviceUpdate) readOps(ctx context.Context, c *snapshot) error {
	file, err := control.FilePath(s.config.FilePath)
	if err != nil {
		return err
	}
	text, err := c.ReadFile(ctx, file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the ops file does not exist")
	}
	if err != nil {
		return err
	}
	s.placed, err = parseOps(text, s.config.ServiceName)
	return err
}

// document is a spec file of one commit.
type document struct {
	sha     string
	branch  string
	path    string
	text    string
	spec    *bundle.ServiceSpec
	problem error
}

// do syncs each instance, in the order of the ops file, and then the pipeline.
func (s *serviceUpdate) do(ctx context.Context) error {
	documents := map[placed]*document{}
	var pipeline *document
	for _, at := range s.placed {
		key := placed{branch: at.branch, spec: at.spec}
		doc := documents[key]
		if doc == nil {
			var err error
			if doc, err = s.read(ctx, at); err != nil {
				return err
			}
			documents[key] = doc
		}
		i := &instanceUpdate{serviceUpdate: s, name: at.instance, doc: doc}
		if err := i.do(ctx); err != nil {
			return err
		}
		if pipeline == nil && doc.problem == nil && doc.spec.HasPipelineSection {
			pipeline = doc
		}
	}
	if pipeline == nil {
		return nil
	}
	return s.syncPipeline(ctx, pipeline)
}

// read reads a spec file of the commit that its branch is at.
func (s *serviceUpdate) read(ctx context.Context, at placed) (*document, error) {
	doc := &document{branch: at.branch, path: at.spec, sha: s.sha}
	if at.branch != s.branch {
		heads, err := s.Git.Heads(ctx, s.remote, at.branch)
		if err == nil && heads[at.branch] == "" {
			err = fmt.Errorf("branch %s does not exist", at.branch)
		}
		if err != nil {
			doc.problem = err
			return doc, ended(ctx)
		}
		doc.sha = heads[at.branch]
		s.heads[specKey(at.branch)] = proton.Head{SHA: doc.sha}
	}
	commit, err := s.Git.Fetch(ctx, s.remote, at.branch, doc.sha)
	if err != nil {
		doc.problem = err
		return doc, ended(ctx)
	}
	defer commit.Close()
	doc.sha = commit.SHA
	text, err := commit.ReadFile(ctx, at.spec, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		doc.problem = errors.New("the spec file does not exist")
	case err != nil:
		doc.problem = err
	default:
		doc.text = string(text)
		doc.spec, doc.problem = bundle.ParseServiceSpec(doc.text)
	}
	return doc, ended(ctx)
}

// ended is why ctx has ended; nil if it has not.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// specKey names a branch that specs are read from, among the heads.
func specKey(branch string) string { return "SPEC " + branch }

func (s *serviceUpdate) revision(doc *document) proton.SyncRevision {
	return proton.SyncRevision{Provider: s.repository.Provider, Repository: s.repository.Name, Branch: doc.branch, Directory: doc.path, SHA: doc.sha}
}

// facts reads what is to be known of an instance or, without a name, of the
// pipeline. NotFound if the service is gone.
func (s *serviceUpdate) facts(ctx context.Context, name string) (f serviceFacts, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		scope := s.repository.Scope
		if f.service, err = tx.Service(ctx, scope, s.config.ServiceName); err != nil {
			return err
		}
		f.blocker, f.blocked, err = tx.ActiveSyncBlocker(ctx, scope, s.config.ServiceName, name)
		if err != nil {
			return err
		}
		subject, key := proton.SubjectInstance, proton.InstanceStateKey(s.config.ServiceName, name)
		if name == "" {
			subject, key = proton.SubjectPipeline, s.config.ServiceName
		}
		if f.state, _, err = tx.SyncState(ctx, scope, subject, key); err != nil || name == "" {
			return err
		}
		f.instance, err = tx.ServiceInstance(ctx, scope, s.config.ServiceName, name)
		f.exists = err == nil
		if proton.IsNotFound(err) {
			err = nil
		}
		return err
	})
	return f, err
}

type serviceFacts struct {
	service  proton.Service
	instance proton.ServiceInstance
	exists   bool
	state    proton.SyncState
	blocker  proton.SyncBlocker
	blocked  bool
}
