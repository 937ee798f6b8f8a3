package awsjson

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

const (
	contentType     = "application/x-amz-json-1.0"
	headerTarget    = "X-Amz-Target"
	headerRequestID = "X-Amzn-Requestid"
	headerErrorType = "X-Amzn-Errortype"

	defaultMaxBody = 1 << 20

	// statusCanceled is what logs and metrics say of a call whose caller went away.
	statusCanceled = 499
)

// Config is what a Handler needs besides its operations.
type Config struct {
	// Authenticate checks who sent a request and gives the context its operation runs in,
	// derived from the request's. Its errors are answered like those of an operation. Nil
	// lets everybody in.
	Authenticate func(r *http.Request, body []byte) (context.Context, error)
	// MapError turns an error of an operation or of Authenticate that is no *Error into
	// one, or gives nil for what it does not know.
	MapError func(error) *Error
	// Around, if set, carries out each operation with a valid input, by calling next. It may
	// give the operation another context, or refuse it.
	Around func(ctx context.Context, op *Operation, in any, next func(context.Context) (any, error)) (any, error)
	// Observe, if set, is told about each finished call, also of the InProcess transport.
	Observe func(ctx context.Context, c Finished)
	// Logger takes causes of internal errors and stacks of panics; nil discards them.
	Logger *slog.Logger
	// MaxBody is the most bytes a body may have; 0 means 1 MiB.
	MaxBody int64
}

// Finished is a call that has been answered.
type Finished struct {
	Operation string // empty when the request named none that exists
	Code      string // of the error; empty for success
	Status    int
	Duration  time.Duration
}

// Handler serves operations over HTTP. It answers every request it is given; choosing
// which requests those are (by path, say) is its caller's part.
type Handler struct {
	config     Config
	impl       any
	operations map[string]*Operation // by X-Amz-Target
	namespace  string                // of errors that belong to no operation
}

// NewHandler makes a Handler of a table of operations and the value that has their
// methods. It panics when the table is empty or impl lacks a method.
func NewHandler(operations []Operation, impl any, c Config) *Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	h := &Handler{config: c, impl: impl, operations: make(map[string]*Operation, len(operations))}
	h.namespace = operations[0].Service.Namespace
	for i := range operations {
		op := &operations[i]
		if !op.Method.Implements(impl) {
			panic(fmt.Sprintf("%T does not implement %s, service %s", impl, op.Name, op.Service.Name))
		}
		h.operations[op.Target()] = op
	}
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx, id := ensureRequestID(r.Context())
	r = r.WithContext(ctx)
	op, answer, e := h.serve(w, r)
	if e != nil {
		answer = h.errorBody(e)
	}
	h.respond(w, id, e, answer)
	h.observe(ctx, op, e, began)
}

// serve finds out what is asked for and by whom, and does it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (*Operation, []byte, *Error) {
	target := r.Header.Get(headerTarget)
	if r.Method != http.MethodPost {
		e := UnknownOperation("operations are called with POST, not %.20s", r.Method)
		e.Status = http.StatusNotFound
		return nil, nil, e
	}
	body, e := h.read(w, r)
	if e != nil {
		return nil, nil, e
	}
	op := h.operations[target]
	if op == nil {
		return nil, nil, unknownTarget(target)
	}
	answer, e := h.execute(r.Context(), op, r, body)
	return op, answer, e
}

func unknownTarget(target string) *Error {
	if target == "" {
		return UnknownOperation("the header X-Amz-Target is missing; it names the operation, as in AwsProton20200720.GetService")
	}
	return UnknownOperation("there is no operation %.200q", target)
}

// read gives the whole body, or refuses one that is too large.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, *Error) {
	if r.ContentLength > h.config.MaxBody {
		return nil, TooLarge(h.config.MaxBody)
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, h.config.MaxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, TooLarge(h.config.MaxBody)
	}
	if err != nil {
		return nil, &Error{Code: codeSerialization, Namespace: coral, Status: http.StatusBadRequest,
			Message: "the request body could not be read to its end", Cause: err}
	}
	return b.Bytes(), nil
}

