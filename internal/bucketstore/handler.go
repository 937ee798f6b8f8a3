package bucketstore

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
)

// Handler serves the buckets, path-style, to requests signed with keys of v.
//
// It wants to see request paths as they came: a mux that cleans paths breaks
// keys such as "a//b" and "../x", which are ordinary keys.
func (s *Store) Handler(v *auth.Verifier, told func(*http.Request, Call)) http.Handler {
	return &handler{store: s, log: s.log, verifier: v, told: told}
}

// Call is a call that has been answered.
type Call struct {
	Principal     auth.Principal // zero if nobody was recognized
	Name          string         // of the operation, as S3 has it
	Bucket, Key   string
	RequestID     string
	Code, Message string // of a refusal; empty for success
}

// ARN is that of the object or bucket.
func (c Call) ARN() string {
	switch {
	case c.Key != "":
		return objectARN(c.Bucket, c.Key)
	case c.Bucket != "":
		return bucketARN(c.Bucket)
	}
	return ""
}

// tell tells of a call that was answered, with err if it was refused.
func (h *handler) tell(w *response, r *http.Request, c *call, err error) {
	if h.told == nil {
		return
	}
	done := Call{RequestID: w.Header().Get("X-Amz-Request-Id"), Name: r.Method}
	if c != nil {
		done.Principal, done.Bucket, done.Key, done.Name = c.principal, c.bucket, c.key, c.operation(r)
	}
	if err != nil {
		f, ok := s3Failure(err)
		if !ok {
			f = errInternal
		}
		done.Code, done.Message = f.code, f.message
	}
	h.told(r, done)
}

// operation is the call's name in S3.
func (c *call) operation(r *http.Request) string {
	for _, o := range []struct {
		method, subresource string
		key                 bool
		name                string
	}{
		{"POST", "uploads", true, "CreateMultipartUpload"}, {"PUT", "uploadId", true, "UploadPart"},
		{"POST", "uploadId", true, "CompleteMultipartUpload"}, {"DELETE", "uploadId", true, "AbortMultipartUpload"},
		{"PUT", "", false, "CreateBucket"}, {"DELETE", "", false, "DeleteBucket"}, {"POST", "delete", false, "DeleteObjects"},
		{"DELETE", "", true, "DeleteObject"},
	} {
		if o.method == r.Method && o.subresource == c.subresource && o.key == (c.key != "") {
			return o.name
		}
	}
	if r.Method == http.MethodPut && c.subresource == "" && r.Header.Get("X-Amz-Copy-Source") != "" {
		return "CopyObject"
	}
	_, name, _ := strings.Cut(c.action(r.Method), ":")
	return cmp.Or(name, r.Method)
}

type handler struct {
	store    shelves
	log      *slog.Logger
	verifier *auth.Verifier
	told     func(*http.Request, Call) // nil: nobody
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w, head: r.Method == http.MethodHead}
	w.Header().Set("X-Amz-Request-Id", unique())
	// Objects share an origin with the console: a browser must not run them.
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.log.Error("bucket store panics", "err", p, "stack", string(debug.Stack()))
			out.refuse(r, fmt.Errorf("panic: %v", p))
		}
	}()
	c, err := h.serve(out, r)
	h.tell(out, r, c, err)
	if err != nil {
		if _, ok := s3Failure(err); !ok && r.Context().Err() == nil {
			h.log.Error("bucket store", "method", r.Method, "err", err)
		}
		out.refuse(r, err)
	}
}

// serve answers a request, or an error if nothing was answered yet. The call is
// nil if nobody was recognized, or nothing asked for.
func (h *handler) serve(w *response, r *http.Request) (*call, error) {
	// A copy, because the server looks at the body of its own request: were that
	// replaced, it would wait for a body it never asked the client to go on with.
	r = r.WithContext(r.Context())
	principal, err := h.verifier.VerifyS3(r)
	if err != nil {
		return nil, err
	}
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	c.principal = principal
	return c, h.carryOut(w, r, c)
}

func (h *handler) carryOut(w *response, r *http.Request, c *call) error {
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
		if _, err := h.store.bucket(c.principal.AccountID, c.bucket); err != nil {
			return err
		}
		if c.principal.Region != "" {
			w.Header().Set("X-Amz-Bucket-Region", c.principal.Region)
		}
	}
	switch {
	case c.subresource == "uploads" || c.subresource == "uploadId":
		return h.multipart(w, r, c)
	case c.bucket == "":
		return h.listBuckets(w, r, c)
	case c.key == "":
		return h.bucketOperation(w, r, c)
	}
	return h.objectOperation(w, r, c)
}

// response knows whether an answer has begun, and whether it may have a body.
type response struct {
	http.ResponseWriter
	head    bool
	started bool
}

func (w *response) WriteHeader(status int) {
	w.started = true
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
		f = errInternal
	}
	if f.status == http.StatusNotModified {
		w.WriteHeader(f.status)
		return
	}
	writeXML(w, f.status, errorBody{Code: f.code, Message: f.message, Resource: r.URL.Path, RequestID: w.Header().Get("X-Amz-Request-Id")})
}

// s3Failure is what a refusal of ours or of a signature looks like in S3.
func s3Failure(err error) (*failure, bool) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f, true
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return &failure{e.Code, e.Message, e.Status}, true
	}
	return nil, false
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
