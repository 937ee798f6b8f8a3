// Package tofustate keeps the states of OpenTofu and Terraform: a server of
// their "http" backend protocol, and methods for the process that owns it.
//
// Every write is kept as a version of its own, sealed with the server's master
// key, so that a copy of the database shows nothing of what is in a state. A
// state is locked for one run at a time; a write under a lock that was broken
// meanwhile is refused. A state that is not needed any more is archived, not
// removed, and its name is free again.
//
// The package looks into states no further than their serial and lineage. It
// knows no access keys (an Authorizer does), and never logs what it keeps.
package tofustate

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/store"
)

// MaxState is the size in bytes above which a state is refused.
const MaxState = 64 << 20

// Authorizer decides who may use a state over HTTP. user is an access key and
// password its secret, which an implementation compares in constant time. It
// returns ErrDenied, perhaps wrapped, for those who may not.
type Authorizer interface {
	Authorize(ctx context.Context, user, password, state string) error
}

// Config is what States needs. Store, Sealer and Authorizer must be set.
type Config struct {
	Store      *store.Store
	Sealer     *auth.Sealer
	Authorizer Authorizer
	// Ended reports whether whatever used an access key is over for good, so
	// that the lock it has left may be broken. Nil: locks are only broken by
	// the run that holds them, and by Unlock.
	Ended func(ctx context.Context, user string) (bool, error)
	// Keep is how many versions of each state are kept; default 100.
	Keep   int
	Logger *slog.Logger // for what is wrong with the server itself; default: nowhere
}

// States keeps states. It is safe for concurrent use.
type States struct{ Config }

