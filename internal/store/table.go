package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// A table maps a record to its row: each column has a name and a pointer into
// the record that both scans and binds. The statements are written once, from
// the names.
type table[T any] struct {
	name     string
	keys     int // the first columns are the key
	columns  func(*T) []column
	revision func(*T) *int64     // nil: rows are not versioned
	tally    string              // the columns that say which group a row counts in; empty: not counted
	arn      func(*T) proton.ARN // of rows whose status changes are announced; nil: they are not
	identity int                 // how many of the first columns arn needs
	part     bool                // rows are parts of a service, whose name is third in the key

	names                           []string
	selects, insert, update, remove string
	brief                           string // selects without the long columns
}

type column struct {
	name  string
	value any
}

// newTable prepares the statements of a table whose first keys columns are
// its key.
func newTable[T any](name string, keys int, columns func(*T) []column, revision func(*T) *int64) *table[T] {
	t := &table[T]{name: name, keys: keys, columns: columns, revision: revision}
	for _, c := range columns(new(T)) {
		t.names = append(t.names, c.name)
	}
	list := strings.Join(t.names, ", ")
	where := strings.Join(t.names[:keys], " = ? AND ") + " = ?"
	t.selects = "SELECT " + list + " FROM " + name
	t.brief = t.selects
	t.insert = "INSERT INTO " + name + " (" + list + ") VALUES (?" + strings.Repeat(", ?", len(t.names)-1) + ")"
	t.update = "UPDATE " + name + " SET " + strings.Join(t.names[keys:], " = ?, ") + " = ? WHERE " + where
	t.remove = "DELETE FROM " + name + " WHERE " + where
	if revision != nil {
		t.update += " AND revision = ?"
	}
	return t
}

// counted makes a table's rows count in table tallies, by four columns:
// template, major, minor, status.
func (t *table[T]) counted(tally string) *table[T] {
	t.tally = tally
	return t
}

// announced makes changes of the rows' status known. arn needs the first
// identity columns.
func (t *table[T]) announced(identity int, arn func(*T) proton.ARN) *table[T] {
	t.identity, t.arn = identity, arn
	return t
}

// ofServices makes versions of the table's rows count for their service.
func (t *table[T]) ofServices() *table[T] {
	t.part = true
	return t
}

// groupOf reads columns of the row with a key. sql.ErrNoRows without it.
func (t *table[T]) groupOf(ctx context.Context, tx *Tx, group string, key []any, g *tallied) error {
	return tx.queryRow(ctx, "SELECT "+group+" FROM "+t.name+" WHERE "+strings.Join(t.names[:t.keys], " = ? AND ")+" = ?", key, g.dest())
}

// group is the columns that say what is noticed of a row when it is written;
// empty if nothing is.
func (t *table[T]) group(tx *Tx) string {
	if t.tally == "" && t.arn != nil && len(tx.store.targets) > 0 {
		return "'', 0, 0, status"
	}
	return t.tally
}

// write runs a statement that changes the row with a key, counts the row from
// the group it was in to the one it is in, and announces a change of its
// status. False if there was no such row.
func (t *table[T]) write(ctx context.Context, tx *Tx, statement string, args, key []any, was, is int64) (bool, error) {
	group := t.group(tx)
	if group == "" {
		n, err := tx.execCount(ctx, statement, args...)
		return n > 0, err
	}
	var before, after tallied
	if was > 0 && is > 0 {
		if err := t.groupOf(ctx, tx, group, key, &before); err != nil {
			return false, ignoreNoRows(err)
		}
	}
	var row T
	dest, returning := after.dest(), group
	if t.arn != nil {
		dest, returning = append(dest, t.values(&row)[:t.identity]...), returning+", "+strings.Join(t.names[:t.identity], ", ")
	}
	if err := tx.queryRow(ctx, statement+" RETURNING "+returning, args, dest); err != nil {
		return false, ignoreNoRows(err)
	}
	if t.arn != nil {
		t.announce(tx, &row, before, after, is > 0)
	}
	if t.tally == "" {
		return true, nil
	}
	if was > 0 && is > 0 {
		tx.tally(t.name, key, before, -1)
	}
	tx.tally(t.name, key, after, map[bool]int64{true: 1, false: -1}[is > 0])
	if t.part && (before.major != after.major || before.minor != after.minor) {
		return true, tx.lowerService(ctx, key)
	}
	return true, nil
}

