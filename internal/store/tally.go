package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/proton"
)

// Resources are counted where they are written: table tallies has how many
// there are of each group that the resources summary tells apart. What a
// transaction changes is gathered and written once, before it commits.
//
// Where many write at once, each adds rows of its own instead of changing those
// of others, which one in a while sums up: nobody waits for a count.

// tallied is the group of a row, as the columns of its table say it.
type tallied struct {
	template     string
	major, minor int64
	status       string
}

// failed reports whether the status is that of something that went wrong and
// is over. A service's cleanup that still runs is not.
func (g tallied) failed() bool {
	return strings.Contains(g.status, "FAILED") && !strings.HasSuffix(g.status, "IN_PROGRESS")
}

func (g *tallied) dest() []any { return []any{&g.template, &g.major, &g.minor, &g.status} }

// group is a row of table tallies without its count.
type group struct {
	account, region, kind, template string
	major, minor                    int64
	failed                          bool
}

func (g group) compare(h group) int {
	order := cmp.Or(cmp.Compare(g.account, h.account), cmp.Compare(g.region, h.region), cmp.Compare(g.kind, h.kind),
		cmp.Compare(g.template, h.template), cmp.Compare(g.major, h.major), cmp.Compare(g.minor, h.minor))
	if order == 0 && g.failed != h.failed {
		order = map[bool]int{true: 1, false: -1}[g.failed]
	}
	return order
}

// tally counts a row in or out of its group. Its key begins with account and Region.
func (tx *Tx) tally(kind string, key []any, g tallied, n int64) {
	if tx.tallies == nil {
		tx.tallies = map[group]int64{}
	}
	tx.tallies[group{text(key[0]), text(key[1]), kind, g.template, g.major, g.minor, g.failed()}] += n
}

// text is a key's part, which may be the pointer that a column is.
func text(part any) string {
	if s, ok := part.(*string); ok {
		return *s
	}
	return fmt.Sprint(part)
}

// writeTallies writes what was gathered, always in the same order, so that two
// transactions don't wait for each other in a ring.
func (tx *Tx) writeTallies(ctx context.Context) error {
	for _, g := range slices.SortedFunc(maps.Keys(tx.tallies), group.compare) {
		n := tx.tallies[g]
		if n == 0 {
			continue
		}
		failed := flag(g.failed)
		slot := int64(0)
		if tx.store.dialect.shared {
			slot = rand.Int64()
		}
		key := []any{g.account, g.region, g.kind, g.template, g.major, g.minor, &failed, slot}
		_, err := tx.exec(ctx, `INSERT INTO tallies (account, region, kind, template_name, major, minor, failed, slot, n)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (account, region, kind, template_name, major, minor, failed, slot) DO UPDATE SET n = tallies.n + excluded.n`, append(key, n)...)
		if err == nil && n < 0 {
			_, err = tx.exec(ctx, `DELETE FROM tallies WHERE account = ? AND region = ? AND kind = ? AND template_name = ?
				AND major = ? AND minor = ? AND failed = ? AND slot = ? AND n = 0`, key...)
		}
		if err == nil && slot%sumEvery == 1 {
			err = tx.sumTallies(ctx, g)
		}
		if err != nil {
			return fmt.Errorf("write tallies: %w", err)
		}
	}
	return nil
}

// sumEvery is how many rows of table tallies are added before they are summed up.
const sumEvery = 128

// sumTallies makes one row of all that a group has.
func (tx *Tx) sumTallies(ctx context.Context, g group) error {
	const of = ` FROM tallies WHERE account = ? AND region = ? AND kind = ? AND template_name = ? AND major = ? AND minor = ? AND failed = ?`
	failed := flag(g.failed)
	key := []any{g.account, g.region, g.kind, g.template, g.major, g.minor, &failed}
	var n int64
	if err := tx.queryRow(ctx, "SELECT COALESCE(SUM(n), 0)"+of, key, []any{&n}); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "DELETE"+of, key...); err != nil || n == 0 {
		return err
	}
	_, err := tx.exec(ctx, "INSERT INTO tallies (account, region, kind, template_name, major, minor, failed, slot, n) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)", append(key, n)...)
	return err
}

// lowerService records, after a part of a service has changed its version, the
// lowest that any of its parts runs.
func (tx *Tx) lowerService(ctx context.Context, key []any) error {
	lowest, err := tx.lowestPart(ctx, key[:3])
	if err != nil {
		return err
	}
	var was, now tallied
	err = services.groupOf(ctx, tx, services.tally, key[:3], &was)
	if errors.Is(err, sql.ErrNoRows) || err == nil && was.major == lowest.Major && was.minor == lowest.Minor {
		return nil
	}
	if err != nil {
		return err
	}
	err = tx.queryRow(ctx, "UPDATE services SET lowest_major = ?, lowest_minor = ? WHERE account = ? AND region = ? AND name = ? RETURNING "+services.tally,
		[]any{lowest.Major, lowest.Minor, key[0], key[1], key[2]}, now.dest())
	if err != nil {
		return err
	}
	tx.tally(services.name, key[:3], was, -1)
	tx.tally(services.name, key[:3], now, 1)
	return nil
}

// lowestPart is the lowest version that a part of a service runs; zero if none
// runs any.
func (tx *Tx) lowestPart(ctx context.Context, service []any) (lowest proton.Version, err error) {
	for _, parts := range []string{"service_instances", "pipelines"} {
		// The revision keeps SQLite from an index that has all else, but not by service.
		rows, err := tx.query(ctx, "SELECT major, minor, revision FROM "+parts+" WHERE account = ? AND region = ? AND service_name = ?", service...)
		if err != nil {
			return lowest, err
		}
		for rows.Next() {
			var v proton.Version
			var revision int64
			if err := rows.Scan(&v.Major, &v.Minor, &revision); err != nil {
				return lowest, errors.Join(err, rows.Close())
			}
			if v.Major > 0 && (lowest.IsZero() || v.Compare(lowest) < 0) {
				lowest = v
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return lowest, err
		}
	}
	return lowest, nil
}

// total is how many rows of a table a scope has. Where others write at the same
// time it is read beside the transaction: it may be a few behind, or each that
// looks at a quota would undo all others that do.
func (tx *Tx) total(ctx context.Context, s proton.Scope, kind string) (n int, err error) {
	if tx.store.dialect.shared && tx.writes {
		err = tx.store.View(ctx, func(view *Tx) error {
			n, err = view.total(ctx, s, kind)
			return err
		})
		return n, err
	}
	err = tx.queryRow(ctx, "SELECT COALESCE(SUM(n), 0) FROM tallies WHERE account = ? AND region = ? AND kind = ?",
		[]any{s.Account, s.Region, kind}, []any{&n})
	return n, err
}
