package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Copied is how many rows of a table were copied.
type Copied struct {
	Table string
	Rows  int
}

// Copy copies all that a database holds into an empty one of the other engine,
// compares every row, and queues there what is unfinished. Nobody may use
// either meanwhile. If anything fails the copy is left empty.
func Copy(ctx context.Context, from, to *Store) ([]Copied, error) {
	lite := from
	if from.dialect.shared {
		lite = to
	}
	if from.dialect.shared == to.dialect.shared {
		return nil, errors.New("one of the two databases must be SQLite, the other PostgreSQL: for two of a kind use their own tools (docs/operations.md)")
	}
	for _, s := range []*Store{from, to} {
		if err := s.refuseInUse(ctx); err != nil {
			return nil, err
		}
	}
	tables, err := lite.tables(ctx)
	if err != nil {
		return nil, err
	}
	var report []Copied
	err = to.Update(ctx, func(dst *Tx) error {
		report = nil
		return from.View(ctx, func(src *Tx) error {
			for _, t := range tables {
				n, err := t.copy(ctx, src, dst)
				if err != nil {
					return fmt.Errorf("table %s: %w", t.name, err)
				}
				report = append(report, Copied{t.name, n})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	_, err = to.RequeueAll(ctx)
	return report, err
}

// refuseInUse refuses a database that servers work on. A SQLite file that is
// in use cannot be opened in the first place.
func (s *Store) refuseInUse(ctx context.Context) error {
	live, err := s.liveNodes(ctx)
	if err == nil && len(live) > 0 {
		err = fmt.Errorf("%d servers use the PostgreSQL database: stop them, and wait 10 s if they were killed", len(live))
	}
	return err
}

// A copyTable is a table as the copy sees it: any columns, and those of its key.
type copyTable struct {
	name       string
	columns    []string
	key        []string
	query      string
	insert     string
	mayHaveOwn bool // a new database has rows of its own there, which are replaced
}

// tables are all that hold our records: not the jobs, which are made anew, nor
// what is known of processes, nor buckets, which SQLite has in a folder. A SQLite database tells their columns and keys.
func (s *Store) tables(ctx context.Context) (tables []copyTable, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		rows, err := tx.query(ctx, `SELECT m.name, c.name, c.pk FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
			AND m.name NOT LIKE 'river%' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'bucket%' AND m.name NOT IN ('schema_migrations', 'nodes') ORDER BY m.name, c.pk, c.cid`)
		if err != nil {
			return err
		}
		defer rows.Close()
		tables = nil
		for rows.Next() {
			var table, column string
			var pk int
			if err := rows.Scan(&table, &column, &pk); err != nil {
				return err
			}
			if len(tables) == 0 || tables[len(tables)-1].name != table {
				tables = append(tables, copyTable{name: table, mayHaveOwn: table == "meta"})
			}
			t := &tables[len(tables)-1]
			t.columns = append(t.columns, column)
			if pk > 0 {
				t.key = append(t.key, column)
			}
		}
		return rows.Err()
	})
	for n := range tables {
		t := &tables[n]
		if len(t.key) == 0 {
			return nil, fmt.Errorf("table %s has no key to order its rows by", t.name)
		}
		list := strings.Join(t.columns, ", ")
		t.query = "SELECT " + list + " FROM " + t.name + " ORDER BY " + strings.Join(t.key, ", ")
		t.insert = "INSERT INTO " + t.name + " (" + list + ") VALUES (?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	}
	return tables, err
}

// copy copies a table's rows and compares them with what is there afterwards.
func (t copyTable) copy(ctx context.Context, src, dst *Tx) (int, error) {
	there, err := dst.count(ctx, t.name)
	if err != nil {
		return 0, err
	}
	if there > 0 && !t.mayHaveOwn {
		return 0, fmt.Errorf("the database to copy to is not empty: it has %d rows", there)
	}
	if _, err := dst.exec(ctx, "DELETE FROM "+t.name); err != nil {
		return 0, err
	}
	n := 0
	err = t.each(ctx, src, func(row []any) error {
		n++
		_, err := dst.exec(ctx, t.insert, row...)
		return err
	})
	if err != nil {
		return n, err
	}
	return n, t.compare(ctx, src, dst, n)
}

// compare reads both tables side by side.
func (t copyTable) compare(ctx context.Context, src, dst *Tx, want int) error {
	next, stop := t.rows(ctx, dst)
	defer stop()
	n := 0
	err := t.each(ctx, src, func(row []any) error {
		n++
		got, err := next()
		if err == nil && !reflect.DeepEqual(got, row) {
			err = fmt.Errorf("row %d with the key %v differs after the copy", n, row[len(row)-len(t.key):])
		}
		return err
	})
	if err != nil {
		return err
	}
	if got, err := next(); err != nil || got != nil {
		return errors.Join(err, fmt.Errorf("there are more than the %d rows that were copied", want))
	}
	return nil
}

func (t copyTable) each(ctx context.Context, tx *Tx, f func(row []any) error) error {
	next, stop := t.rows(ctx, tx)
	defer stop()
	for {
		row, err := next()
		if err != nil || row == nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// rows reads a table in the order of its key. next answers nil at the end.
func (t copyTable) rows(ctx context.Context, tx *Tx) (next func() ([]any, error), stop func()) {
	rows, err := tx.query(ctx, t.query)
	if err != nil {
		return func() ([]any, error) { return nil, err }, func() {}
	}
	return func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		row, into := make([]any, len(t.columns)), make([]any, len(t.columns))
		for n := range row {
			into[n] = &row[n]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for n, value := range row {
			if b, ok := value.([]byte); ok {
				row[n] = slices.Clone(b)
			}
		}
		return row, nil
	}, func() { rows.Close() }
}