// run is what the InProcess transport does in place of ServeHTTP.
func (h *Handler) run(ctx context.Context, op *Operation, body []byte) ([]byte, *Error) {
	began := time.Now()
	answer, e := h.execute(ctx, op, nil, body)
	h.observe(ctx, op, e, began)
	return answer, e
}

// execute authenticates r, unless it is nil, then decodes, validates, invokes and encodes.
func (h *Handler) execute(ctx context.Context, op *Operation, r *http.Request, body []byte) (answer []byte, e *Error) {
	defer func() {
		if p := recover(); p != nil {
			h.config.Logger.ErrorContext(ctx, "operation panicked", "request_id", RequestID(ctx),
				"operation", op.Name, "err", p, "stack", string(debug.Stack()))
			answer, e = nil, Internal(nil)
			e.Namespace = op.Service.Namespace
		}
	}()
	if r != nil && h.config.Authenticate != nil {
		authenticated, err := h.config.Authenticate(r, body)
		if err != nil {
			return nil, h.asError(ctx, op, err)
		}
		ctx = authenticated
	}
	in := op.Method.New()
	if err := Decode(body, op.Input, in); err != nil {
		return nil, h.asError(ctx, op, err)
	}
	if err := Validate(op.Input, in); err != nil {
		return nil, h.asError(ctx, op, err)
	}
	next := func(ctx context.Context) (any, error) { return op.Method.Invoke(ctx, h.impl, in) }
	var out any
	var err error
	if h.config.Around != nil {
		out, err = h.config.Around(ctx, op, in, next)
	} else {
		out, err = next(ctx)
	}
	if err != nil {
		return nil, h.asError(ctx, op, err)
	}
	if answer, err = marshal(out); err != nil {
		return nil, h.asError(ctx, op, fmt.Errorf("encode output: %w", err))
	}
	return answer, nil
}

// asError makes any error one that can be sent, and logs what must not be.
func (h *Handler) asError(ctx context.Context, op *Operation, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok && h.config.MapError != nil {
		e = h.config.MapError(err)
	}
	if e == nil {
		e = Internal(err)
	}
	sent := *e
	if sent.Status == 0 {
		sent.Status = http.StatusBadRequest
	}
	if sent.Namespace == "" {
		sent.Namespace = op.Service.Namespace
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		sent.Code, sent.Status = "RequestCanceled", statusCanceled // nobody is there to read it
	}
	if sent.Status >= http.StatusInternalServerError {
		h.config.Logger.ErrorContext(ctx, "operation went wrong", "request_id", RequestID(ctx),
			"operation", op.Name, "err", err)
	}
	return &sent
}

func (h *Handler) observe(ctx context.Context, op *Operation, e *Error, began time.Time) {
	if h.config.Observe == nil {
		return
	}
	f := Finished{Status: http.StatusOK, Duration: time.Since(began)}
	if op != nil {
		f.Operation = op.Name
	}
	if e != nil {
		f.Code, f.Status = e.Code, e.Status
	}
	h.config.Observe(ctx, f)
}

// errorBody writes an error as the protocol wants it.
func (h *Handler) errorBody(e *Error) []byte {
	body := wireError{Type: cmp.Or(e.Namespace, h.namespace) + "#" + e.Code, Member: e.Member}
	if e.Code == codeSerialization {
		body.Capital = e.Message
	} else {
		body.Message = e.Message
	}
	b, _ := marshal(body) // strings alone cannot be refused
	return b
}

// respond writes every response there is.
func (h *Handler) respond(w http.ResponseWriter, requestID string, e *Error, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set(headerRequestID, requestID)
	status := http.StatusOK
	if e != nil {
		status = e.Status
		header.Set(headerErrorType, e.Code)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone if this fails; there is nobody to tell
}

// marshal writes JSON without the escapes that only matter inside HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
