package tofustate_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/tofustate"
)

// gate lets user "key" with password "secret" use the states below "acct/".
type gate struct{}

func (gate) Authorize(_ context.Context, user, password, state string) error {
	switch {
	case user == "broken":
		return errors.New("the database is on fire")
	case password != "secret" || !strings.HasPrefix(state, "acct/"):
		return fmt.Errorf("%s: %w", user, tofustate.ErrDenied)
	}
	return nil
}

func newStates(t *testing.T, change func(*tofustate.Config)) (*tofustate.States, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hadron.db")
	db, err := store.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	sealer, err := auth.NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := tofustate.Config{Store: db, Sealer: sealer, Authorizer: gate{}}
	if change != nil {
		change(&c)
	}
	s, err := tofustate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, file
}

func state(serial int, lineage, value string) []byte {
	return fmt.Appendf(nil, `{"version": 4, "serial": %d, "lineage": %q, "outputs": {"v": {"value": %q}}}`, serial, lineage, value)
}

func push(t *testing.T, s *tofustate.States, name string, content []byte) {
	t.Helper()
	if err := s.Push(t.Context(), name, "run-1", content); err != nil {
		t.Fatal(err)
	}
}

func TestEveryWriteIsKeptUpToTheBound(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, func(c *tofustate.Config) { c.Keep = 3 })
	for n := 1; n <= 5; n++ {
		push(t, s, "acct/dev", state(n, "l", "x"))
	}
	push(t, s, "acct/dev", state(5, "l", "x")) // there already
	versions, err := s.Versions(t.Context(), "acct/dev")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range versions {
		got = append(got, fmt.Sprintf("%d: serial %d of %s by %s, MD5 of %d, %d bytes", v.Number, v.Serial, v.Lineage, v.Run, len(v.MD5), v.Size))
	}
	if diff := cmp.Diff([]string{"5: serial 5 of l by run-1, MD5 of 32, 77 bytes", "4: serial 4 of l by run-1, MD5 of 32, 77 bytes", "3: serial 3 of l by run-1, MD5 of 32, 77 bytes"}, got); diff != "" {
		t.Error(diff)
	}
	newest, err := s.Pull(t.Context(), "acct/dev")
	if err != nil || string(newest) != string(state(5, "l", "x")) {
		t.Errorf("newest is %q, %v", newest, err)
	}
	older, err := s.PullVersion(t.Context(), "acct/dev", 4)
	if err != nil || string(older) != string(state(4, "l", "x")) {
		t.Errorf("version 4 is %q, %v", older, err)
	}
	if gone, err := s.PullVersion(t.Context(), "acct/dev", 2); gone != nil || err != nil {
		t.Errorf("version 2 is %q, %v; want nothing", gone, err)
	}
}

func TestPushRefusesWhatDoesNotFollow(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	push(t, s, "acct/dev", state(7, "l", "x"))
	for name, content := range map[string][]byte{
		"older":         state(6, "l", "x"),
		"same serial":   state(7, "l", "y"),
		"other lineage": state(8, "other", "x"),
	} {
		if err := s.Push(t.Context(), "acct/dev", "run-1", content); !errors.Is(err, tofustate.ErrOutdated) {
			t.Errorf("%s: got %v, want ErrOutdated", name, err)
		}
	}
	for name, content := range map[string]string{"empty": "", "list": "[1]", "text": "{nope", "serial": `{"serial": "x"}`} {
		if err := s.Push(t.Context(), "acct/dev", "run-1", []byte(content)); !errors.Is(err, tofustate.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	push(t, s, "acct/dev", state(8, "l", "x"))
}

func TestContentIsSealedAndBoundToItsPlace(t *testing.T) {
	t.Parallel()
	s, file := newStates(t, nil)
	push(t, s, "acct/a", state(1, "l", "hunter22-hunter22"))
	push(t, s, "acct/b", state(1, "l", "other"))
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT content FROM tofu_state_versions")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var content string
		if err := rows.Scan(&content); err != nil {
			t.Fatal(err)
		}
		n++
		if strings.Contains(content, "hunter22") || strings.Contains(content, "lineage") {
			t.Error("the database holds the state in plain text")
		}
	}
	rows.Close()
	if n != 2 {
		t.Fatalf("%d versions, want 2", n)
	}
	// Someone swaps the states in the database.
	if _, err := db.Exec(`UPDATE tofu_state_versions SET content = (SELECT content FROM tofu_state_versions o WHERE o.state_id != tofu_state_versions.state_id)`); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Pull(t.Context(), "acct/a"); err == nil {
		t.Errorf("another state's content was accepted: %s", got)
	}
}

func TestArchiveKeepsTheStateAndFreesTheName(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	push(t, s, "acct/dev", state(1, "first", "x"))
	push(t, s, "acct/other", state(1, "o", "x"))
	for range 2 {
		if err := s.Archive(t.Context(), "acct/dev"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Pull(t.Context(), "acct/dev"); got != nil || err != nil {
		t.Errorf("after archiving: %q, %v", got, err)
	}
	push(t, s, "acct/dev", state(1, "second", "x")) // another lineage, from serial 1
	list, err := s.List(t.Context(), "acct/dev")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].ArchivedAt.IsZero() || !list[1].ArchivedAt.IsZero() || list[0].Latest != 1 {
		t.Errorf("got %+v, want an archived state and one in use", list)
	}
	if all, err := s.List(t.Context(), ""); len(all) != 3 || err != nil {
		t.Errorf("all states: %+v, %v", all, err)
	}
}

func TestBadNamesAreRefusedByName(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	for _, name := range []string{"", "/", "a//b", "../a", "a/..", "a b", "a/", ".x", strings.Repeat("a", 513)} {
		if err := s.Push(t.Context(), name, "", state(1, "l", "x")); !errors.Is(err, tofustate.ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("name %q: got %v", name, err)
		}
	}
}

func TestOneOfManyGetsTheLock(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	c := newClient(t, s)
	var got, refused atomic.Int32
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			switch code, _ := c.do("LOCK", fmt.Sprintf("acct/dev?run=r%d", n), fmt.Sprintf(`{"ID": "lock-%d"}`, n)); code {
			case 200:
				got.Add(1)
			case 423:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d got the lock and %d were refused, want 1 and 7", got.Load(), refused.Load())
	}
}
