package control

import (
	"cmp"
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// defaultSession is the longest a role's sessions last unless it says otherwise.
const defaultSession = 3600

func checkTrust(document string) error {
	policy, err := auth.ParseTrustPolicy([]byte(document))
	if err == nil {
		err = policy.CheckSharedProviders()
	}
	if err != nil {
		return proton.Errorf(proton.Invalid, "The trust policy can't be used: %v", err)
	}
	return nil
}

// CreateRole makes a role: what it may do, and who may become it. Invalid, Conflict.
func (p *Plane) CreateRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	account, err := p.inAccount(ctx, "iam:CreateRole", in.AccountId, ofRole(in.Name))
	if err != nil {
		return nil, err
	}
	if err := checkTrust(*in.TrustPolicy); err != nil {
		return nil, err
	}
	if err := checkPolicies(in.Policy, in.ManagedPolicies); err != nil {
		return nil, err
	}
	r := store.Role{
		Account: account, Name: *in.Name, TrustPolicy: *in.TrustPolicy, Policy: api.Value(in.Policy), Managed: in.ManagedPolicies,
		MaxSeconds: cmp.Or(api.Value(in.MaxSessionSeconds), defaultSession), CreatedAt: p.now(), Revision: 1,
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error { return tx.InsertRole(ctx, r) })
	if proton.KindOf(err) == proton.Conflict {
		err = proton.Errorf(proton.Conflict, "Role %s already exists.", roleARN(account, *in.Name))
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: api.Ptr(toRole(r))}, nil
}

// ListRoles lists an account's roles by name.
func (p *Plane) ListRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	account, err := p.inAccount(ctx, "iam:ListRoles", in.AccountId, anyPrincipal)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		rows, next, err := listByName(p, proton.Scope{Account: account}, "ListRoles", nil, in.NextToken, in.MaxResults,
			func(after string, limit int) ([]store.Role, error) { return tx.Roles(ctx, account, after, limit) },
			func(r store.Role) string { return r.Name })
		out.Roles, out.NextToken = toList(rows, toRole), next
		return err
	})
	return out, err
}

// UpdateRole replaces what is given of a role; it holds for its sessions from
// their next call on. Invalid, NotFound.
func (p *Plane) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	action := "iam:PutRolePolicy"
	if in.TrustPolicy != nil {
		action = "iam:UpdateAssumeRolePolicy"
	}
	account, err := p.inAccount(ctx, action, in.AccountId, ofRole(in.Name))
	if err != nil {
		return nil, err
	}
	if in.TrustPolicy != nil {
		if err := checkTrust(*in.TrustPolicy); err != nil {
			return nil, err
		}
	}
	if in.TrustPolicy != nil && (in.Policy != nil || in.ManagedPolicies != nil) {
		if err := p.allow(ctx, nil, "iam:PutRolePolicy", proton.ARN(roleARN(account, *in.Name))); err != nil {
			return nil, err
		}
	}
	if err := checkPolicies(in.Policy, in.ManagedPolicies); err != nil {
		return nil, err
	}
	out := &api.UpdateRoleOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Role(ctx, account, *in.Name)
		if err != nil {
			return err
		}
		r.TrustPolicy = cmp.Or(api.Value(in.TrustPolicy), r.TrustPolicy)
		r.MaxSeconds = cmp.Or(api.Value(in.MaxSessionSeconds), r.MaxSeconds)
		if in.Policy != nil {
			r.Policy = *in.Policy
		}
		if in.ManagedPolicies != nil {
			r.Managed = in.ManagedPolicies
		}
		out.Role = api.Ptr(toRole(r))
		return tx.SaveRole(ctx, r)
	})
	return out, err
}

// DeleteRole removes a role; its sessions are refused from then on. NotFound.
func (p *Plane) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	account, err := p.inAccount(ctx, "iam:DeleteRole", in.AccountId, ofRole(in.Name))
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Role(ctx, account, *in.Name)
		if err != nil {
			return err
		}
		return tx.DeleteRole(ctx, r)
	})
	return &api.DeleteRoleOutput{}, err
}

func toRole(r store.Role) api.Role {
	return api.Role{
		Name: &r.Name, Arn: api.Ptr(roleARN(r.Account, r.Name)), TrustPolicy: &r.TrustPolicy, Policy: text(r.Policy),
		ManagedPolicies: r.Managed, MaxSessionSeconds: &r.MaxSeconds, CreatedAt: timestamp(r.CreatedAt),
	}
}

// ExplainAccess says whether a user or role may carry out an action, and which
// statement decides. Conditions are answered by what the call gives and, about
// a resource of Proton, by what the server knows. NotFound, Invalid.
func (p *Plane) ExplainAccess(ctx context.Context, in *api.ExplainAccessInput) (*api.ExplainAccessOutput, error) {
	account, err := p.inAccount(ctx, "iam:SimulatePrincipalPolicy", nil, func(string) string { return *in.PrincipalArn })
	if err != nil {
		return nil, err
	}
	who, err := p.principalNamed(ctx, account, *in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	resource := cmp.Or(api.Value(in.Resource), "*")
	known := &facts{plane: p, ctx: ctx, resource: proton.ARN(resource)}
	given := map[string][]string{
		"aws:principalarn": {who.ARN}, "aws:principalaccount": {account}, "aws:requestedregion": {scopeOf(ctx).Region},
	}
	if name := who.UserName(); name != "" {
		given["aws:username"] = []string{name}
	}
	for _, entry := range in.Context {
		given[strings.ToLower(*entry.Key)] = entry.Values
	}
	d := who.Policy.Decide(auth.Request{Action: *in.Action, Resource: resource, Facts: func(key string) []string {
		if values, ok := given[key]; ok {
			return values
		}
		return known.answer(key)
	}})
	if known.err != nil {
		return nil, known.err
	}
	out := &api.ExplainAccessOutput{Decision: api.Ptr(api.AccessDecisionImplicitDeny)}
	switch {
	case d.Allowed:
		out.Decision = api.Ptr(api.AccessDecisionAllowed)
	case d.Denied:
		out.Decision = api.Ptr(api.AccessDecisionExplicitDeny)
	}
	if s := d.Statement; s != nil {
		out.Policy, out.Statement, out.Sid, out.Line = text(s.Policy), api.Ptr(int64(s.Number)), text(s.Sid), api.Ptr(int64(s.Line))
	}
	return out, nil
}

// principalNamed is a user or role of an account with all its policies.
func (p *Plane) principalNamed(ctx context.Context, account, arn string) (auth.Principal, error) {
	who := auth.Principal{ARN: arn, AccountID: account, Region: scopeOf(ctx).Region}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		var document string
		var managed []string
		switch prefix := "arn:aws:iam::" + account; {
		case strings.HasPrefix(arn, prefix+":user/"):
			u, err := tx.User(ctx, account, strings.TrimPrefix(arn, prefix+":user/"))
			if err != nil {
				return err
			}
			document, managed = u.Policy, u.Managed
		case strings.HasPrefix(arn, prefix+":role/"):
			r, err := tx.Role(ctx, account, strings.TrimPrefix(arn, prefix+":role/"))
			if err != nil {
				return err
			}
			document, managed = r.Policy, r.Managed
		default:
			return proton.Errorf(proton.Invalid, "%s is not the ARN of a user or role of account %s.", arn, account)
		}
		policy, err := auth.ReadPolicies(document, managed)
		who.Policy = policy
		return err
	})
	return who, err
}
