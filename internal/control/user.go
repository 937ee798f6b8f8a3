package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Users, roles and keys are judged by IAM's own actions and ARNs. They belong
// to an account, not to a Region.

func userARN(account, name string) string { return "arn:aws:iam::" + account + ":user/" + name }
func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// inAccount authorizes an action on a principal and answers the account it is
// in: the caller's, or for a root key the one that is named.
func (p *Plane) inAccount(ctx context.Context, action string, named *string, arn func(account string) string) (string, error) {
	caller, _ := auth.PrincipalFrom(ctx)
	account := cmp.Or(api.Value(named), caller.AccountID)
	resource := proton.ARN(arn(account))
	if account != caller.AccountID && (caller.Policy != nil || caller.AccountID == "") {
		return "", proton.Errorf(proton.Denied, "User: %s is not authorized to perform: %s on resource: %s", caller.ARN, action, resource)
	}
	return account, p.permit(ctx, action, resource)
}

func anyPrincipal(string) string { return "*" }

func ofUser(name *string) func(string) string {
	return func(account string) string { return userARN(account, *name) }
}

func ofRole(name *string) func(string) string {
	return func(account string) string { return roleARN(account, *name) }
}

// checkPolicies refuses policies that cannot be used, naming the place.
func checkPolicies(document *string, managed []string) error {
	if _, err := auth.ReadPolicies(api.Value(document), managed); err != nil {
		return proton.Errorf(proton.Invalid, "The policy can't be used: %v", err)
	}
	return nil
}

// CreateUser makes a user with an access key, whose permissions are an IAM
// policy document, built-in policies, or both. The secret is answered once and
// can't be read again. Only the root key may create users of other accounts.
// Invalid, Conflict, Denied.
func (p *Plane) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	account, err := p.inAccount(ctx, "iam:CreateUser", in.AccountId, ofUser(in.Name))
	if err != nil {
		return nil, err
	}
	if in.Policy == nil && len(in.ManagedPolicies) == 0 {
		return nil, proton.Errorf(proton.Invalid, "A user needs policy or managedPolicies: without any, nothing is allowed.")
	}
	if err := checkPolicies(in.Policy, in.ManagedPolicies); err != nil {
		return nil, err
	}
	arn := userARN(account, *in.Name)
	user := store.User{Account: account, Name: *in.Name, Policy: api.Value(in.Policy), Managed: in.ManagedPolicies, CreatedAt: p.now(), Revision: 1}
	key, secret := p.newAccessKey(account, *in.Name)
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.InsertUser(ctx, user); err != nil {
			return err
		}
		return tx.InsertAccessKey(ctx, key)
	})
	if proton.KindOf(err) == proton.Conflict {
		err = proton.Errorf(proton.Conflict, "User %s already exists.", arn)
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{AccessKeyId: &key.ID, SecretAccessKey: api.Ptr(string(secret)), Arn: &arn}, nil
}

// ListUsers lists an account's users by name.
func (p *Plane) ListUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	account, err := p.inAccount(ctx, "iam:ListUsers", in.AccountId, anyPrincipal)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		rows, next, err := listByName(p, proton.Scope{Account: account}, "ListUsers", nil, in.NextToken, in.MaxResults,
			func(after string, limit int) ([]store.User, error) { return tx.Users(ctx, account, after, limit) },
			func(u store.User) string { return u.Name })
		out.Users, out.NextToken = toList(rows, toUser), next
		return err
	})
	return out, err
}

// UpdateUser replaces what is given of a user's policies; it holds from the
// next call on. Invalid, NotFound.
func (p *Plane) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
	account, err := p.inAccount(ctx, "iam:PutUserPolicy", in.AccountId, ofUser(in.Name))
	if err != nil {
		return nil, err
	}
	if err := checkPolicies(in.Policy, in.ManagedPolicies); err != nil {
		return nil, err
	}
	out := &api.UpdateUserOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		u, err := tx.User(ctx, account, *in.Name)
		if err != nil {
			return err
		}
		if in.Policy != nil {
			u.Policy = *in.Policy
		}
		if in.ManagedPolicies != nil {
			u.Managed = in.ManagedPolicies
		}
		out.User = api.Ptr(toUser(u))
		return tx.SaveUser(ctx, u)
	})
	return out, err
}

