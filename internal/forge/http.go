package forge

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxAnswer  = 16 << 20 // bytes
	maxMessage = 500      // characters
	maxWait    = time.Hour
)

// newHTTP makes the one HTTP client that the clients of all servers use.
func newHTTP(now func() time.Time) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: guard{http.DefaultTransport, now}, CheckRedirect: sameServer}
}

// sameServer keeps credentials where they belong.
func sameServer(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > 5:
		return errors.New("the server redirects again and again")
	case r.URL.Host != first.Host || first.Scheme == "https" && r.URL.Scheme != "https":
		return fmt.Errorf("the server redirects to %s://%s, which is not followed: connect that address instead", r.URL.Scheme, r.URL.Host)
	}
	return nil
}

// guard bounds what servers answer, and makes an *Error of what is no success
// before a client sees it: each has words of its own for that, some of them
// whole pages of HTML, and few keep when to ask again.
type guard struct {
	next http.RoundTripper
	now  func() time.Time
}

// RoundTrip carries out a request.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	if answer.StatusCode < 400 {
		return answer, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what there is of it
	return nil, &Error{
		Address: r.URL.Scheme + "://" + r.URL.Host + r.URL.Path,
		Status:  answer.StatusCode, Message: message(text), RetryAfter: retryAfter(answer.Header, g.now()),
	}
}

// Error is an answer that is not a success.
type Error struct {
	Address string // what was asked
	Status  int
	Message string
	// RetryAfter is how long the server wants to be left alone; zero if it does
	// not say.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.Address, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Limited reports whether the server wants to be asked less often.
func (e *Error) Limited() bool {
	return e.Status == http.StatusTooManyRequests ||
		e.Status == http.StatusForbidden && (e.RetryAfter > 0 || strings.Contains(strings.ToLower(e.Message), "rate limit"))
}

// Transient reports whether the same may succeed later: the server is in
// trouble, or wants to be asked less often.
func (e *Error) Transient() bool { return e.Status >= 500 || e.Limited() }

// plain takes an *Error out of what clients have wrapped it in.
func plain(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return err
}

// retryAfter reads when a server wants to be asked again: what HTTP says for
// it, and what GitHub and GitLab say once nothing remains of an hour's calls.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	if text := h.Get("Retry-After"); text != "" {
		if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
			wait = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(text); err == nil {
			wait = at.Sub(now)
		}
	}
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		at, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		if wait == 0 && err == nil && h.Get(prefix+"Remaining") == "0" {
			wait = time.Unix(at, 0).Sub(now)
		}
	}
	return min(max(wait, 0), maxWait)
}

// message is what a refusal says, in any of the servers' shapes.
func message(body []byte) string {
	var said map[string]any
	if json.Unmarshal(body, &said) != nil {
		return "" // a page for people, of whatever stands in front
	}
	text := cmp.Or(words(said["message"]), words(said["error"]))
	if more := words(said["errors"]); more != "" {
		text += " (" + more + ")"
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage]) + "…"
	}
	return text
}

// words flattens what may be a text, a list, or an object that has a message
// or names fields.
func words(said any) string {
	var parts []string
	switch said := said.(type) {
	case nil:
	case []any:
		for _, one := range said {
			parts = append(parts, words(one))
		}
	case map[string]any:
		if text := words(said["message"]); text != "" {
			return text
		}
		for _, key := range slices.Sorted(maps.Keys(said)) {
			parts = append(parts, key+": "+words(said[key]))
		}
	default:
		return fmt.Sprint(said)
	}
	return strings.Join(parts, ", ")
}
