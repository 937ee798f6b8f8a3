package console

import (
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
)

func (c *Console) settings(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.GetAccountSettings(r.Context(), &api.GetAccountSettingsInput{})
	if err != nil {
		return err
	}
	return c.ok(w, r, "Settings", settingsView(out.AccountSettings))
}

func (c *Console) saveSettings(w http.ResponseWriter, r *http.Request) error {
	role, build := r.PostFormValue("pipeline-service-role-arn"), r.PostFormValue("pipeline-codebuild-role-arn")
	if _, err := c.client.UpdateAccountSettings(r.Context(), &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: &role, PipelineCodebuildRoleArn: &build}); err != nil {
		return err
	}
	return done(w, r, at("settings"))
}

// connectionFacts are the account connections that this account has asked for
// and been asked for.
type connectionFacts struct {
	Asked    []api.EnvironmentAccountConnectionSummary // as environment account
	Received []api.EnvironmentAccountConnectionSummary // as management account
}

func (c *Console) accountConnections(w http.ResponseWriter, r *http.Request) error {
	var f connectionFacts
	for requester, list := range map[api.EnvironmentAccountConnectionRequesterAccountType]*[]api.EnvironmentAccountConnectionSummary{
		api.EnvironmentAccountConnectionRequesterAccountTypeEnvironmentAccount: &f.Asked,
		api.EnvironmentAccountConnectionRequesterAccountTypeManagementAccount:  &f.Received,
	} {
		out, err := c.client.ListEnvironmentAccountConnections(r.Context(), &api.ListEnvironmentAccountConnectionsInput{RequestedBy: &requester})
		if err != nil {
			return err
		}
		*list = out.EnvironmentAccountConnections
	}
	return c.ok(w, r, "Account connections", connectionsView(f))
}

func (c *Console) decideConnection(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var err error
	switch r.PostFormValue("do") {
	case "accept":
		_, err = c.client.AcceptEnvironmentAccountConnection(r.Context(), &api.AcceptEnvironmentAccountConnectionInput{Id: &id})
	case "reject":
		_, err = c.client.RejectEnvironmentAccountConnection(r.Context(), &api.RejectEnvironmentAccountConnectionInput{Id: &id})
	case "delete":
		_, err = c.client.DeleteEnvironmentAccountConnection(r.Context(), &api.DeleteEnvironmentAccountConnectionInput{Id: &id})
	default:
		err = invalid("Accept, reject or delete the connection.")
	}
	if err != nil {
		return err
	}
	return done(w, r, at("account-connections"))
}
