package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
)

// LogEvent is one line of a deployment's log.
type LogEvent struct {
	Sequence int64
	At       time.Time
	Message  string
}

// Entries are what a worker adds to what is kept of a deployment.
type Entries struct {
	Lines      []LogEvent
	Milestones []proton.Milestone // one with the Number of an earlier one replaces it
	Record     *proton.Record     // replaces the one before; nil: no change
}

// Empty reports whether there is nothing to add.
func (e Entries) Empty() bool {
	return len(e.Lines) == 0 && len(e.Milestones) == 0 && e.Record == nil
}

// Append adds to what is kept of a deployment for the worker that holds an
// attempt. jobs.ErrLost if that has been superseded.
func (s *Store) Append(ctx context.Context, id string, attempt int64, e Entries) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.AppendHeld(ctx, id, attempt, e) })
}

// AppendHeld is Append in a transaction.
func (tx *Tx) AppendHeld(ctx context.Context, id string, attempt int64, e Entries) error {
	if e.Empty() {
		return nil
	}
	held, err := tx.count(ctx, "deployments WHERE id = ? AND attempt = ?", id, attempt)
	if err == nil && held == 0 {
		err = jobs.ErrLost
	}
	if err != nil {
		return err
	}
	if err := tx.appendLines(ctx, id, e.Lines); err != nil {
		return err
	}
	for _, m := range e.Milestones {
		if err := tx.AddMilestone(ctx, id, m); err != nil {
			return err
		}
	}
	if e.Record == nil {
		return nil
	}
	return tx.saveRecord(ctx, id, *e.Record)
}

func (tx *Tx) appendLines(ctx context.Context, id string, lines []LogEvent) error {
	if len(lines) == 0 {
		return nil
	}
	var last int64
	err := tx.queryRow(ctx, "SELECT COALESCE(MAX(sequence), 0) FROM deployment_logs WHERE deployment_id = ?", []any{id}, []any{&last})
	for n, e := range lines {
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO deployment_logs (deployment_id, sequence, at, message) VALUES (?, ?, ?, ?)",
			id, last+int64(n)+1, micros(e.At), e.Message)
	}
	return err
}

// Log reads a deployment's log from behind a sequence number.
func (tx *Tx) Log(ctx context.Context, id string, after int64, limit int) ([]LogEvent, error) {
	rows, err := tx.query(ctx, "SELECT sequence, at, message FROM deployment_logs WHERE deployment_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
		id, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	events := []LogEvent{}
	for rows.Next() {
		var e LogEvent
		if err := rows.Scan(&e.Sequence, (*instant)(&e.At), &e.Message); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// AddMilestone adds a milestone to a deployment's timeline, in place of one
// with the same number. Without a number it gets one made of its instant.
func (tx *Tx) AddMilestone(ctx context.Context, id string, m proton.Milestone) error {
	if m.Number == 0 {
		m.Number = micros(m.At)
	}
	_, err := tx.exec(ctx, `INSERT INTO deployment_timeline (deployment_id, number, at, until, times, kind, attempt, message)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (deployment_id, number) DO UPDATE SET until = excluded.until, times = excluded.times, message = excluded.message`,
		id, m.Number, micros(m.At), micros(m.Until), max(m.Times, 1), string(m.Kind), m.Attempt, m.Message)
	return err
}

// Timeline reads the milestones of a deployment in order.
func (tx *Tx) Timeline(ctx context.Context, id string) ([]proton.Milestone, error) {
	rows, err := tx.query(ctx, `SELECT number, at, until, times, kind, attempt, message FROM deployment_timeline
		WHERE deployment_id = ? ORDER BY number`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []proton.Milestone{}
	for rows.Next() {
		var m proton.Milestone
		if err := rows.Scan(&m.Number, (*instant)(&m.At), (*instant)(&m.Until), &m.Times, &m.Kind, &m.Attempt, &m.Message); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// LastMilestone is the kind of the newest milestone of a deployment's workers;
// empty without one.
func (tx *Tx) LastMilestone(ctx context.Context, id string) (kind proton.MilestoneKind, err error) {
	err = tx.queryRow(ctx, "SELECT kind FROM deployment_timeline WHERE deployment_id = ? AND attempt > 0 ORDER BY number DESC LIMIT 1", []any{id}, []any{&kind})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return kind, err
}

// timelineHalf is how many milestones are kept of each end of a long timeline.
const timelineHalf = 100

// TrimTimeline takes milestones out of the middle of a long timeline.
func (tx *Tx) TrimTimeline(ctx context.Context, id string) error {
	_, err := tx.exec(ctx, `DELETE FROM deployment_timeline WHERE deployment_id = ?
		AND number NOT IN (SELECT number FROM (SELECT number FROM deployment_timeline WHERE deployment_id = ? ORDER BY number LIMIT ?) AS oldest)
		AND number NOT IN (SELECT number FROM (SELECT number FROM deployment_timeline WHERE deployment_id = ? ORDER BY number DESC LIMIT ?) AS newest)`,
		id, id, timelineHalf, id, timelineHalf)
	return err
}

func (tx *Tx) saveRecord(ctx context.Context, id string, r proton.Record) error {
	files, err := pack(r.Files)
	if err != nil {
		return fmt.Errorf("files of deployment %s: %w", id, err)
	}
	_, err = tx.exec(ctx, `INSERT INTO deployment_records (deployment_id, method, preview_json, files) VALUES (?, ?, ?, ?)
		ON CONFLICT (deployment_id) DO UPDATE SET method = excluded.method,
			preview_json = excluded.preview_json, files = excluded.files`,
		id, r.Method, document{r.Preview}, files)
	return err
}

// Record reads what is kept of a deployment for people; zero without any. Its
// files are left out unless they are asked for.
func (tx *Tx) Record(ctx context.Context, id string, withFiles bool) (proton.Record, error) {
	var r proton.Record
	var files []byte
	column := "files"
	if !withFiles {
		column = "''"
	}
	err := tx.queryRow(ctx, "SELECT method, preview_json, "+column+" FROM deployment_records WHERE deployment_id = ?",
		[]any{id}, []any{&r.Method, document{&r.Preview}, &files})
	if errors.Is(err, sql.ErrNoRows) {
		return proton.Record{}, nil
	}
	if err != nil || len(files) == 0 {
		return r, err
	}
	r.Files, err = unpack(files)
	return r, err
}

// packers are kept because each takes hundreds of kilobytes to make.
var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}}

func pack(files []proton.RenderedFile) ([]byte, error) {
	if len(files) == 0 {
		return []byte{}, nil
	}
	var b bytes.Buffer
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	err := errors.Join(json.NewEncoder(w).Encode(files), w.Close())
	return b.Bytes(), err
}

func unpack(packed []byte) (files []proton.RenderedFile, err error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	err = json.NewDecoder(r).Decode(&files)
	return files, err
}
