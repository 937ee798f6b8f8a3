package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

var accountSettings = newTable("account_settings", 2, func(a *proton.AccountSettings) []column {
	return []column{
		{"account", &a.Account}, {"region", &a.Region},
		{"pipeline_service_role_arn", &a.PipelineServiceRoleARN},
		{"pipeline_codebuild_role_arn", &a.PipelineCodebuildRoleARN},
		{"pipeline_repository_json", document{&a.PipelineRepository}},
		{"revision", &a.Revision},
	}
}, func(a *proton.AccountSettings) *int64 { return &a.Revision })

// AccountSettings reads an account's settings; the zero settings if there are none.
func (tx *Tx) AccountSettings(ctx context.Context, s proton.Scope) (proton.AccountSettings, error) {
	a, ok, err := accountSettings.get(ctx, tx, s.Account, s.Region)
	if err == nil && !ok {
		a.Scope = s
	}
	return a, err
}

// SaveAccountSettings writes an account's settings, new or read before.
func (tx *Tx) SaveAccountSettings(ctx context.Context, a proton.AccountSettings) error {
	if a.Revision == 0 {
		a.Revision = 1
		return accountSettings.add(ctx, tx, a)
	}
	return accountSettings.save(ctx, tx, a)
}

// ClientToken is what is remembered of a call that carried one.
type ClientToken struct {
	RequestHash string
	Resource    string // what the call made; its meaning is the operation's
	CreatedAt   time.Time
}

// ClientToken looks up a token of an operation; ok is false if it is unknown.
func (tx *Tx) ClientToken(ctx context.Context, s proton.Scope, operation, token string) (ClientToken, bool, error) {
	var t ClientToken
	err := tx.queryRow(ctx, `SELECT request_hash, resource, created_at FROM client_tokens
		WHERE account = ? AND region = ? AND operation = ? AND token = ?`,
		[]any{s.Account, s.Region, operation, token}, []any{&t.RequestHash, &t.Resource, (*instant)(&t.CreatedAt)})
	if errors.Is(err, sql.ErrNoRows) {
		return t, false, nil
	}
	return t, err == nil, err
}

// SaveClientToken remembers a token, over an older one if there is any.
func (tx *Tx) SaveClientToken(ctx context.Context, s proton.Scope, operation, token string, t ClientToken) error {
	_, err := tx.exec(ctx, `INSERT INTO client_tokens (account, region, operation, token, request_hash, resource, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, operation, token) DO UPDATE
		SET request_hash = excluded.request_hash, resource = excluded.resource, created_at = excluded.created_at`,
		s.Account, s.Region, operation, token, t.RequestHash, t.Resource, micros(t.CreatedAt))
	return err
}

// DeleteClientTokens forgets tokens older than an instant.
func (tx *Tx) DeleteClientTokens(ctx context.Context, before time.Time) error {
	_, err := tx.exec(ctx, "DELETE FROM client_tokens WHERE created_at < ?", micros(before))
	return err
}

// Tags reads the customer tags of a resource, ordered by key.
func (tx *Tx) Tags(ctx context.Context, arn proton.ARN) ([]proton.Tag, error) {
	rows, err := tx.query(ctx, "SELECT key, value FROM tags WHERE arn = ? ORDER BY key", arn)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tags := []proton.Tag{}
	for rows.Next() {
		var t proton.Tag
		if err := rows.Scan(&t.Key, &t.Value); err != nil {
			return nil, err
		}
		tags = append(tags, t)
	}
	return tags, rows.Err()
}

// PutTags writes tags over those a resource has.
func (tx *Tx) PutTags(ctx context.Context, arn proton.ARN, tags []proton.Tag) error {
	for _, t := range tags {
		_, err := tx.exec(ctx, "INSERT INTO tags (arn, key, value) VALUES (?, ?, ?) ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
			arn, t.Key, t.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// RemoveTags removes keys; those that are not there do not matter.
func (tx *Tx) RemoveTags(ctx context.Context, arn proton.ARN, keys []string) error {
	for _, key := range keys {
		if _, err := tx.exec(ctx, "DELETE FROM tags WHERE arn = ? AND key = ?", arn, key); err != nil {
			return err
		}
	}
	return nil
}

// DeleteTags removes all tags of a resource.
func (tx *Tx) DeleteTags(ctx context.Context, arn proton.ARN) error {
	_, err := tx.exec(ctx, "DELETE FROM tags WHERE arn = ?", arn)
	return err
}

// Secret answers a random value of 32 bytes that belongs to the database, made
// when it is first asked for by this name. It lies there sealed. One that an
// older version has left open is sealed in its place; who else comes upon that
// one goes by the same, whoever of them seals it.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	if s.sealer.Seal == nil {
		return nil, errNoSealer
	}
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	kept, err := s.Remember(ctx, name, s.sealer.Seal(hex.EncodeToString(fresh), name))
	if err != nil {
		return nil, err
	}
	if secret, err := hex.DecodeString(kept); err == nil {
		return secret, s.Replace(ctx, name, kept, s.sealer.Seal(kept, name))
	}
	text, err := s.sealer.Open(kept, name)
	if err != nil {
		return nil, fmt.Errorf("the database's secret %s: %w", name, err)
	}
	return hex.DecodeString(text)
}

// Remember keeps a value under a name, unless there is one already, and
// answers what is kept.
func (s *Store) Remember(ctx context.Context, name, value string) (kept string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, value)
		if err != nil {
			return err
		}
		return tx.queryRow(ctx, "SELECT value FROM meta WHERE name = ?", []any{name}, []any{&kept})
	})
	return kept, err
}

// Replace puts a value in the place of one that is kept under a name, unless
// that is another by now.
func (s *Store) Replace(ctx context.Context, name, old, value string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "UPDATE meta SET value = ? WHERE name = ? AND value = ?", value, name, old)
		return err
	})
}

// Kept answers what is kept under a name; empty if nothing is.
func (s *Store) Kept(ctx context.Context, name string) (value string, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		return ignoreNoRows(tx.queryRow(ctx, "SELECT value FROM meta WHERE name = ?", []any{name}, []any{&value}))
	})
	return value, err
}