// DeleteUser removes a user with all access keys; their next call is refused.
// NotFound.
func (p *Plane) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	account, err := p.inAccount(ctx, "iam:DeleteUser", in.AccountId, ofUser(in.Name))
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		u, err := tx.User(ctx, account, *in.Name)
		if err != nil {
			return err
		}
		return tx.DeleteUser(ctx, u)
	})
	return &api.DeleteUserOutput{}, err
}

// maxKeys is how many access keys a user may have: one in use, and the one
// that takes its place.
const maxKeys = 2

// CreateAccessKey makes another access key of a user. NotFound, QuotaExceeded.
func (p *Plane) CreateAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (*api.CreateAccessKeyOutput, error) {
	account, err := p.inAccount(ctx, "iam:CreateAccessKey", in.AccountId, ofUser(in.UserName))
	if err != nil {
		return nil, err
	}
	key, secret := p.newAccessKey(account, *in.UserName)
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		keys, err := p.livingKeys(ctx, tx, account, *in.UserName)
		if err != nil {
			return err
		}
		if len(keys) >= maxKeys {
			return tooManyKeys(*in.UserName)
		}
		return tx.InsertAccessKey(ctx, key)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKeyId: &key.ID, SecretAccessKey: api.Ptr(string(secret)), UserName: in.UserName}, nil
}

func tooManyKeys(user string) error {
	return proton.Errorf(proton.QuotaExceeded, "User %s has %d access keys already. Delete one first.", user, maxKeys)
}

// livingKeys are a user's keys; those that have run out are removed. NotFound.
func (p *Plane) livingKeys(ctx context.Context, tx *store.Tx, account, user string) ([]store.AccessKey, error) {
	if _, err := tx.User(ctx, account, user); err != nil {
		return nil, err
	}
	all, err := tx.AccessKeys(ctx, account, user)
	if err != nil {
		return nil, err
	}
	var living []store.AccessKey
	for _, k := range all {
		if k.ExpiresAt.IsZero() || p.now().Before(k.ExpiresAt) {
			living = append(living, k)
		} else if err := tx.DeleteAccessKey(ctx, k); err != nil {
			return nil, err
		}
	}
	return living, nil
}

// ListAccessKeys lists a user's access keys, oldest first, without their
// secrets. NotFound.
func (p *Plane) ListAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (*api.ListAccessKeysOutput, error) {
	account, err := p.inAccount(ctx, "iam:ListAccessKeys", in.AccountId, ofUser(in.UserName))
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.User(ctx, account, *in.UserName); err != nil {
			return err
		}
		keys, err := tx.AccessKeys(ctx, account, *in.UserName)
		out.AccessKeys = toList(keys, p.toAccessKey)
		return err
	})
	return out, err
}

// UpdateAccessKey switches an access key off or on again. NotFound.
func (p *Plane) UpdateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (*api.UpdateAccessKeyOutput, error) {
	account, err := p.inAccount(ctx, "iam:UpdateAccessKey", in.AccountId, ofUser(in.UserName))
	if err != nil {
		return nil, err
	}
	out := &api.UpdateAccessKeyOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		k, err := userKey(ctx, tx, account, *in.UserName, *in.AccessKeyId)
		if err != nil {
			return err
		}
		k.Inactive = *in.Status == api.AccessKeyStatusInactive
		out.AccessKey = api.Ptr(p.toAccessKey(k))
		return tx.SaveAccessKey(ctx, k)
	})
	return out, err
}

// DeleteAccessKey removes an access key. NotFound.
func (p *Plane) DeleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (*api.DeleteAccessKeyOutput, error) {
	account, err := p.inAccount(ctx, "iam:DeleteAccessKey", in.AccountId, ofUser(in.UserName))
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		k, err := userKey(ctx, tx, account, *in.UserName, *in.AccessKeyId)
		if err != nil {
			return err
		}
		return tx.DeleteAccessKey(ctx, k)
	})
	return &api.DeleteAccessKeyOutput{}, err
}

