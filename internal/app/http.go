package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/console"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/sts"
	"github.com/hadronhq/hadron/internal/tofustate"
)

// routes is the one port's map: the API, the console, health and metrics, what
// engines and forges call, and for everything else the bucket store.
type routes struct {
	api, buckets, states, metrics, console, webhooks, sts http.Handler
	ready                                                 func(context.Context) error
}

func (h *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/" && sts.Wants(r):
		h.sts.ServeHTTP(w, r)
	case path == "/" && (r.Method == http.MethodPost || r.Header.Get("X-Amz-Target") != ""):
		h.api.ServeHTTP(w, r)
	case path == "/healthz":
		writeText(w, http.StatusOK, "ok\n")
	case path == "/readyz":
		h.readiness(w, r)
	case path == "/metrics":
		h.metrics.ServeHTTP(w, r)
	case path == console.Root || strings.HasPrefix(path, console.Root+"/"):
		h.console.ServeHTTP(w, r)
	case strings.HasPrefix(path, tofustate.Prefix):
		h.states.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/-/webhooks/"):
		h.webhooks.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/-/"):
		writeText(w, http.StatusNotFound, "not found\n")
	case path == "/" && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && r.URL.Query().Get("X-Amz-Signature") == "":
		http.Redirect(w, r, console.Root+"/", http.StatusFound)
	default:
		h.buckets.ServeHTTP(w, r)
	}
}

func (h *routes) readiness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := h.ready(ctx); err != nil {
		writeText(w, http.StatusServiceUnavailable, "the database does not answer\n")
		return
	}
	writeText(w, http.StatusOK, "ready\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// mapError gives refusals of package auth and of the domain their exceptions.
func mapError(err error) *awsjson.Error {
	refused, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return control.MapError(err)
	}
	e := &awsjson.Error{Code: refused.Code, Message: refused.Message, Status: refused.Status}
	if refused.Code == "MissingAuthenticationTokenException" {
		e.Namespace = "com.amazon.coral.service"
	}
	return e
}

// accessLog writes a line for each finished API call.
func accessLog(log *slog.Logger) func(context.Context, awsjson.Finished) {
	return func(ctx context.Context, c awsjson.Finished) {
		level := slog.LevelDebug
		if c.Status >= 500 {
			level = slog.LevelError
		}
		log.LogAttrs(ctx, level, "call", slog.String("operation", c.Operation), slog.Int("status", c.Status),
			slog.String("code", c.Code), slog.Duration("took", c.Duration), slog.String("request_id", awsjson.RequestID(ctx)))
	}
}
