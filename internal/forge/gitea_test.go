package forge_test

import (
	"testing"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
)

func TestPullRequestsOnARealGitea(t *testing.T) {
	t.Parallel()
	g := forgetest.Start(t)
	repository := g.Repository(t, "app")
	g.Call(t, "POST", "repos/"+repository+"/branches", map[string]string{"new_branch_name": "work", "old_ref_name": "main"}, nil)
	g.Push(t, repository, "work", "file", []byte("content"))
	pulls, err := forge.New().PullRequests(t.Context(), forge.Server{Kind: forge.Gitea, URL: g.URL, Token: auth.Secret(g.Token)})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := pulls.Find(t.Context(), repository, "work"); err != nil || found != nil {
		t.Fatalf("before it is opened: %+v %v", found, err)
	}
	wanted := forge.NewPullRequest{Title: "Title", Body: "Body", Branch: "work", Base: "main"}
	made, err := pulls.Open(t.Context(), repository, wanted)
	if err != nil || made.State != forge.Open || made.URL == "" {
		t.Fatalf("opened: %+v %v", made, err)
	}
	again, err := pulls.Open(t.Context(), repository, wanted)
	if err != nil || again.Number != made.Number {
		t.Errorf("opened twice: %+v %v", again, err)
	}
	if err := pulls.Close(t.Context(), repository, made.Number); err != nil {
		t.Fatal(err)
	}
	if got, err := pulls.Get(t.Context(), repository, made.Number); err != nil || got.State != forge.Closed {
		t.Errorf("closed: %+v %v", got, err)
	}
	second, err := pulls.Open(t.Context(), repository, wanted)
	if err != nil || second.Number == made.Number {
		t.Fatalf("opened anew: %+v %v", second, err)
	}
	g.Merge(t, repository, second.Number)
	if got, err := pulls.Find(t.Context(), repository, "work"); err != nil || got.State != forge.Merged || got.Number != second.Number {
		t.Errorf("merged: %+v %v", got, err)
	}
	wrong, _ := forge.New().PullRequests(t.Context(), forge.Server{Kind: forge.Gitea, URL: g.URL, Token: "wrong"})
	if _, err := wrong.Get(t.Context(), repository, 1); err == nil {
		t.Error("a wrong token is good enough")
	}
}
