package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// AuditRecord is a link of an account's audit log.
type AuditRecord struct {
	ID           string
	Account      string
	Sequence     int64
	At           time.Time
	EventName    string
	PrincipalARN string
	ResourceARN  string
	ErrorCode    string
	Record       string // JSON, in CloudTrail's shape
	Hash         string
}

// AuditHead is the newest link of an account's log. Seal proves that the
// server wrote it.
type AuditHead struct {
	Account  string
	Sequence int64
	Hash     string
	Seal     string
}

var auditRecords = newTable("audit_records", 2, func(r *AuditRecord) []column {
	return []column{
		{"account", &r.Account}, {"sequence", &r.Sequence}, {"at", (*instant)(&r.At)}, {"event_name", &r.EventName},
		{"principal_arn", &r.PrincipalARN}, {"resource_arn", &r.ResourceARN}, {"error_code", &r.ErrorCode},
		{"record", &r.Record}, {"hash", &r.Hash},
	}
}, nil)

// AuditHash is the hash of a record that follows another with a hash.
func AuditHash(previous, account string, sequence int64, record string) string {
	h := sha256.New()
	for _, text := range []string{previous, account, strconv.FormatInt(sequence, 10), record} {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

var auditPending = newTable("audit_pending", 1, func(r *AuditRecord) []column {
	return []column{
		{"id", &r.ID}, {"account", &r.Account}, {"at", (*instant)(&r.At)}, {"event_name", &r.EventName},
		{"principal_arn", &r.PrincipalARN}, {"resource_arn", &r.ResourceARN}, {"error_code", &r.ErrorCode}, {"record", &r.Record},
	}
}, nil)

// AddAudit writes a record. It is linked into its account's chain later, so
// that transactions do not wait for each other.
func (tx *Tx) AddAudit(ctx context.Context, r AuditRecord) error {
	if err := auditPending.add(ctx, tx, r); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// AuditPending reports whether records wait to be linked.
func (tx *Tx) AuditPending(ctx context.Context) (bool, error) {
	_, found, err := auditPending.one(ctx, tx, "ORDER BY at, id LIMIT 1")
	return found, err
}

// LinkAudit links up to limit records that wait into the chains of their
// accounts, and answers how many. seal signs the new heads.
func (tx *Tx) LinkAudit(ctx context.Context, limit int, seal func(AuditHead) string) (int, error) {
	rows, err := auditPending.list(ctx, tx, "ORDER BY at, id LIMIT ?", limit)
	if err != nil {
		return 0, err
	}
	heads := map[string]AuditHead{}
	for _, r := range rows {
		head, known := heads[r.Account]
		if !known {
			if head, _, err = tx.AuditHead(ctx, r.Account); err != nil {
				return 0, err
			}
		}
		r.Sequence = head.Sequence + 1
		r.Hash = AuditHash(head.Hash, r.Account, r.Sequence, r.Record)
		if err := auditRecords.add(ctx, tx, r); err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
		if err := auditPending.delete(ctx, tx, r.ID); err != nil {
			return 0, err
		}
		heads[r.Account] = AuditHead{Account: r.Account, Sequence: r.Sequence, Hash: r.Hash}
	}
	for _, head := range heads {
		_, err := tx.exec(ctx, `INSERT INTO audit_heads (account, sequence, hash, seal) VALUES (?, ?, ?, ?)
			ON CONFLICT (account) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, seal = excluded.seal`,
			head.Account, head.Sequence, head.Hash, seal(head))
		if err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
	}
	return len(rows), nil
}

// AuditHead reads the newest link of an account's log; false if it is empty.
func (tx *Tx) AuditHead(ctx context.Context, account string) (AuditHead, bool, error) {
	h := AuditHead{Account: account}
	err := tx.queryRow(ctx, "SELECT sequence, hash, seal FROM audit_heads WHERE account = ?", []any{account}, []any{&h.Sequence, &h.Hash, &h.Seal})
	if errors.Is(err, sql.ErrNoRows) {
		return h, false, nil
	}
	return h, err == nil, err
}

// AuditPruned reads the last link that was pruned from the beginning of an
// account's log; its number is 0 if none was.
func (tx *Tx) AuditPruned(ctx context.Context, account string) (AuditHead, error) {
	h := AuditHead{Account: account}
	err := tx.queryRow(ctx, "SELECT pruned_sequence, pruned_hash, pruned_seal FROM audit_heads WHERE account = ?", []any{account}, []any{&h.Sequence, &h.Hash, &h.Seal})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// AuditedAccounts are the accounts that have a log.
func (tx *Tx) AuditedAccounts(ctx context.Context) (accounts []string, err error) {
	rows, err := tx.query(ctx, "SELECT account FROM audit_heads ORDER BY account")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		if err := rows.Scan(&account); err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return accounts, rows.Err()
}

// PruneAudit removes up to limit records from the beginning of an account's log
// that are from before a time, and answers how many. seal signs the last of them,
// behind which the log begins from now on.
func (tx *Tx) PruneAudit(ctx context.Context, account string, before time.Time, limit int, seal func(AuditHead) string) (int, error) {
	rows, err := tx.AuditRecords(ctx, account, AuditFilter{}, true, 0, limit)
	if err != nil {
		return 0, err
	}
	n := slices.IndexFunc(rows, func(r AuditRecord) bool { return !r.At.Before(before) })
	if n < 0 {
		n = len(rows)
	}
	if n == 0 {
		return 0, nil
	}
	last := AuditHead{Account: account, Sequence: rows[n-1].Sequence, Hash: rows[n-1].Hash}
	_, err = tx.exec(ctx, "UPDATE audit_heads SET pruned_sequence = ?, pruned_hash = ?, pruned_seal = ? WHERE account = ?", last.Sequence, last.Hash, seal(last), account)
	if err == nil {
		_, err = tx.exec(ctx, "DELETE FROM audit_records WHERE account = ? AND sequence <= ?", account, last.Sequence)
	}
	if err != nil {
		return 0, fmt.Errorf("prune the audit log: %w", err)
	}
	return n, nil
}

// AuditFilter restricts a list of records; empty fields do not.
type AuditFilter struct {
	From, To     time.Time // from the first on, before the second
	EventName    string
	PrincipalARN string
	ResourceARN  string
	ErrorCode    string
}

// AuditRecords lists an account's records behind a sequence number: newest
// first, or oldest first. A number of 0 stands for the beginning.
func (tx *Tx) AuditRecords(ctx context.Context, account string, f AuditFilter, oldestFirst bool, after int64, limit int) ([]AuditRecord, error) {
	clause, args := "WHERE account = ?", []any{account}
	add := func(condition string, value any) {
		clause += " AND " + condition
		args = append(args, value)
	}
	for _, c := range []struct{ column, value string }{
		{"event_name", f.EventName}, {"principal_arn", f.PrincipalARN}, {"resource_arn", f.ResourceARN}, {"error_code", f.ErrorCode},
	} {
		if c.value != "" {
			add(c.column+" = ?", c.value)
		}
	}
	if !f.From.IsZero() {
		add("at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		add("at < ?", micros(f.To))
	}
	switch {
	case oldestFirst:
		add("sequence > ?", after)
		clause += " ORDER BY sequence LIMIT ?"
	case after > 0:
		add("sequence < ?", after)
		fallthrough
	default:
		clause += " ORDER BY sequence DESC LIMIT ?"
	}
	return auditRecords.list(ctx, tx, clause, append(args, limit)...)
}
