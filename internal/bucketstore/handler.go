package bucketstore

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/hadronhq/hadron/internal/auth"
)

// Handler serves the buckets, path-style, to requests signed with keys of v.
//
// It wants to see request paths as they came: a mux that cleans paths breaks
// keys such as "a//b" and "../x", which are ordinary keys.
func (s *Store) Handler(v *auth.Verifier) http.Handler {
	return &handler{store: s, verifier: v, library: library(s)}
}

type handler struct {
	store    *Store
	verifier *auth.Verifier
	library  http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := new(call)
	out := &response{ResponseWriter: w, call: c, head: r.Method == http.MethodHead}
	w.Header().Set("X-Amz-Request-Id", unique())
	// Objects share an origin with the console: a browser must not run them.
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.store.log.Error("bucket store panics", "err", p, "stack", string(debug.Stack()))
			out.refuse(r, fmt.Errorf("panic: %v", p))
		}
	}()
	if err := h.serve(out, r, c); err != nil {
		if _, ok := s3Failure(err); !ok && r.Context().Err() == nil {
			h.store.log.Error("bucket store", "method", r.Method, "err", err)
		}
		out.refuse(r, err)
	}
}

// serve answers a request, or an error if nothing was answered yet.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	// A copy, because the server looks at the body of its own request: were that
	// replaced, it would wait for a body it never asked the client to go on with.
	r = r.WithContext(r.Context())
	principal, err := h.verifier.VerifyS3(r)
	if err != nil {
		return err
	}
	asked, err := parse(r)
	if err != nil {
		return err
	}
	*c = *asked
	c.principal = principal
	if err := c.authorize(r); err != nil {
		return err
	}
	creating := r.Method == http.MethodPut && c.key == "" && c.subresource == ""
	switch {
	case creating:
		if err := checkBucketName(c.bucket); err != nil {
			return err
		}
	case c.bucket != "":
		if _, err := h.store.bucket(principal.AccountID, c.bucket); err != nil {
			return err
		}
		if principal.Region != "" {
			w.Header().Set("X-Amz-Bucket-Region", principal.Region)
		}
	}
	r = r.WithContext(context.WithValue(auth.WithPrincipal(r.Context(), principal), callKey{}, c))
	if c.subresource == "uploads" || c.subresource == "uploadId" {
		return h.multipart(w, r, c)
	}
	h.library.ServeHTTP(w, plain(r, c))
	return nil
}

// plain is a request as the library is to see it: with a body that is already
// decoded and checked, and a path it takes apart as parse did.
func plain(r *http.Request, c *call) *http.Request {
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = "/"+c.bucket, ""
	if c.key != "" {
		r.URL.Path += "/" + c.key
	}
	for _, name := range []string{"X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "Content-Length"} {
		r.Header.Del(name)
	}
	if r.ContentLength >= 0 {
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		r.TransferEncoding = nil
	}
	return r
}

// response corrects what the library answers: statuses of refusals it does not
// know, and headers that are not ours to send.
type response struct {
	http.ResponseWriter
	call    *call
	head    bool
	started bool
}

func (w *response) WriteHeader(status int) {
	if status == http.StatusInternalServerError && w.call.status != 0 {
		status = w.call.status
	}
	if !w.started {
		w.started = true
		for _, name := range []string{"Server", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Expose-Headers"} {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the system send a file by itself.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	return io.Copy(w.ResponseWriter, r)
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// errorBody is S3's error document.
type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

// refuse answers an error, unless an answer has begun: then the connection is
// cut, so that no client takes it for whole.
func (w *response) refuse(r *http.Request, err error) {
	if w.started {
		panic(http.ErrAbortHandler)
	}
	f, ok := s3Failure(err)
	if !ok {
		f = &failure{"InternalError", "We encountered an internal error. Please try again.", http.StatusInternalServerError}
	}
	w.call.status = 0
	writeXML(w, f.status, errorBody{Code: f.code, Message: f.message, Resource: r.URL.Path, RequestID: w.Header().Get("X-Amz-Request-Id")})
}

// writeXML answers a document; to HEAD, its headers.
func writeXML(w *response, status int, document any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if w.head {
		return
	}
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(document) // a client that is gone cannot be told
}
