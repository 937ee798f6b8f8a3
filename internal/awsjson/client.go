package awsjson

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Transport carries one request to a server and its answer back. A refusal is an *Error.
type Transport interface {
	Send(ctx context.Context, op *Operation, body []byte) (answer []byte, err error)
}

// Call sends in through t and reads the answer. A nil input counts as an empty one. What
// the service or the protocol refuses comes back as an *Error.
func Call[O any](ctx context.Context, t Transport, op *Operation, in any) (*O, error) {
	body, err := marshal(in)
	if err != nil {
		return nil, fmt.Errorf("%s: encode input: %w", op.Name, err)
	}
	if bytes.Equal(body, []byte("null")) {
		body = []byte("{}")
	}
	answer, err := t.Send(ctx, op, body)
	if err != nil {
		return nil, err
	}
	out := new(O)
	if err := Decode(answer, op.Output, out); err != nil {
		return nil, fmt.Errorf("%s: read answer: %w", op.Name, err)
	}
	return out, nil
}

// maxAnswer is the most a client reads of one answer, in bytes.
const maxAnswer = 64 << 20

// HTTP is the Transport to a server elsewhere.
type HTTP struct {
	Endpoint string       // such as http://127.0.0.1:8080
	Client   *http.Client // nil means http.DefaultClient
	// Sign authenticates a request whose headers are complete, given its body; nil sends
	// it unsigned.
	Sign func(req *http.Request, body []byte) error
}

// Send posts body and gives the answer's body.
func (h *HTTP) Send(ctx context.Context, op *Operation, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(h.Endpoint, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.Name, err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set(headerTarget, op.Target())
	if h.Sign != nil {
		if err := h.Sign(req, body); err != nil {
			return nil, fmt.Errorf("%s: sign request: %w", op.Name, err)
		}
	}
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.Name, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: read answer: %w", op.Name, err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", op.Name, maxAnswer)
	case res.StatusCode != http.StatusOK:
		return nil, readError(res, answer)
	}
	return answer, nil
}

// readError makes an Error of a refusal, whatever sent it.
func readError(res *http.Response, body []byte) *Error {
	e := &Error{Status: res.StatusCode, RequestID: res.Header.Get(headerRequestID)}
	var fields wireError
	if json.Unmarshal(body, &fields) != nil || fields.Type == "" {
		e.Code = strings.ReplaceAll(http.StatusText(res.StatusCode), " ", "")
		e.Message = fmt.Sprintf("the server answered HTTP %s without an error code", res.Status)
		return e
	}
	e.Code, e.Message, e.Member = fields.Type, cmp.Or(fields.Message, fields.Capital), fields.Member
	if namespace, code, ok := strings.Cut(fields.Type, "#"); ok {
		e.Namespace, e.Code = namespace, code
	}
	return e
}

// InProcess is the Transport to a Handler in the same process. It skips the network and
// the signature: whoever calls puts the principal into the context that Authenticate would
// have made. Everything else is as over HTTP.
type InProcess struct{ Handler *Handler }

// Send runs the operation and gives the answer's body.
func (p *InProcess) Send(ctx context.Context, op *Operation, body []byte) ([]byte, error) {
	ctx, id := ensureRequestID(ctx)
	answer, e := p.Handler.run(ctx, op, body)
	if e != nil {
		refusal := *e // the cause stays on the server's side, as over the network
		refusal.Cause, refusal.RequestID = nil, id
		return nil, &refusal
	}
	return answer, nil
}
