package console

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hadronhq/hadron/internal/auth"
)

const (
	cookieName    = "hadron-session"
	sessionTime   = 12 * time.Hour
	sealedAs      = "console-session"
	defaultRegion = "us-east-1"
)

// session is who is signed in; it lives in a sealed cookie, so that any node
// can read it and a restart ends none.
type session struct {
	AccessKeyID string    `json:"k"`
	Token       string    `json:"t,omitempty"` // of temporary credentials
	Region      string    `json:"r"`
	Ends        time.Time `json:"e"`
}

func (c *Console) writeSession(w http.ResponseWriter, r *http.Request, s session) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: url.QueryEscape(c.Sealer.Seal(auth.Secret(text), sealedAs)), Path: Root, Expires: s.Ends,
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// secure reports whether a request came by TLS, to here or to a proxy.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// readSession answers the session of a request, and the principal it stands
// for, looked up anew: a key that was deleted opens nothing any more.
func (c *Console) readSession(r *http.Request) (session, auth.Principal, bool) {
	var s session
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return s, auth.Principal{}, false
	}
	sealed, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return s, auth.Principal{}, false
	}
	text, err := c.Sealer.Open(sealed, sealedAs)
	if err != nil || json.Unmarshal([]byte(text), &s) != nil || !s.Ends.After(c.now()) {
		return s, auth.Principal{}, false
	}
	key, ok, err := c.Keys.Key(r.Context(), s.AccessKeyID, s.Token)
	if err != nil || !ok || key.Expired(c.now()) {
		return s, auth.Principal{}, false
	}
	return s, key.Principal(s.AccessKeyID, s.Region, r), true
}

type sessionKey struct{}

// signedIn lets only people in who are signed in, and shows others the way.
func (c *Console) signedIn(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, principal, ok := c.readSession(r)
		if !ok {
			c.sendToSignIn(w, r)
			return
		}
		ctx := auth.WithPrincipal(context.WithValue(r.Context(), sessionKey{}, s), principal)
		next(w, r.WithContext(ctx))
	})
}

