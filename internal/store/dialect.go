package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"modernc.org/sqlite"
)

// dialect is where the engines differ.
type dialect struct {
	jobs     jobs.Engine
	shared   bool                // other processes may use the same database
	merges   bool                // selects that are sorted together are read row by row, no further than wanted
	rebind   func(string) string // a statement with its placeholders as the engine writes them
	types    func(string) string // a migration with its column types as the engine writes them
	isUnique func(error) bool    // a unique key is taken
	retry    func(error) retry   // what to do about the failure of a transaction

	update, view *sql.TxOptions

	// clock is the instant that leases are measured by, in microseconds as an
	// SQL expression with its arguments: one that all who share the database
	// agree on, and that does not jump when a node's clock is set.
	clock func() (string, []any)
}

// in is the instant of the leases' clock after a while.
func (d dialect) in(after time.Duration) (string, []any) {
	now, args := d.clock()
	return now + " + ?", append(args, after.Microseconds())
}

// longestLease is more than any lease is given. One that is to last longer was
// given before the clock was set back: who still holds it will have prolonged it
// in no time, and who does not must not keep it for as long as the clock was set.
const longestLease = time.Minute

// lapsed says of a column that leases end in, as an SQL expression with its
// arguments, that the lease is over.
func (d dialect) lapsed(column string) (string, []any) {
	now, args := d.clock()
	longest := strconv.FormatInt(longestLease.Microseconds(), 10)
	return "(" + column + " < " + now + " OR " + column + " > " + now + " + " + longest + ")", append(args, args...)
}

// Clock reads the leases' clock.
func (s *Store) Clock(ctx context.Context) (at time.Time, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		at, err = tx.clock(ctx)
		return err
	})
	return at, err
}

// clock reads the leases' clock.
func (tx *Tx) clock(ctx context.Context) (time.Time, error) {
	var at int64
	now, args := tx.store.dialect.clock()
	err := tx.queryRow(ctx, "SELECT "+now, args, []any{&at})
	return time.UnixMicro(at).UTC(), err
}

// retry says whether a transaction that failed may be run again.
type retry int

const (
	never    retry = iota
	conflict       // it met another transaction: at once
	outage         // the database was not reachable: for a while
)

func sqliteDialect() dialect {
	began := time.Now() // with its monotonic reading
	return dialect{
		jobs:   jobs.SQLite,
		merges: true,
		rebind: func(query string) string { return query },
		types:  func(migration string) string { return migration },
		isUnique: func(err error) bool {
			const constraintUnique, constraintPrimaryKey = 2067, 1555
			e, ok := errors.AsType[*sqlite.Error](err)
			return ok && (e.Code() == constraintUnique || e.Code() == constraintPrimaryKey)
		},
		retry: func(error) retry { return never },
		view:  &sql.TxOptions{ReadOnly: true},
		clock: func() (string, []any) { return "?", []any{began.Add(time.Since(began)).UnixMicro()} },
	}
}

// numbered writes placeholders as $1, $2, … and remembers what it wrote. No
// statement of this package has a question mark that is not a placeholder.
func numbered() func(string) string {
	var known sync.Map
	return func(query string) string {
		if text, ok := known.Load(query); ok {
			return text.(string)
		}
		text := number(query)
		known.Store(query, text)
		return text
	}
}

func number(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}