// announce tells of a row that was written, or removed.
func (t *table[T]) announce(tx *Tx, row *T, before, after tallied, is bool) {
	if is {
		tx.announce(t.arn(row), before.status, after.status)
	} else {
		tx.announce(t.arn(row), after.status, deleted)
	}
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (t *table[T]) values(record *T) []any {
	columns := t.columns(record)
	values := make([]any, len(columns))
	for n, c := range columns {
		values[n] = c.value
	}
	return values
}

// get reads the row with a key; ok is false without one.
func (t *table[T]) get(ctx context.Context, tx *Tx, key ...any) (T, bool, error) {
	return t.one(ctx, tx, "WHERE "+strings.Join(t.names[:t.keys], " = ? AND ")+" = ?", key...)
}

// one reads the first row that a clause selects.
func (t *table[T]) one(ctx context.Context, tx *Tx, clause string, args ...any) (T, bool, error) {
	var record T
	err := tx.queryRow(ctx, t.selects+" "+clause, args, t.values(&record))
	if errors.Is(err, sql.ErrNoRows) {
		return record, false, nil
	}
	if err != nil {
		return record, false, fmt.Errorf("read %s: %w", t.name, err)
	}
	return record, true, nil
}

// long names columns that brief reads leave out: texts that no list shows.
func (t *table[T]) long(names ...string) *table[T] {
	columns := slices.Clone(t.names)
	for n, name := range columns {
		switch {
		case slices.Contains(names, name):
			columns[n] = "'' AS " + name
		case name == "revision":
			columns[n] = "-1 AS revision" // what was read in part is never saved
		}
	}
	t.brief = "SELECT " + strings.Join(columns, ", ") + " FROM " + t.name
	return t
}

// list reads the rows that a clause selects; never nil.
func (t *table[T]) list(ctx context.Context, tx *Tx, clause string, args ...any) ([]T, error) {
	return t.rows(ctx, tx, t.selects+" "+clause, args)
}

// listBriefly reads rows without their long columns. Saving one is Conflict.
func (t *table[T]) listBriefly(ctx context.Context, tx *Tx, clause string, args ...any) ([]T, error) {
	return t.rows(ctx, tx, t.brief+" "+clause, args)
}

func (t *table[T]) rows(ctx context.Context, tx *Tx, query string, args []any) ([]T, error) {
	rows, err := tx.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.name, err)
	}
	defer rows.Close()
	records := []T{}
	for rows.Next() {
		var record T
		if err := rows.Scan(t.values(&record)...); err != nil {
			return nil, fmt.Errorf("list %s: %w", t.name, err)
		}
		records = append(records, record)
	}
	return records, rows.Err()
}

// add inserts a row. A taken key is Conflict.
func (t *table[T]) add(ctx context.Context, tx *Tx, record T) error {
	values := t.values(&record)
	if _, err := t.write(ctx, tx, t.insert, values, values[:t.keys], 0, 1); err != nil {
		if tx.store.dialect.isUnique(err) {
			return &proton.Error{Kind: proton.Conflict, Message: "The resource already exists.", Err: err}
		}
		return fmt.Errorf("insert into %s: %w", t.name, err)
	}
	return nil
}

// save writes a row back. A row that was changed or deleted since it was read
// is Conflict.
func (t *table[T]) save(ctx context.Context, tx *Tx, record T) error {
	var args []any
	if t.revision != nil {
		*t.revision(&record)++
		args = append(args, *t.revision(&record)-1)
	}
	values := t.values(&record)
	args = append(append(append([]any{}, values[t.keys:]...), values[:t.keys]...), args...)
	ok, err := t.write(ctx, tx, t.update, args, values[:t.keys], 1, 1)
	if err != nil {
		return fmt.Errorf("save in %s: %w", t.name, err)
	}
	if !ok {
		return proton.Errorf(proton.Conflict, "The resource was changed by another request. Try again.")
	}
	return nil
}

// delete removes the row with a key, if it is there.
func (t *table[T]) delete(ctx context.Context, tx *Tx, key ...any) error {
	if _, err := t.write(ctx, tx, t.remove, key, key, 1, 0); err != nil {
		return fmt.Errorf("delete from %s: %w", t.name, err)
	}
	return nil
}

// instant keeps a time as UTC microseconds, the zero time as 0.
type instant time.Time

func (t *instant) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("instant is a %T, want an integer", src)
	}
	*t = instant(fromMicros(n))
	return nil
}

func (t *instant) Value() (driver.Value, error) { return micros(time.Time(*t)), nil }

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// flag keeps a truth value as 0 or 1.
type flag bool

func (f *flag) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("flag is a %T, want an integer", src)
	}
	*f = n != 0
	return nil
}

func (f *flag) Value() (driver.Value, error) {
	if *f {
		return int64(1), nil
	}
	return int64(0), nil
}

// document keeps a value as JSON text; empty text reads as the zero value.
type document struct{ value any }

func (d document) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("document is a %T, want text", src)
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), d.value)
}

func (d document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.value)
	if err != nil || string(text) == "null" || string(text) == "{}" {
		return "", err
	}
	return string(text), nil
}
