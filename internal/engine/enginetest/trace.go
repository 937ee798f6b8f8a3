package enginetest

import (
	"context"
	"slices"
	"sync"

	"github.com/hadronhq/hadron/internal/engine"
)

// Traced begins a trace in ctx. The function answers the names of the spans that
// have ended in it, in that order.
func Traced(ctx context.Context) (context.Context, func() []string) {
	kept := &spans{}
	return engine.WithTracer(ctx, kept), func() []string {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		return slices.Clone(kept.ended)
	}
}

// spans keeps the names of those that have ended.
type spans struct {
	mu    sync.Mutex
	ended []string
}

func (s *spans) Trace(ctx context.Context, name string, _ ...any) (context.Context, func(error)) {
	return ctx, func(error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = append(s.ended, name)
	}
}

func (s *spans) Note(context.Context, ...any) {}

func (s *spans) Variables(context.Context) map[string]string { return nil }
