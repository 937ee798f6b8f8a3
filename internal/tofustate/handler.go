package tofustate

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/hadronhq/hadron/internal/store"
)

// Prefix is the path below which Handler serves states: Prefix + name. A query
// parameter "run" names the run that calls.
const Prefix = "/-/state/"

const maxLockInfo = 64 << 10

var validRun = regexp.MustCompile(`^[A-Za-z0-9._-]{0,128}$`)

// call is one authenticated request for a state.
type call struct {
	*http.Request
	name, run, user string
}

// Handler serves the protocol of the tools' "http" backend: GET, POST and
// DELETE of a state, LOCK and UNLOCK with the lock's JSON description as body,
// and the parameter ID, the lock's, on writes. A lock in the way is answered
// with 423 and the holder's description.
func (s *States) Handler() http.Handler {
	methods := map[string]func(http.ResponseWriter, call) error{
		"GET": s.get, "POST": s.post, "DELETE": s.delete, "LOCK": s.lockCall, "UNLOCK": s.unlockCall,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		c, err := s.authenticate(r)
		if err != nil {
			s.answer(w, r, err)
			return
		}
		method, ok := methods[r.Method]
		if !ok {
			w.Header().Set("Allow", "GET, POST, DELETE, LOCK, UNLOCK")
			http.Error(w, "a state takes GET, POST, DELETE, LOCK and UNLOCK", http.StatusMethodNotAllowed)
			return
		}
		if err := method(w, c); err != nil {
			s.answer(w, r, err)
		}
	})
}

func (s *States) authenticate(r *http.Request) (call, error) {
	c := call{Request: r, run: r.URL.Query().Get("run")}
	user, password, ok := r.BasicAuth()
	name, below := strings.CutPrefix(r.URL.Path, Prefix)
	if !ok || !below {
		return c, ErrDenied
	}
	if err := s.Authorizer.Authorize(r.Context(), user, password, name); err != nil {
		return c, err
	}
	c.name, c.user = name, user
	if !validRun.MatchString(c.run) {
		return c, fmt.Errorf("parameter run: must be a run's id: %w", ErrInvalid)
	}
	return c, checkName(name)
}

// answer words an error.
func (s *States) answer(w http.ResponseWriter, r *http.Request, err error) {
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	locked, isLocked := errors.AsType[*LockedError](err)
	_, isNotLocked := errors.AsType[*NotLockedError](err)
	switch {
	case errors.Is(err, ErrDenied):
		w.Header().Set("WWW-Authenticate", `Basic realm="hadron"`)
		http.Error(w, "an access key that may use this state is needed", http.StatusUnauthorized)
	case isLocked:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusLocked)
		w.Write(locked.Holder.Info)
	case isTooLarge:
		http.Error(w, fmt.Sprintf("more than %d bytes were sent", tooLarge.Limit), http.StatusRequestEntityTooLarge)
	case isNotLocked, errors.Is(err, ErrOutdated):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, ErrInvalid):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.Context().Err() != nil: // the caller has gone
	default:
		s.Logger.ErrorContext(r.Context(), "state request", "method", r.Method, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
}

func (s *States) get(w http.ResponseWriter, c call) error {
	content, sum, err := s.read(c.Context(), c.name, 0)
	if err != nil {
		return err
	}
	if content == nil {
		http.Error(w, "there is no such state", http.StatusNotFound)
		return nil
	}
	raw, err := hex.DecodeString(sum)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(raw))
	w.Write(content)
	return nil
}

func (s *States) post(w http.ResponseWriter, c call) error {
	content, err := io.ReadAll(http.MaxBytesReader(w, c.Body, MaxState))
	if err != nil {
		return readError(err)
	}
	if want := c.Header.Get("Content-MD5"); want != "" {
		sum := md5.Sum(content)
		if base64.StdEncoding.EncodeToString(sum[:]) != want {
			return fmt.Errorf("Content-MD5 is not that of the body: %w", ErrInvalid)
		}
	}
	return s.write(c.Context(), c.name, content, write{run: c.run, lockID: c.URL.Query().Get("ID")})
}

// delete archives: nothing that was in use gets lost by one call.
func (s *States) delete(_ http.ResponseWriter, c call) error {
	return s.archive(c.Context(), c.name, func(st store.TofuState) error {
		return mayWrite(st, write{lockID: c.URL.Query().Get("ID")})
	})
}

func (s *States) lockCall(w http.ResponseWriter, c call) error {
	id, info, err := lockInfo(w, c)
	if err != nil {
		return err
	}
	return s.lock(c.Context(), c.name, Lock{ID: id, Run: c.run, User: c.user, Info: info})
}

func (s *States) unlockCall(w http.ResponseWriter, c call) error {
	id, _, err := lockInfo(w, c)
	if err != nil {
		return err
	}
	return s.Unlock(context.WithoutCancel(c.Context()), c.name, id)
}

func lockInfo(w http.ResponseWriter, c call) (id string, info json.RawMessage, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Body, maxLockInfo))
	if err != nil {
		return "", nil, readError(err)
	}
	var lock struct{ ID string }
	err = json.Unmarshal(body, &lock)
	if err != nil || lock.ID == "" || len(lock.ID) > 200 {
		return "", nil, fmt.Errorf("the body must be the lock's description, a JSON object with an ID of at most 200 characters: %w", ErrInvalid)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return "", nil, err
	}
	return lock.ID, compact.Bytes(), nil
}

// readError makes a body that broke off the caller's mistake.
func readError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return fmt.Errorf("read the body: %v: %w", err, ErrInvalid)
}
