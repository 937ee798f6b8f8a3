// Package wire stands between the clients that tests drive and the server. It
// passes everything on as it is, holds each answer of the API against the
// service model, and records what each client called and what came of it. An
// answer that the model does not allow reaches the client as an error that no
// test expects, and is remembered as a problem.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
)

// targetHeader names the operation of a call.
const targetHeader = "X-Amz-Target"

// Proxy is an http.Handler in front of one server.
type Proxy struct {
	Broken bool // the server will be broken on purpose: internal errors are right

	model  *Model
	record *Record
	proxy  *httputil.ReverseProxy
}

// NewProxy makes the handler that passes on to the server at address.
func NewProxy(m *Model, r *Record, address string) *Proxy {
	p := &Proxy{model: m, record: r}
	p.proxy = &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: address})
			pr.Out.URL.Path, pr.Out.URL.RawPath, pr.Out.URL.RawQuery = pr.In.URL.Path, pr.In.URL.RawPath, pr.In.URL.RawQuery
			pr.Out.Host = pr.In.Host // it is signed
		},
		Transport:      &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		ModifyResponse: p.see,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // as a server does that has died
		},
	}
	return p
}

// ServeHTTP passes one request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.proxy.ServeHTTP(objectWriter{w}, r)
}

// see looks at an answer, and replaces what the model does not allow.
func (p *Proxy) see(res *http.Response) error {
	r := res.Request
	target := r.Header.Get(targetHeader)
	if target == "" || r.URL.Path != "/" || r.Method != http.MethodPost {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return err
	}
	result, problems := p.model.check(answer{p.Broken, target, res.StatusCode, res.Header, body})
	_, operation, _ := strings.Cut(target, ".")
	if len(problems) > 0 {
		text := fmt.Sprintf("%s: %s", operation, strings.Join(problems, "; "))
		p.record.problem(text)
		body, _ = json.Marshal(map[string]string{"__type": "conformance#AnswerOutsideTheModel", "message": text})
		res.StatusCode, res.Status = http.StatusBadRequest, "400 Bad Request"
		res.Header.Set("X-Amzn-Errortype", "AnswerOutsideTheModel")
		res.Header.Set("Content-Length", strconv.Itoa(len(body)))
		res.ContentLength = int64(len(body))
	} else if p.model.operations[target] != nil && result != "" && protocol[result] == nil {
		p.record.call(r.UserAgent(), operation, result)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// objectWriter writes the names of an object's metadata as S3 and the server
// do, in lower case: clients hand them out as they come.
type objectWriter struct{ http.ResponseWriter }

// Unwrap lets the proxy flush.
func (w objectWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader comes before the body.
func (w objectWriter) WriteHeader(status int) {
	h := w.Header()
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
