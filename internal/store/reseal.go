package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/proton"
)

// A SealedColumn is a column whose values are sealed, each as what Name makes of
// its row's columns Of, the first of which are the key.
type SealedColumn struct {
	Table, Column string
	Key           int // how many of Of
	Of            []string
	Name          func(of []string) string
	Where         string // which rows; empty: all
}

// resealBatch is how many rows a transaction seals anew: few, so that it holds
// up nobody.
const resealBatch = 100

// Resealed is what a pass has come to.
type Resealed struct {
	Done    int
	Damaged int // that no key opens; they are left as they are
}

// Reseal seals anew whatever is sealed with another key than the one that seals
// now. It goes row by row: a pass that was cut off is gone on with by another.
func (s *Store) Reseal(ctx context.Context, columns []SealedColumn) (done Resealed, err error) {
	for _, c := range columns {
		for damaged := 0; ; {
			seen := 0
			var pass Resealed
			err := s.Update(ctx, func(tx *Tx) (err error) {
				seen, pass, err = tx.resealColumn(ctx, c, damaged)
				return err
			})
			if err != nil {
				return done, fmt.Errorf("%s: %w", c.Table, err)
			}
			damaged += pass.Damaged
			done.Done, done.Damaged = done.Done+pass.Done, done.Damaged+pass.Damaged
			if seen < resealBatch {
				break
			}
		}
	}
	for after := ""; ; {
		var pass Resealed
		err := s.Update(ctx, func(tx *Tx) (err error) {
			after, pass, err = tx.resealDeployments(ctx, after)
			return err
		})
		if err != nil {
			return done, fmt.Errorf("deployments: %w", err)
		}
		done.Done, done.Damaged = done.Done+pass.Done, done.Damaged+pass.Damaged
		if after == "" {
			return done, nil
		}
	}
}

// stale are the rows of a column that the key that seals now has not sealed.
func (c SealedColumn) stale(key string) (where string, args []any) {
	where = " WHERE " + c.Column + " <> '' AND " + c.Column + " NOT LIKE ?"
	if c.Where != "" {
		where += " AND " + c.Where
	}
	return where, []any{key + ".%"}
}

func (tx *Tx) resealColumn(ctx context.Context, c SealedColumn, skip int) (seen int, done Resealed, err error) {
	where, args := c.stale(tx.store.sealer.Key())
	names := append(slices.Clone(c.Of), c.Column)
	rows, err := tx.query(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+c.Table+where+" ORDER BY "+strings.Join(c.Of[:c.Key], ", ")+" LIMIT ? OFFSET ?",
		append(args, resealBatch, skip)...)
	if err != nil {
		return 0, done, err
	}
	var found [][]string
	for rows.Next() {
		row := make([]string, len(names))
		into := make([]any, len(names))
		for n := range row {
			into[n] = &row[n]
		}
		if err := rows.Scan(into...); err != nil {
			rows.Close()
			return 0, done, err
		}
		found = append(found, row)
	}
	if err := rows.Err(); err != nil {
		return 0, done, err
	}
	for _, row := range found {
		of, sealed := row[:len(c.Of)], row[len(c.Of)]
		text, err := tx.store.sealer.Open(sealed, c.Name(of))
		if err != nil {
			done.Damaged++
			continue
		}
		set := []any{tx.store.sealer.Seal(text, c.Name(of))}
		for _, k := range of[:c.Key] {
			set = append(set, k)
		}
		if _, err := tx.exec(ctx, "UPDATE "+c.Table+" SET "+c.Column+" = ? WHERE "+strings.Join(c.Of[:c.Key], " = ? AND ")+" = ?", set...); err != nil {
			return 0, done, err
		}
		done.Done++
	}
	return len(found), done, nil
}

const withSealed = "(inputs_json LIKE '%" + sealedMark + "%' OR outputs_json LIKE '%" + sealedMark + "%' OR report_json LIKE '%" + sealedMark + "%' OR checkpoint LIKE '" + sealedMark + "%')"

// resealDeployments seals anew what some deployments behind one hold, and
// answers the last of them; empty if there are no more.
func (tx *Tx) resealDeployments(ctx context.Context, after string) (last string, done Resealed, err error) {
	list, err := deployments.list(ctx, tx, "WHERE id > ? AND "+withSealed+" ORDER BY id LIMIT ?", after, resealBatch)
	if err != nil {
		return "", done, err
	}
	for _, d := range list {
		if !tx.store.staleIn(&d) {
			continue
		}
		checkpoint, err := tx.store.Checkpoint(d)
		if err = errors.Join(err, tx.store.open(&d)); err != nil {
			done.Damaged++
			continue
		}
		if d, err = tx.store.sealed(d); err != nil {
			return "", done, err
		}
		if _, err := tx.exec(ctx, "UPDATE deployments SET inputs_json = ?, report_json = ?, outputs_json = ? WHERE id = ?",
			document{&d.Inputs}, document{&d.Report}, document{&d.Outputs}, d.ID); err != nil {
			return "", done, err
		}
		if err := tx.resealCheckpoint(ctx, d, checkpoint); err != nil {
			return "", done, err
		}
		done.Done++
	}
	if len(list) < resealBatch {
		return "", done, nil
	}
	return list[len(list)-1].ID, done, nil
}

// resealCheckpoint seals anew what was handed in with a deployment, unless its
// worker has gone on by now.
func (tx *Tx) resealCheckpoint(ctx context.Context, d proton.Deployment, checkpoint string) error {
	if !strings.HasPrefix(d.Checkpoint, sealedMark) {
		return nil
	}
	_, err := tx.exec(ctx, "UPDATE deployments SET checkpoint = ? WHERE id = ? AND checkpoint = ?", tx.store.sealCheckpoint(d, checkpoint), d.ID, d.Checkpoint)
	return err
}

// staleIn reports whether a deployment as its row has it holds something that
// is sealed with another key than the one that seals now.
func (s *Store) staleIn(d *proton.Deployment) bool {
	if text, sealed := strings.CutPrefix(d.Checkpoint, sealedMark); sealed && s.sealer.Stale(text) {
		return true
	}
	for _, list := range outputLists(d) {
		for _, o := range *list.outputs {
			if text, sealed := strings.CutPrefix(o.Value, sealedMark); sealed && (o.Sensitive || list.all) && s.sealer.Stale(text) {
				return true
			}
		}
	}
	return false
}

// Stale counts the values, and the deployments with values, that are sealed
// with another key than the one that seals now.
func (s *Store) Stale(ctx context.Context, columns []SealedColumn) (count int, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		count = 0
		for _, c := range columns {
			n := 0
			where, args := c.stale(s.sealer.Key())
			if err := tx.queryRow(ctx, "SELECT COUNT(*) FROM "+c.Table+where, args, []any{&n}); err != nil {
				return err
			}
			count += n
		}
		for after := ""; ; {
			list, err := deployments.list(ctx, tx, "WHERE id > ? AND "+withSealed+" ORDER BY id LIMIT ?", after, resealBatch)
			if err != nil {
				return err
			}
			for n := range list {
				if s.staleIn(&list[n]) {
					count++
				}
			}
			if len(list) < resealBatch {
				return nil
			}
			after = list[len(list)-1].ID
		}
	})
	return count, err
}
