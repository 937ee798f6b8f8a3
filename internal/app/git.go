package app

import (
	"path/filepath"
	"time"

	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/gitsync"
)

// syncer keeps up with linked repositories; nil, with a line in the log, where
// git is not installed.
func (s *Server) syncer(c Config, plane *control.Plane) (*gitsync.Syncer, error) {
	g, err := git.New(git.Config{Folder: filepath.Join(c.Data, "git"), MaxRepository: int64(c.GitRepositoryLimit)})
	if err != nil {
		s.log.Warn("nothing is synced from repositories", "err", err)
		return nil, nil
	}
	limits, err := c.bundleLimits()
	if err != nil {
		return nil, err
	}
	return gitsync.New(gitsync.Config{
		Store: s.store, Plane: plane, Git: g, Forges: forge.New(), Sealer: s.keys.sealer, Limits: limits,
		Owner: s.node, Poll: time.Duration(c.GitPollInterval) * time.Second, Logger: s.log,
	}), nil
}
