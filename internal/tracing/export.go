package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	sendTime = 10 * time.Second // for one batch, with all tries
	attempts = 4
	pause    = 500 * time.Millisecond // before the second try, doubled after each
	sayAgain = time.Minute            // between two lines about the same trouble
)

// exporter implements the SDK's SpanExporter.
type exporter struct {
	url     string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger

	mu      sync.Mutex
	said    time.Time
	dropped int // since then
}

func newExporter(c Config) *exporter {
	return &exporter{url: c.Endpoint, headers: c.Headers, log: c.Logger, client: &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		// What is sent along is for the collector that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ExportSpans sends a batch. That it can't is logged here, and no error for the
// SDK, which would print it past the log.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	body, err := encode(spans)
	if err == nil {
		err = e.send(ctx, body)
	}
	if err != nil {
		e.drop(ctx, len(spans), err)
	}
	return nil
}

// Shutdown implements the SDK's SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func encode(spans []sdk.ReadOnlySpan) ([]byte, error) {
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: resourceSpans(spans)})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err = z.Write(body); err == nil {
		err = z.Close()
	}
	return b.Bytes(), err
}

// send posts a batch, again if the collector says that it is worth it.
func (e *exporter) send(ctx context.Context, body []byte) error {
	wait := pause
	for try := 1; ; try++ {
		again, after, err := e.post(ctx, body)
		if err == nil || !again || try == attempts {
			return err
		}
		if after == 0 {
			after, wait = wait, 2*wait
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(after):
		}
	}
}

func (e *exporter) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "gzip")
	for name, value := range e.headers {
		r.Header.Set(name, value)
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return true, 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is used again
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	default:
		if answer.StatusCode/100 == 2 {
			return false, 0, nil
		}
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		after = time.Duration(seconds) * time.Second
	}
	return again, after, fmt.Errorf("the collector answers %s", answer.Status)
}

// drop says that spans are lost, at most once a minute.
func (e *exporter) drop(ctx context.Context, n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropped += n
	if time.Since(e.said) < sayAgain {
		return
	}
	e.log.WarnContext(ctx, "traces were dropped", "spans", e.dropped, "err", err)
	e.said, e.dropped = time.Now(), 0
}
