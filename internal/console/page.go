package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/a-h/templ"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)

// pageFunc answers a page. An error becomes a page that says it.
type pageFunc func(w http.ResponseWriter, r *http.Request) error

// invalid is a mistake in what somebody sent.
func invalid(message string) error {
	return &awsjson.Error{Code: "ValidationException", Status: http.StatusBadRequest, Message: message}
}

func cut(pattern string) (method, path string) {
	if method, path, ok := strings.Cut(pattern, " "); ok {
		return method + " ", path
	}
	return "", pattern
}

const maxForm = 2 << 20

func (c *Console) page(f pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				c.problem(w, r, invalid("The form could not be read: "+err.Error()))
				return
			}
		}
		if err := f(w, r); err != nil {
			c.problem(w, r, err)
		}
	}
}

// problem shows an error as a page of its own.
func (c *Console) problem(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*awsjson.Error](err)
	if !ok {
		c.Logger.ErrorContext(r.Context(), "console page failed", "path", r.URL.Path, "err", err)
		e = &awsjson.Error{Code: "InternalServerException", Status: http.StatusInternalServerError, Message: "Something went wrong here; the server's log has the cause."}
	}
	status := e.Status
	switch e.Code {
	case "ResourceNotFoundException":
		status = http.StatusNotFound
	case "AccessDeniedException":
		status = http.StatusForbidden
	}
	if status < 400 {
		status = http.StatusBadRequest
	}
	c.show(w, r, status, "Not possible", problemView(e))
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) error {
	return &awsjson.Error{Code: "ResourceNotFoundException", Message: "There is no page at this address."}
}

// frame is what surrounds the content of every page.
type frame struct {
	Title, Path, Account, Region, Who, Version, Return string
	Seen                                               string // identifies the content
	Live                                               string // "yes": the page follows what happens
	Busy                                               bool   // something on it is going on
}

func (c *Console) frameOf(r *http.Request, title string) frame {
	p, _ := auth.PrincipalFrom(r.Context())
	return frame{Title: title, Path: strings.TrimPrefix(r.URL.Path, Root), Account: p.AccountID, Region: p.Region, Who: p.ARN, Version: c.Version, Return: r.URL.RequestURI()}
}

// show answers a whole page, or only its content to a page that follows it.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, title string, content templ.Component) {
	html, err := c.html(r, content)
	if err == nil && r.Header.Get("HX-Request") == "" {
		f := c.frameOf(r, title)
		f.Seen, f.Busy = fingerprint(html), bytes.Contains(html, []byte(`class="status busy"`))
		if r.Method == http.MethodGet && status == http.StatusOK && !strings.Contains(string(html), "<form class=\"wide\"") {
			f.Live = "yes" // a page with a form that one fills in must not change under one's hands
		}
		html, err = c.html(r, layout(f, templ.Raw(string(html))))
	}
	c.send(w, r, status, html, err)
}

// ok shows a page that went well.
func (c *Console) ok(w http.ResponseWriter, r *http.Request, title string, content templ.Component) error {
	c.show(w, r, http.StatusOK, title, content)
	return nil
}

// render answers a component that is a page of its own.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, content templ.Component) {
	html, err := c.html(r, content)
	c.send(w, r, status, html, err)
}

func (c *Console) html(r *http.Request, content templ.Component) ([]byte, error) {
	var b bytes.Buffer
	err := content.Render(context.WithoutCancel(r.Context()), &b)
	return b.Bytes(), err
}

// send writes a page whole, or an error in its place, never half of it.
func (c *Console) send(w http.ResponseWriter, r *http.Request, status int, html []byte, err error) {
	if err != nil {
		c.Logger.ErrorContext(r.Context(), "console page cannot be rendered", "path", r.URL.Path, "err", err)
		http.Error(w, "The page could not be made; the server's log has the cause.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(html)
}

// fingerprint identifies what a page says.
func fingerprint(html []byte) string {
	sum := sha256.Sum256(html)
	return hex.EncodeToString(sum[:8])
}

// done leads from a form that did its work to the page that shows it.
func done(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

// pathOf is the path of an address of this console, such as a referrer.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

// mayBeGranted reports whether a call that a page can do without is worth making:
// each that is refused is recorded.
func mayBeGranted(r *http.Request, action string) bool {
	who, _ := auth.PrincipalFrom(r.Context())
	policies := []*auth.Policy{who.Policy}
	if who.Session != nil {
		policies = append(policies, who.Session.Policy)
	}
	for _, p := range policies {
		if p != nil && !p.Decide(auth.Request{Action: action, Resource: "*", Facts: func(string) []string { return nil }}).Allowed {
			return false
		}
	}
	return true
}