// RotateAccessKey makes a new access key in place of another, which goes on
// working for as long as is asked for. The other need not be named if there is
// only one. NotFound, Conflict.
func (p *Plane) RotateAccessKey(ctx context.Context, in *api.RotateAccessKeyInput) (*api.RotateAccessKeyOutput, error) {
	account, err := p.inAccount(ctx, "iam:CreateAccessKey", in.AccountId, ofUser(in.UserName))
	if err != nil {
		return nil, err
	}
	if err := p.allow(ctx, nil, "iam:DeleteAccessKey", proton.ARN(userARN(account, *in.UserName))); err != nil {
		return nil, err
	}
	key, secret := p.newAccessKey(account, *in.UserName)
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		keys, err := p.livingKeys(ctx, tx, account, *in.UserName)
		if err != nil {
			return err
		}
		old, err := keyToReplace(keys, in)
		if err != nil {
			return err
		}
		if grace := time.Duration(api.Value(in.GraceSeconds)) * time.Second; grace > 0 {
			if len(keys) >= maxKeys {
				return tooManyKeys(*in.UserName)
			}
			old.ExpiresAt = p.now().Add(grace)
			err = tx.SaveAccessKey(ctx, old)
		} else {
			err = tx.DeleteAccessKey(ctx, old)
		}
		if err != nil {
			return err
		}
		return tx.InsertAccessKey(ctx, key)
	})
	if err != nil {
		return nil, err
	}
	return &api.RotateAccessKeyOutput{AccessKeyId: &key.ID, SecretAccessKey: api.Ptr(string(secret)), UserName: in.UserName}, nil
}

func keyToReplace(keys []store.AccessKey, in *api.RotateAccessKeyInput) (store.AccessKey, error) {
	for _, k := range keys {
		if in.AccessKeyId != nil && k.ID == *in.AccessKeyId || in.AccessKeyId == nil && len(keys) == 1 {
			return k, nil
		}
	}
	if in.AccessKeyId == nil && len(keys) > 1 {
		return store.AccessKey{}, proton.Errorf(proton.Conflict, "User %s has %d access keys: name the one to replace.", *in.UserName, len(keys))
	}
	return store.AccessKey{}, noAccessKey(api.Value(in.AccessKeyId))
}

func userKey(ctx context.Context, tx *store.Tx, account, user, id string) (store.AccessKey, error) {
	k, ok, err := tx.AccessKey(ctx, id)
	if err == nil && (!ok || k.Account != account || k.UserName != user) {
		err = noAccessKey(id)
	}
	return k, err
}

func noAccessKey(id string) error {
	return proton.Errorf(proton.NotFound, "The Access Key with id %s cannot be found.", id)
}

// newAccessKey makes a key that nobody else knows.
func (p *Plane) newAccessKey(account, user string) (store.AccessKey, auth.Secret) {
	id := "AKIA" + base32.StdEncoding.EncodeToString(random(10))
	secret := auth.Secret(base64.RawStdEncoding.EncodeToString(random(30)))
	return store.AccessKey{ID: id, Account: account, UserName: user, Secret: p.Sealer.Seal(secret, id), CreatedAt: p.now(), Revision: 1}, secret
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func toUser(u store.User) api.User {
	return api.User{
		Name: &u.Name, Arn: api.Ptr(userARN(u.Account, u.Name)), Policy: text(u.Policy),
		ManagedPolicies: u.Managed, CreatedAt: timestamp(u.CreatedAt),
	}
}

func (p *Plane) toAccessKey(k store.AccessKey) api.AccessKey {
	status := api.AccessKeyStatusActive
	if k.Inactive || !k.ExpiresAt.IsZero() && !p.now().Before(k.ExpiresAt) {
		status = api.AccessKeyStatusInactive
	}
	return api.AccessKey{AccessKeyId: &k.ID, Status: &status, CreatedAt: timestamp(k.CreatedAt), ExpiresAt: timestamp(k.ExpiresAt)}
}