// New returns States with the defaults filled in.
func New(c Config) (*States, error) {
	if c.Store == nil || c.Sealer == nil || c.Authorizer == nil {
		return nil, errors.New("states: store, sealer and authorizer must be set")
	}
	if c.Keep <= 0 {
		c.Keep = 100
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &States{c}, nil
}

var (
	// ErrDenied is what an Authorizer returns for those who may not.
	ErrDenied = errors.New("access denied")
	// ErrInvalid is in the chain of errors about what was sent.
	ErrInvalid = errors.New("invalid")
	// ErrOutdated is in the chain of the error about a state that does not
	// follow the one that is kept.
	ErrOutdated = errors.New("outdated")
)

// LockedError says who holds the lock that was in the way.
type LockedError struct{ Holder Lock }

func (e *LockedError) Error() string { return "the state is locked by " + e.Holder.String() }

// NotLockedError says that the lock a caller relied on is not his: it was
// broken, or never taken.
type NotLockedError struct{ ID string }

func (e *NotLockedError) Error() string {
	return fmt.Sprintf("the lock %q is not held any more: it was given up, or broken by someone else", e.ID)
}

// Lock is a held lock.
type Lock struct {
	ID   string
	Run  string          // empty: not taken by a run of this server
	User string          // access key
	Info json.RawMessage // the holder's own description, as the tools make it
	At   time.Time
}

// String describes the holder for people.
func (l Lock) String() string {
	var info struct{ Operation, Who string }
	json.Unmarshal(l.Info, &info) // what can't be read is left out
	text := "lock " + l.ID
	if l.Run != "" {
		text = "run " + l.Run
	}
	if info.Who != "" {
		text += " (" + info.Who + ")"
	}
	if info.Operation != "" {
		text += " for " + info.Operation
	}
	return text + " since " + l.At.UTC().Format(time.RFC3339)
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,15}$`)

func checkName(name string) error {
	if len(name) > 512 || !validName.MatchString(name) {
		return fmt.Errorf("state name %q: must be words of letters, digits, \"_\", \"-\" and \".\", separated by \"/\", 512 characters at most: %w", name, ErrInvalid)
	}
	return nil
}

// Pull returns the newest version of a state, nil if there is none.
func (s *States) Pull(ctx context.Context, name string) ([]byte, error) {
	content, _, err := s.read(ctx, name, 0)
	return content, err
}

// PullVersion returns an older version, as Versions numbers them; nil if it is
// not kept.
func (s *States) PullVersion(ctx context.Context, name string, number int64) ([]byte, error) {
	content, _, err := s.read(ctx, name, number)
	return content, err
}

// read returns a version, the newest for number 0, and its MD5 sum.
func (s *States) read(ctx context.Context, name string, number int64) ([]byte, string, error) {
	if err := checkName(name); err != nil {
		return nil, "", err
	}
	var v store.TofuStateVersion
	found := false
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		st, ok, err := tx.TofuState(ctx, name)
		if err != nil || !ok {
			return err
		}
		if number == 0 {
			number = st.Latest
		}
		v, found, err = tx.TofuStateVersion(ctx, st.ID, number)
		return err
	})
	if err != nil || !found {
		return nil, "", err
	}
	content, err := s.open(v)
	if err != nil {
		return nil, "", fmt.Errorf("state %s version %d: %w", name, v.Number, err)
	}
	return content, v.MD5, nil
}

// Push writes a state for a run, as a tool that failed to do so would have:
// only if it follows the newest version (ErrOutdated), and nobody else holds
// the lock (LockedError). What is there already is not written again.
func (s *States) Push(ctx context.Context, name, run string, content []byte) error {
	return s.write(ctx, name, content, write{run: run, follow: true})
}

// write says how a version is written.
type write struct {
	run    string
	lockID string // the lock the writer has; empty: he says he has none
	follow bool   // refuse what does not follow the newest version
}

func (s *States) write(ctx context.Context, name string, content []byte, w write) error {
	if err := checkName(name); err != nil {
		return err
	}
	v, err := describe(content)
	if err != nil {
		return err
	}
	v.RunID, v.WrittenAt = w.run, time.Now().UTC()
	packed := pack(content) // before the transaction: it takes a while
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		st, err := stateFor(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := mayWrite(st, w); err != nil {
			return err
		}
		if w.follow && st.Latest > 0 {
			last, ok, err := tx.TofuStateVersionHead(ctx, st.ID, st.Latest)
			if err != nil {
				return err
			}
			if ok && last.MD5 == v.MD5 {
				return nil
			}
			if ok && (last.Lineage != v.Lineage || last.Serial >= v.Serial) {
				return fmt.Errorf("state %s: serial %d of lineage %q does not follow serial %d of %q: %w",
					name, v.Serial, v.Lineage, last.Serial, last.Lineage, ErrOutdated)
			}
		}
		st.Latest++
		v.StateID, v.Number = st.ID, st.Latest
		v.Content = s.Sealer.Seal(auth.Secret(packed), sealName(v))
		if err := tx.InsertTofuStateVersion(ctx, v); err != nil {
			return err
		}
		if err := tx.DeleteTofuStateVersions(ctx, st.ID, v.Number-int64(s.Keep)); err != nil {
			return err
		}
		return tx.SaveTofuState(ctx, st)
	})
}

func mayWrite(st store.TofuState, w write) error {
	switch {
	case w.lockID != "" && !same(w.lockID, st.LockID):
		if st.LockID != "" {
			return &LockedError{lockOf(st)}
		}
		return &NotLockedError{w.lockID}
	case w.lockID == "" && st.LockID != "" && (w.run == "" || !w.follow || st.LockRun != w.run):
		return &LockedError{lockOf(st)}
	}
	return nil
}

// stateFor reads the state that uses a name, or begins one.
func stateFor(ctx context.Context, tx *store.Tx, name string) (store.TofuState, error) {
	st, ok, err := tx.TofuState(ctx, name)
	if err != nil || ok {
		return st, err
	}
	st = store.TofuState{ID: uuid.NewString(), Name: name, CreatedAt: time.Now().UTC()}
	if err := tx.SaveTofuState(ctx, st); err != nil {
		return st, err
	}
	st.Revision = 1
	return st, nil
}

// describe reads what is known of every state. Encrypted ones have a serial
// and a lineage too.
func describe(content []byte) (store.TofuStateVersion, error) {
	if len(content) > MaxState {
		return store.TofuStateVersion{}, fmt.Errorf("the state has %d bytes, more than the %d allowed: %w", len(content), MaxState, ErrInvalid)
	}
	var head struct {
		Serial  int64  `json:"serial"`
		Lineage string `json:"lineage"`
	}
	if !bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return store.TofuStateVersion{}, fmt.Errorf("the state is not a JSON object: %w", ErrInvalid)
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return store.TofuStateVersion{}, fmt.Errorf("the state is not a JSON object with a serial and a lineage: %w", ErrInvalid)
	}
	sum := md5.Sum(content)
	return store.TofuStateVersion{Serial: head.Serial, Lineage: head.Lineage, MD5: hex.EncodeToString(sum[:]), Size: int64(len(content))}, nil
}

// sealName binds sealed content to its place, so that versions can't be swapped.
func sealName(v store.TofuStateVersion) string {
	return fmt.Sprintf("tofu-state/%s/%d", v.StateID, v.Number)
}

func pack(content []byte) string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is valid
	z.Write(content)                                // into memory: never fails
	z.Close()
	return b.String()
}

func (s *States) open(v store.TofuStateVersion) ([]byte, error) {
	packed, err := s.Sealer.Open(v.Content, sealName(v))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader([]byte(packed)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, MaxState+1))
}

func lockOf(st store.TofuState) Lock {
	return Lock{ID: st.LockID, Run: st.LockRun, User: st.LockUser, Info: json.RawMessage(st.LockInfo), At: st.LockedAt}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
