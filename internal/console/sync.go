package console

import (
	"errors"
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// repositoryFacts are the linked repositories and what they are linked through.
type repositoryFacts struct {
	Repositories []api.RepositorySummary
	Next         *string
	Connections  []api.Connection
	Denied       bool // connections may not be seen
}

func (c *Console) repositories(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListRepositories(r.Context(), &api.ListRepositoriesInput{NextToken: token(r)})
	if err != nil {
		return err
	}
	f := repositoryFacts{Repositories: out.Repositories, Next: out.NextToken}
	connections, err := c.client.ListConnections(r.Context(), &api.ListConnectionsInput{})
	switch {
	case denied(err):
		f.Denied = true
	case err != nil:
		return err
	default:
		f.Connections = connections.Connections
	}
	return c.ok(w, r, "Repositories", repositoriesView(f))
}

func denied(err error) bool { return hasCode(err, "AccessDeniedException") }

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*awsjson.Error](err)
	return ok && e.Code == code
}

// linkRepository links a repository, or takes a link away.
func (c *Console) linkRepository(w http.ResponseWriter, r *http.Request) error {
	name, provider := r.PostFormValue("name"), api.RepositoryProvider(r.PostFormValue("provider"))
	var err error
	if r.PostFormValue("do") == "unlink" {
		_, err = c.client.DeleteRepository(r.Context(), &api.DeleteRepositoryInput{Name: &name, Provider: &provider})
	} else {
		connection := r.PostFormValue("connection")
		_, err = c.client.CreateRepository(r.Context(), &api.CreateRepositoryInput{Name: &name, Provider: &provider, ConnectionArn: &connection})
	}
	if err != nil {
		return err
	}
	return done(w, r, at("repositories"))
}

// syncFacts are where a template or a service is synced from, and how that goes.
type syncFacts struct {
	Repository, Provider, Branch, Path string
	Latest                             *api.ResourceSyncAttempt
	Blockers                           []api.SyncBlocker
}

// templateSync answers how a template is synced; nil if it is not.
func (c *Console) templateSync(r *http.Request, kind, name string) (*syncFacts, error) {
	templateType := api.TemplateTypeService
	if kind == ofEnvironments {
		templateType = api.TemplateTypeEnvironment
	}
	out, err := c.client.GetTemplateSyncConfig(r.Context(), &api.GetTemplateSyncConfigInput{TemplateName: &name, TemplateType: &templateType})
	if err != nil || out.TemplateSyncConfig == nil {
		return nil, unlessUnsynced(err)
	}
	config := out.TemplateSyncConfig
	f := &syncFacts{Repository: api.Value(config.RepositoryName), Provider: string(api.Value(config.RepositoryProvider)), Branch: api.Value(config.Branch), Path: api.Value(config.Subdirectory)}
	return f, nil
}

// unlessUnsynced is an error that means more than that there is no sync to see.
func unlessUnsynced(err error) error {
	if hasCode(err, "ResourceNotFoundException") || denied(err) {
		return nil
	}
	return err
}

// serviceSync answers how a service is synced; nil if it is not.
func (c *Console) serviceSync(r *http.Request, name string) (*syncFacts, error) {
	out, err := c.client.GetServiceSyncConfig(r.Context(), &api.GetServiceSyncConfigInput{ServiceName: &name})
	if err != nil || out.ServiceSyncConfig == nil {
		return nil, unlessUnsynced(err)
	}
	config := out.ServiceSyncConfig
	f := &syncFacts{Repository: api.Value(config.RepositoryName), Provider: string(api.Value(config.RepositoryProvider)), Branch: api.Value(config.Branch), Path: api.Value(config.FilePath)}
	blockers, err := c.client.GetServiceSyncBlockerSummary(r.Context(), &api.GetServiceSyncBlockerSummaryInput{ServiceName: &name})
	if err != nil {
		return f, unlessUnsynced(err)
	}
	if blockers.ServiceSyncBlockerSummary != nil {
		f.Blockers = blockers.ServiceSyncBlockerSummary.LatestBlockers
	}
	return f, nil
}

// resolveBlocker lets a service be synced again.
func (c *Console) resolveBlocker(w http.ResponseWriter, r *http.Request) error {
	id, reason := r.PathValue("blocker"), r.PostFormValue("reason")
	_, err := c.client.UpdateServiceSyncBlocker(r.Context(), &api.UpdateServiceSyncBlockerInput{Id: &id, ResolvedReason: &reason})
	if err != nil {
		return err
	}
	return done(w, r, destination(pathOf(r.Referer())))
}
