package conformance

import (
	"testing"

	"github.com/hadronhq/hadron/internal/forge/forgetest"
)

// TestSelfManagedPullRequests runs the AWS CLI and a real Gitea ("make test-git").
func TestSelfManagedPullRequests(t *testing.T) {
	t.Parallel()
	g := forgetest.Start(t)
	bin := clients(t)
	env := serve(t, bin, "HADRON_GIT_POLL_INTERVAL=1")
	run(t, append(env, "GITEA_URL="+g.URL, "GITEA_TOKEN="+g.Token, "REPOSITORY="+g.Repository(t, "infra")), "bash", "gitea/self-managed.sh")
}
