package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/pullrequest"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/gitsync"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// openGit finds git; without it, with a line in the log, nothing is synced from
// repositories and no pull requests are opened.
func (s *Server) openGit(c Config) {
	g, err := git.New(git.Config{Folder: filepath.Join(c.Data, "git"), MaxRepository: int64(c.GitRepositoryLimit)})
	if err != nil {
		s.log.Warn("repositories can't be reached", "err", err)
		return
	}
	s.git, s.forges = g, forge.New()
}

// syncer keeps up with linked repositories; nil without git.
func (s *Server) syncer(c Config, plane *control.Plane) (*gitsync.Syncer, error) {
	if s.git == nil {
		return nil, nil
	}
	limits, err := c.bundleLimits()
	if err != nil {
		return nil, err
	}
	return gitsync.New(gitsync.Config{
		Store: s.store, Plane: plane, Git: s.git, Forges: s.forges, Sealer: s.keys.sealer, Limits: limits,
		Owner: uuid.NewString(), Poll: time.Duration(c.GitPollInterval) * time.Second, Logger: s.log,
	}), nil
}

// pullRequests provisions Terraform by pull requests; nil without git.
func (s *Server) pullRequests(c Config, k *keys) engine.Driver {
	if s.git == nil {
		return nil
	}
	return &pullrequest.Driver{
		Git: s.git, Author: "Hadron", Email: "hadron@localhost", Poll: time.Duration(c.GitPollInterval) * time.Second,
		Timeout: time.Duration(c.PullRequestTimeout) * time.Second, ConfirmRemovals: c.ConfirmRemovals,
		Page: func(r engine.Run) string { return s.URL + "/console/deployments/" + r.DeploymentID },
		Access: func(ctx context.Context, r engine.Run) (pullrequest.Access, error) {
			var connection proton.Connection
			scope := proton.Scope{Account: r.Repository.Account, Region: r.Region}
			err := s.store.View(ctx, func(tx *store.Tx) error {
				linked, err := tx.Repository(ctx, scope, r.Repository.Provider, r.Repository.Name)
				if err != nil {
					return err
				}
				known := false
				connection, known, err = tx.Connection(ctx, scope, linked.ConnectionARN)
				if err == nil && !known {
					err = proton.Errorf(proton.NotFound, "Connection %s is not known any more.", linked.ConnectionARN)
				}
				return err
			})
			if err != nil {
				return pullrequest.Access{}, err
			}
			return s.access(ctx, k, connection, r.Repository.Name)
		},
	}
}

func (s *Server) access(ctx context.Context, k *keys, c proton.Connection, repository string) (a pullrequest.Access, err error) {
	server, err := gitsync.Server(k.sealer, c)
	if err != nil {
		return a, err
	}
	if a.Remote, err = s.forges.Remote(ctx, server, repository); err != nil {
		return a, err
	}
	a.Pulls, err = s.forges.PullRequests(ctx, server)
	return a, err
}

// checkToken refuses credentials that a kind of git server can't use.
func checkToken(kind proton.ConnectionKind, token auth.Secret) error {
	return forge.CheckToken(forge.Kind(kind), token)
}
