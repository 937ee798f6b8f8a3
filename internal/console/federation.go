package console

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
)

// Federation signs people in at an identity provider.
type Federation interface {
	// Begin answers where to send somebody who is to come back to an address,
	// and what to keep of them meanwhile.
	Begin(ctx context.Context, back string) (to string, attempt json.RawMessage, err error)
	// End answers the temporary credentials of somebody who has come back with
	// an answer. A *RefusedError says to them why there are none.
	End(r *http.Request, attempt json.RawMessage, back string, answer url.Values) (Admitted, error)
}

// Admitted are temporary credentials.
type Admitted struct {
	AccessKeyID, Token string
	Ends               time.Time
}

// RefusedError is why somebody was not signed in.
type RefusedError struct{ Message string }

func (e *RefusedError) Error() string { return e.Message }

const (
	attemptCookie = "hadron-sign-in"
	attemptTime   = 10 * time.Minute
	attemptAs     = "console-sign-in"
)

// attempt is a sign-in that has begun.
type attempt struct {
	Provider json.RawMessage `json:"p"`
	To       string          `json:"t"`
	Ends     time.Time       `json:"e"`
}

func (c *Console) back() string { return c.URL + Root + "/sign-in/callback" }

// beginFederation sends somebody to the identity provider.
func (c *Console) beginFederation(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	provider, kept, err := c.Federation.Begin(r.Context(), c.back())
	if err != nil {
		c.notAdmitted(w, r, to, err)
		return
	}
	text, err := json.Marshal(attempt{Provider: kept, To: to, Ends: c.now().Add(attemptTime)})
	if err != nil {
		c.notAdmitted(w, r, to, err)
		return
	}
	http.SetCookie(w, c.attempt(r, url.QueryEscape(c.Sealer.Seal(auth.Secret(text), attemptAs)), int(attemptTime.Seconds())))
	http.Redirect(w, r, provider, http.StatusSeeOther)
}

func (c *Console) attempt(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: attemptCookie, Value: value, Path: Root + "/sign-in", MaxAge: age, HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode,
	}
}

// endFederation signs somebody in who comes back from the identity provider.
// Each attempt is good once.
func (c *Console) endFederation(w http.ResponseWriter, r *http.Request) {
	begun, ok := c.begun(r)
	http.SetCookie(w, c.attempt(r, "", -1))
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	from := "provider " + host
	switch {
	case !ok:
		c.notAdmitted(w, r, "", &RefusedError{"This sign-in was not begun here, or too long ago. Begin it once more."})
		return
	case !c.signIns.allowed(from):
		c.notAdmitted(w, r, begun.To, &RefusedError{"Too many failed sign-ins from your address. Wait a minute and try again."})
		return
	}
	admitted, err := c.Federation.End(r, begun.Provider, c.back(), r.URL.Query())
	if err != nil {
		c.signIns.failed(from)
		c.notAdmitted(w, r, begun.To, err)
		return
	}
	ends := c.now().Add(sessionTime)
	if admitted.Ends.Before(ends) {
		ends = admitted.Ends
	}
	if err := c.writeSession(w, r, session{AccessKeyID: admitted.AccessKeyID, Token: admitted.Token, Region: defaultRegion, Ends: ends}); err != nil {
		c.notAdmitted(w, r, begun.To, err)
		return
	}
	http.Redirect(w, r, destination(begun.To), http.StatusSeeOther)
}

func (c *Console) begun(r *http.Request) (a attempt, ok bool) {
	cookie, err := r.Cookie(attemptCookie)
	if err != nil {
		return a, false
	}
	sealed, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return a, false
	}
	text, err := c.Sealer.Open(sealed, attemptAs)
	return a, err == nil && json.Unmarshal([]byte(text), &a) == nil && a.Ends.After(c.now())
}

// notAdmitted shows the sign-in page with what went wrong.
func (c *Console) notAdmitted(w http.ResponseWriter, r *http.Request, to string, err error) {
	status, problem := http.StatusForbidden, ""
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		problem = refused.Message
	} else {
		c.Logger.ErrorContext(r.Context(), "sign-in at the identity provider", "err", err)
		status, problem = http.StatusBadGateway, "The identity provider could not be asked. Try again; if it stays so, the server's log says why."
	}
	c.render(w, r, status, signInView(c.Version, signInForm{To: to, Region: defaultRegion, Problem: problem, Provider: c.FederationName}))
}

// signInAgain goes on with a form that was kept, for somebody who has signed in
// at the identity provider meanwhile, in another window.
func (c *Console) signInAgain(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 2*maxForm)
	form := signInForm{Region: defaultRegion, To: r.PostFormValue("to"), Provider: c.FederationName}
	form.Kept = kept(r.PostForm)
	if _, _, ok := c.readSession(r); !ok {
		form.Problem = "You are not signed in yet."
		c.render(w, r, http.StatusForbidden, signInView(c.Version, form))
		return
	}
	http.Redirect(w, r, destination(form.To), http.StatusTemporaryRedirect)
}