// sendToSignIn shows the way to the sign-in page, and back. A form that was
// filled in is carried along.
func (c *Console) sendToSignIn(w http.ResponseWriter, r *http.Request) {
	to := r.URL.RequestURI()
	if r.URL.Path == Root+"/live" {
		to = ""
	}
	posted := r.Method == http.MethodPost
	part := r.Header.Get("HX-Request") != "" // of a page, which must not become the sign-in page
	switch {
	case posted && part: // the page says so, and keeps what is typed in it
		w.WriteHeader(http.StatusUnauthorized)
		return
	case posted && isEditor(w, r):
		c.render(w, r, http.StatusOK, signInView(c.Version, signInForm{To: to, Region: cmp.Or(r.PostForm.Get("region"), defaultRegion), Kept: kept(r.PostForm), Provider: c.FederationName}))
		return
	case posted:
		to = pathOf(r.Referer())
	}
	page := Root + "/sign-in?to=" + url.QueryEscape(to)
	if part {
		w.Header().Set("HX-Redirect", page)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// isEditor reports whether a request posts a form that one has typed much into,
// or a rollout.
func isEditor(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	return r.ParseForm() == nil && (r.PostForm.Has("spec") || r.PostForm.Has("template-file") || r.PostForm.Has("item"))
}

// kept are the fields of a form that go through a sign-in: all but those of the
// sign-in itself, and without what would submit it.
func kept(post url.Values) url.Values {
	fields := maps.Clone(post)
	for _, own := range []string{"access-key-id", "secret-access-key", "session-token", "region", "to", "do"} {
		delete(fields, own)
	}
	if len(fields) > 0 {
		fields.Set("kept", "yes")
	}
	return fields
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := c.readSession(r); ok {
		http.Redirect(w, r, destination(r.URL.Query().Get("to")), http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, signInView(c.Version, signInForm{To: r.URL.Query().Get("to"), Region: defaultRegion, Provider: c.FederationName}))
}

type signInForm struct {
	AccessKeyID, Region, To, Problem string
	Kept                             url.Values // a form to go on with
	Provider                         string     // where one can sign in as well; empty: nowhere
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 2*maxForm)
	form := signInForm{
		AccessKeyID: strings.TrimSpace(r.PostFormValue("access-key-id")), Region: strings.TrimSpace(r.PostFormValue("region")), To: r.PostFormValue("to"),
		Provider: c.FederationName,
	}
	form.Kept = kept(r.PostForm)
	refuse := func(status int, problem string) {
		form.Problem = problem
		c.render(w, r, status, signInView(c.Version, form))
	}
	if !regionName.MatchString(form.Region) {
		refuse(http.StatusBadRequest, "The Region must look like us-east-1.")
		return
	}
	if !c.signIns.allowed(form.AccessKeyID) {
		refuse(http.StatusTooManyRequests, "Too many failed sign-ins with this key. Wait a minute and try again.")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("session-token"))
	key, ok, err := c.Keys.Key(r.Context(), form.AccessKeyID, token)
	if err != nil {
		c.Logger.ErrorContext(r.Context(), "sign-in: keys cannot be read", "err", err)
		refuse(http.StatusInternalServerError, "The keys could not be read. Try again; if it stays so, the server's log says why.")
		return
	}
	secret := strings.TrimSpace(r.PostFormValue("secret-access-key"))
	if !ok || key.Expired(c.now()) || subtle.ConstantTimeCompare([]byte(secret), []byte(string(key.Secret))) != 1 {
		c.signIns.failed(form.AccessKeyID)
		refuse(http.StatusForbidden, "The access key id or the secret access key is not right.")
		return
	}
	if err := c.writeSession(w, r, session{AccessKeyID: form.AccessKeyID, Token: token, Region: form.Region, Ends: c.now().Add(sessionTime)}); err != nil {
		c.Logger.ErrorContext(r.Context(), "sign-in: session cannot be sealed", "err", err)
		refuse(http.StatusInternalServerError, "The session could not be started.")
		return
	}
	if len(form.Kept) > 0 {
		http.Redirect(w, r, destination(form.To), http.StatusTemporaryRedirect) // posts the form once more, to be checked
		return
	}
	http.Redirect(w, r, destination(form.To), http.StatusSeeOther)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: Root, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, Root+"/sign-in", http.StatusSeeOther)
}

// destination is where a sign-in leads to: a page of the console, never
// another site.
func destination(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path.Clean(u.Path)+"/", Root+"/") || strings.Contains(to, "\\") {
		return Root + "/"
	}
	return u.RequestURI()
}

func regionOf(r *http.Request) string {
	p, _ := auth.PrincipalFrom(r.Context())
	return p.Region
}

// changeRegion moves the session to another Region.
func (c *Console) changeRegion(w http.ResponseWriter, r *http.Request) error {
	s, _ := r.Context().Value(sessionKey{}).(session)
	region := strings.TrimSpace(r.PostFormValue("region"))
	if !regionName.MatchString(region) {
		return invalid("The Region must look like us-east-1.")
	}
	s.Region = region
	if err := c.writeSession(w, r, s); err != nil {
		return err
	}
	http.Redirect(w, r, Root+"/", http.StatusSeeOther)
	return nil
}

// attempts bounds failed sign-ins with one key: five at once, then one each
// twelve seconds. Keys that nobody tries are forgotten.
type attempts struct {
	mu    sync.Mutex
	tries map[string]*rate.Limiter
}

const maxTriedKeys = 10_000

func newAttempts() *attempts { return &attempts{tries: map[string]*rate.Limiter{}} }

func (a *attempts) allowed(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.tries[key]
	return l == nil || l.Tokens() >= 1
}

func (a *attempts) failed(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tries[key] == nil {
		if len(a.tries) >= maxTriedKeys {
			clear(a.tries)
		}
		a.tries[key] = rate.NewLimiter(rate.Every(12*time.Second), 5)
	}
	a.tries[key].Allow()
}
