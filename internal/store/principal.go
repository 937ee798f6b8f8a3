package store

import (
	"context"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// User is somebody with access keys in an account.
type User struct {
	Account   string
	Name      string
	Policy    string   // a document; may be empty
	Managed   []string // names of built-in policies
	CreatedAt time.Time
	Revision  int64
}

// Role is what users, sessions and other services' identities can become for a while.
type Role struct {
	Account     string
	Name        string
	TrustPolicy string // who may
	Policy      string
	Managed     []string
	MaxSeconds  int64 // of a session
	CreatedAt   time.Time
	Revision    int64
}

// AccessKey is a user's access key. Secret is sealed: the database alone does
// not tell it.
type AccessKey struct {
	ID        string
	Account   string
	UserName  string
	Secret    string
	Inactive  bool
	CreatedAt time.Time
	ExpiresAt time.Time // the zero time: never
	Revision  int64
}

var users = newTable("users", 2, func(u *User) []column {
	return []column{
		{"account", &u.Account}, {"name", &u.Name}, {"policy", &u.Policy}, {"managed_json", document{&u.Managed}},
		{"created_at", (*instant)(&u.CreatedAt)}, {"revision", &u.Revision},
	}
}, func(u *User) *int64 { return &u.Revision })

var roles = newTable("roles", 2, func(r *Role) []column {
	return []column{
		{"account", &r.Account}, {"name", &r.Name}, {"trust_policy", &r.TrustPolicy}, {"policy", &r.Policy},
		{"managed_json", document{&r.Managed}}, {"max_seconds", &r.MaxSeconds},
		{"created_at", (*instant)(&r.CreatedAt)}, {"revision", &r.Revision},
	}
}, func(r *Role) *int64 { return &r.Revision })

var accessKeys = newTable("user_keys", 1, func(k *AccessKey) []column {
	return []column{
		{"id", &k.ID}, {"account", &k.Account}, {"user_name", &k.UserName}, {"secret", &k.Secret}, {"inactive", (*flag)(&k.Inactive)},
		{"created_at", (*instant)(&k.CreatedAt)}, {"expires_at", (*instant)(&k.ExpiresAt)}, {"revision", &k.Revision},
	}
}, func(k *AccessKey) *int64 { return &k.Revision })

// User reads a user. NotFound without it.
func (tx *Tx) User(ctx context.Context, account, name string) (User, error) {
	u, ok, err := users.get(ctx, tx, account, name)
	if err == nil && !ok {
		err = proton.Errorf(proton.NotFound, "The user with name %s cannot be found.", name)
	}
	return u, err
}

// Users lists an account's users by name, from the one behind after.
func (tx *Tx) Users(ctx context.Context, account, after string, limit int) ([]User, error) {
	return users.list(ctx, tx, "WHERE account = ? AND name > ? ORDER BY name LIMIT ?", account, after, limit)
}

// InsertUser adds a user. Conflict if the name is taken.
func (tx *Tx) InsertUser(ctx context.Context, u User) error { return users.add(ctx, tx, u) }

// SaveUser writes a user back. Conflict if it changed meanwhile.
func (tx *Tx) SaveUser(ctx context.Context, u User) error { return users.save(ctx, tx, u) }

// DeleteUser removes a user with all access keys.
func (tx *Tx) DeleteUser(ctx context.Context, u User) error {
	if _, err := tx.exec(ctx, "DELETE FROM user_keys WHERE account = ? AND user_name = ?", u.Account, u.Name); err != nil {
		return err
	}
	return users.delete(ctx, tx, u.Account, u.Name)
}

// Role reads a role. NotFound without it.
func (tx *Tx) Role(ctx context.Context, account, name string) (Role, error) {
	r, ok, err := roles.get(ctx, tx, account, name)
	if err == nil && !ok {
		err = proton.Errorf(proton.NotFound, "The role with name %s cannot be found.", name)
	}
	return r, err
}

// Roles lists an account's roles by name, from the one behind after.
func (tx *Tx) Roles(ctx context.Context, account, after string, limit int) ([]Role, error) {
	return roles.list(ctx, tx, "WHERE account = ? AND name > ? ORDER BY name LIMIT ?", account, after, limit)
}

// InsertRole adds a role. Conflict if the name is taken.
func (tx *Tx) InsertRole(ctx context.Context, r Role) error { return roles.add(ctx, tx, r) }

// SaveRole writes a role back. Conflict if it changed meanwhile.
func (tx *Tx) SaveRole(ctx context.Context, r Role) error { return roles.save(ctx, tx, r) }

// DeleteRole removes a role; its sessions end with it.
func (tx *Tx) DeleteRole(ctx context.Context, r Role) error {
	return roles.delete(ctx, tx, r.Account, r.Name)
}

// AccessKey reads an access key; ok is false without it.
func (tx *Tx) AccessKey(ctx context.Context, id string) (AccessKey, bool, error) {
	return accessKeys.get(ctx, tx, id)
}

// AccessKeys lists a user's access keys, oldest first.
func (tx *Tx) AccessKeys(ctx context.Context, account, user string) ([]AccessKey, error) {
	return accessKeys.list(ctx, tx, "WHERE account = ? AND user_name = ? ORDER BY created_at, id", account, user)
}

// InsertAccessKey adds a user's access key.
func (tx *Tx) InsertAccessKey(ctx context.Context, k AccessKey) error {
	return accessKeys.add(ctx, tx, k)
}

// SaveAccessKey writes an access key back. Conflict if it changed meanwhile.
func (tx *Tx) SaveAccessKey(ctx context.Context, k AccessKey) error {
	return accessKeys.save(ctx, tx, k)
}

// DeleteAccessKey removes an access key.
func (tx *Tx) DeleteAccessKey(ctx context.Context, k AccessKey) error {
	return accessKeys.delete(ctx, tx, k.ID)
}
