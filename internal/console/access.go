package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// The pages of users, roles and access keys. They never show a secret: what
// makes one is a command, which prints it where it is needed.

// accessFacts are the principals of the account.
type accessFacts struct {
	Users     []api.User
	Roles     []api.Role
	Next      *string // page of users
	NoRoles   bool    // roles may not be listed
	MoreRoles bool
}

func (c *Console) access(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListUsers(r.Context(), &api.ListUsersInput{MaxResults: api.Ptr[int64](100), NextToken: token(r)})
	if err != nil {
		return err
	}
	f := accessFacts{Users: out.Users, Next: out.NextToken}
	roles, err := c.client.ListRoles(r.Context(), &api.ListRolesInput{MaxResults: api.Ptr[int64](100)})
	if f.NoRoles = denied(err); f.NoRoles {
		return c.ok(w, r, "Access", accessView(f))
	}
	if err != nil {
		return err
	}
	f.Roles, f.MoreRoles = roles.Roles, roles.NextToken != nil
	return c.ok(w, r, "Access", accessView(f))
}

// userFacts is what a user's page shows.
type userFacts struct {
	User             api.User
	Keys             []api.AccessKey
	Policy, Managed  string // as they stand in the form
	Refusal          *refusal
	Action, Resource string // asked about
	Answer           *api.ExplainAccessOutput
	Unanswered       *refusal
}

func (c *Console) user(w http.ResponseWriter, r *http.Request) error {
	f, err := c.userOf(r)
	if err != nil {
		return err
	}
	if f.Action != "" {
		in := &api.ExplainAccessInput{PrincipalArn: f.User.Arn, Action: &f.Action, Resource: optional(f.Resource)}
		if f.Answer, err = c.client.ExplainAccess(r.Context(), in); err != nil {
			if f.Unanswered, err = refused(err); err != nil {
				return err
			}
		}
	}
	return c.ok(w, r, *f.User.Name, userView(f))
}

func (c *Console) userOf(r *http.Request) (f userFacts, err error) {
	name := r.PathValue("user")
	if f.User, err = c.findUser(r, name); err != nil {
		return f, err
	}
	keys, err := c.client.ListAccessKeys(r.Context(), &api.ListAccessKeysInput{UserName: &name})
	if err != nil {
		return f, err
	}
	f.Keys, f.Policy, f.Managed = keys.AccessKeys, api.Value(f.User.Policy), strings.Join(f.User.ManagedPolicies, ", ")
	f.Action, f.Resource = strings.TrimSpace(r.URL.Query().Get("action")), strings.TrimSpace(r.URL.Query().Get("resource"))
	return f, nil
}

// findUser looks a user up in the list: there is no operation for one.
func (c *Console) findUser(r *http.Request, name string) (api.User, error) {
	for in := (&api.ListUsersInput{MaxResults: api.Ptr[int64](100)}); ; {
		out, err := c.client.ListUsers(r.Context(), in)
		if err != nil {
			return api.User{}, err
		}
		if n := slices.IndexFunc(out.Users, func(u api.User) bool { return api.Value(u.Name) == name }); n >= 0 {
			return out.Users[n], nil
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return api.User{}, &awsjson.Error{Code: "ResourceNotFoundException", Message: "There is no user " + name + "."}
		}
	}
}

// changeUser carries out what a form of a user's page asks for.
func (c *Console) changeUser(w http.ResponseWriter, r *http.Request) (err error) {
	ctx, name, key := r.Context(), r.PathValue("user"), r.PostFormValue("key")
	switch r.PostFormValue("do") {
	case "policy":
		return c.changePolicy(w, r)
	case "activate":
		_, err = c.client.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &key, Status: api.Ptr(api.AccessKeyStatusActive)})
	case "deactivate":
		_, err = c.client.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &key, Status: api.Ptr(api.AccessKeyStatusInactive)})
	case "delete-key":
		_, err = c.client.DeleteAccessKey(ctx, &api.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &key})
	case "delete":
		if r.PostFormValue("confirm") != name {
			return invalid("To delete the user, type its name, " + name + ", into the field beside the button.")
		}
		if _, err = c.client.DeleteUser(ctx, &api.DeleteUserInput{Name: &name}); err == nil {
			return done(w, r, at("access"))
		}
	default:
		err = invalid("Change the policies, an access key, or delete the user.")
	}
	if err != nil {
		return err
	}
	return done(w, r, at("access", "users", name))
}

// changePolicy replaces a user's policies; a refused one stays in the form.
func (c *Console) changePolicy(w http.ResponseWriter, r *http.Request) error {
	f, err := c.userOf(r)
	if err != nil {
		return err
	}
	f.Policy, f.Managed = newlines(r.PostFormValue("policy")), r.PostFormValue("managed")
	in := &api.UpdateUserInput{Name: f.User.Name, Policy: optional(strings.TrimSpace(f.Policy)), ManagedPolicies: []string{}}
	for name := range strings.FieldsFuncSeq(f.Managed, func(c rune) bool { return c == ',' || c == ' ' }) {
		in.ManagedPolicies = append(in.ManagedPolicies, name)
	}
	if _, err = c.client.UpdateUser(r.Context(), in); err == nil {
		return done(w, r, at("access", "users", *f.User.Name))
	}
	if f.Refusal, err = refused(err); err != nil {
		return err
	}
	return c.ok(w, r, *f.User.Name, userView(f))
}

// builtInPolicies are the names of the policies that need no document.
func builtInPolicies() string { return strings.Join(auth.ManagedPolicies(), ", ") }
