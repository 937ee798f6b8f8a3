package app

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// rootKey is the access key that may do everything in its account.
type rootKey struct {
	id     string
	secret auth.Secret
	fresh  bool // made by this start
}

// CredentialsFile is where the root key of a data folder is kept, in the
// format of the AWS shared credentials file.
func CredentialsFile(data string) string { return filepath.Join(data, "credentials") }

// loadRootKey answers the configured root key, or the one in the data folder,
// or a new one that it writes there. Nodes that share a database share the key:
// the first of them keeps it there, sealed.
func loadRootKey(ctx context.Context, c Config, db *store.Store, sealer *auth.Sealer) (rootKey, error) {
	if c.RootAccessKeyID != "" {
		return rootKey{id: c.RootAccessKeyID, secret: auth.Secret(c.RootSecretAccessKey)}, nil
	}
	file := CredentialsFile(c.Data)
	k := rootKey{id: "AKIA" + randomBase32(10), secret: auth.Secret(randomBase64(30)), fresh: true}
	id, secret, err := ReadCredentials(file)
	switch {
	case err == nil:
		k = rootKey{id: id, secret: auth.Secret(secret)}
	case !errors.Is(err, fs.ErrNotExist):
		return rootKey{}, err
	}
	if db.Shared() {
		shared, err := sharedRootKey(ctx, k, db, sealer)
		if err != nil || shared.id == id {
			return shared, err
		}
		k = shared
	} else if !k.fresh {
		return k, nil
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k.id, string(k.secret))
	return k, writeFileAtomic(file, []byte(text), 0o600)
}

const rootKeyName = "root-access-key"

// sharedRootKey answers the root key in the database, or k after keeping it there.
func sharedRootKey(ctx context.Context, k rootKey, db *store.Store, sealer *auth.Sealer) (rootKey, error) {
	const name = rootKeyName
	kept, err := db.Remember(ctx, name, k.id+" "+sealer.Seal(k.secret, name+" "+k.id))
	if err != nil {
		return k, err
	}
	id, sealed, _ := strings.Cut(kept, " ")
	secret, err := sealer.Open(sealed, name+" "+id)
	return rootKey{id: id, secret: secret, fresh: k.fresh && id == k.id}, err
}

// ReadCredentials reads the default profile of a shared credentials file.
func ReadCredentials(file string) (id, secret string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	profile := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[] ")
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		switch {
		case profile != "default":
		case strings.TrimSpace(name) == "aws_access_key_id":
			id = strings.TrimSpace(value)
		case strings.TrimSpace(name) == "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	if id == "" || secret == "" {
		return "", "", fmt.Errorf("%s: the profile default needs aws_access_key_id and aws_secret_access_key", file)
	}
	return id, secret, nil
}

// writeFileAtomic writes a file so that a crash leaves it whole or not there.
func writeFileAtomic(file string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func randomBase32(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

func randomBase64(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawStdEncoding.EncodeToString(b)
}

// keys finds access keys: the root key, users' keys, and the key that each
// running deployment's own calls are signed with.
type keys struct {
	sealer  *auth.Sealer
	root    rootKey
	account string
	store   *store.Store
	runs    []byte // derives the secrets of running deployments' keys

	policies policyCache
}

// Key finds an access key.
func (k *keys) Key(ctx context.Context, id, token string) (auth.Key, bool, error) {
	if strings.HasPrefix(id, auth.SessionKeyPrefix) || token != "" {
		return k.sessionKey(ctx, id, token)
	}
	if id == k.root.id {
		return auth.Key{Secret: k.root.secret, AccountID: k.account, ARN: "arn:aws:iam::" + k.account + ":root"}, true, nil
	}
	if deployment, ok := runOfKey(id); ok {
		return k.runKey(ctx, deployment)
	}
	return k.userKey(ctx, id)
}

// ours reports whether an access key is the root's or a deployment's: not one
// of AWS's, whatever variable names it.
func (k *keys) ours(id string) bool {
	_, run := runOfKey(id)
	return run || id == k.root.id
}

func (k *keys) userKey(ctx context.Context, id string) (auth.Key, bool, error) {
	var key store.AccessKey
	var user store.User
	found := false
	err := k.store.View(ctx, func(tx *store.Tx) (err error) {
		if key, found, err = tx.AccessKey(ctx, id); err != nil || !found {
			return err
		}
		user, err = tx.User(ctx, key.Account, key.UserName)
		return err
	})
	if err != nil || !found || key.Inactive || !key.ExpiresAt.IsZero() && !time.Now().Before(key.ExpiresAt) {
		return auth.Key{}, false, err
	}
	secret, err := k.sealer.Open(key.Secret, key.ID)
	if err != nil {
		return auth.Key{}, false, err
	}
	policy, err := k.policies.read(user.Policy, user.Managed)
	return auth.Key{
		Secret: secret, AccountID: user.Account, ARN: "arn:aws:iam::" + user.Account + ":user/" + user.Name, Policy: policy,
	}, err == nil, err
}

// sessionKey opens a session token. What the session may do is read from its
// role each time, so that a change of the role holds at once.
func (k *keys) sessionKey(ctx context.Context, id, token string) (auth.Key, bool, error) {
	grant, ok := k.sealer.OpenGrant(token, id)
	if !ok {
		return auth.Key{}, false, nil
	}
	var role store.Role
	err := k.store.View(ctx, func(tx *store.Tx) (err error) {
		role, err = tx.Role(ctx, grant.AccountID, grant.RoleName)
		return err
	})
	if proton.IsNotFound(err) || err == nil && role.CreatedAt.After(grant.IssuedAt) {
		return auth.Key{}, false, nil // another role has the name now, if any has
	}
	if err != nil {
		return auth.Key{}, false, err
	}
	key := auth.Key{
		Secret: auth.Secret(grant.Secret), AccountID: grant.AccountID, ARN: grant.ARN(),
		Session: &auth.Session{Role: grant.RoleARN(), IssuedAt: grant.IssuedAt, Expires: grant.Expires},
	}
	if key.Policy, err = k.policies.read(role.Policy, role.Managed); err != nil {
		return auth.Key{}, false, err
	}
	if grant.Policy != "" || len(grant.Managed) > 0 {
		if key.Session.Policy, err = k.policies.read(grant.Policy, grant.Managed); err != nil {
			return auth.Key{}, false, err
		}
	}
	return key, true, nil
}

// policyCache keeps policies that have been parsed: each call needs its
// caller's.
type policyCache struct {
	mu     sync.Mutex
	parsed map[string]*auth.Policy
}

// maxPolicies bounds the cache.
const maxPolicies = 10000

func (c *policyCache) read(document string, managed []string) (*auth.Policy, error) {
	key := strings.Join(managed, " ") + "\x00" + document
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.parsed[key]; p != nil {
		return p, nil
	}
	p, err := auth.ReadPolicies(document, managed)
	if err != nil {
		return nil, err
	}
	if c.parsed == nil || len(c.parsed) >= maxPolicies {
		c.parsed = map[string]*auth.Policy{}
	}
	c.parsed[key] = p
	return p, nil
}

// A running deployment has an access key of its own, which may report on its
// target and no more, and which ends with it. The id holds the deployment's
// id; the secret is derived, so that nothing needs to be stored.
const runKeyPrefix = "HDRN"

func runKeyID(deployment string) string {
	id := uuid.MustParse(deployment)
	return runKeyPrefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:])
}

func runOfKey(key string) (string, bool) {
	encoded, ok := strings.CutPrefix(key, runKeyPrefix)
	if !ok {
		return "", false
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(encoded)
	if err != nil {
		return "", false
	}
	id, err := uuid.FromBytes(raw)
	return id.String(), err == nil
}

func (k *keys) runSecret(deployment string) string {
	mac := hmac.New(sha256.New, k.runs)
	mac.Write([]byte(deployment))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

func (k *keys) runKey(ctx context.Context, deployment string) (auth.Key, bool, error) {
	var key auth.Key
	found := false
	err := k.store.View(ctx, func(tx *store.Tx) error {
		d, ok, err := tx.DeploymentByID(ctx, deployment)
		if err != nil || !ok || !d.Status.Running() {
			return err
		}
		found = true
		key = auth.Key{
			Secret: auth.Secret(k.runSecret(deployment)), AccountID: d.Account,
			ARN: "arn:aws:sts::" + d.Account + ":assumed-role/hadron-deployment/" + d.ID,
		}
		key.Policy, err = auth.ParsePolicy(fmt.Appendf(nil, `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": ["proton:NotifyResourceDeploymentStatusChange", "proton:UseState"], "Resource": %q},
			{"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"}]}`, d.TargetARN()))
		return err
	})
	return key, found, err
}

// runCredentials is the key for a run's own calls.
func (k *keys) runCredentials(_ context.Context, r engine.Run) (id, secret string, err error) {
	return runKeyID(r.DeploymentID), k.runSecret(r.DeploymentID), nil
}
