package bundle

import (
	"context"
	"sync"
)

// Library opens stored bundles by digest and keeps the last used ones open. It
// is safe for concurrent use.
type Library struct {
	fetch  func(ctx context.Context, digest string) ([]byte, error)
	limits Limits
	size   int

	mu     sync.Mutex
	open   map[string]*Bundle
	recent []string // least recently used first
}

// NewLibrary makes a Library that keeps up to size bundles open and reads
// archives with fetch.
func NewLibrary(size int, l Limits, fetch func(ctx context.Context, digest string) ([]byte, error)) *Library {
	return &Library{fetch: fetch, limits: l, size: size, open: map[string]*Bundle{}}
}

// Limits are those the library opens bundles with.
func (l *Library) Limits() Limits { return l.limits }

// Bundle answers the bundle with a digest.
func (l *Library) Bundle(ctx context.Context, digest string) (*Bundle, error) {
	if b := l.lookUp(digest); b != nil {
		return b, nil
	}
	archive, err := l.fetch(ctx, digest)
	if err != nil {
		return nil, err
	}
	b, err := Load(archive, l.limits)
	if err != nil {
		return nil, err
	}
	l.keep(digest, b)
	return b, nil
}

func (l *Library) lookUp(digest string) *Bundle {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.open[digest]
	if b != nil {
		l.touch(digest)
	}
	return b
}

func (l *Library) keep(digest string, b *Bundle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.size && l.open[digest] == nil {
		delete(l.open, l.recent[0])
		l.recent = l.recent[1:]
	}
	l.open[digest] = b
	l.touch(digest)
}

// touch makes digest the most recently used.
func (l *Library) touch(digest string) {
	for n, d := range l.recent {
		if d == digest {
			l.recent = append(l.recent[:n], l.recent[n+1:]...)
			break
		}
	}
	l.recent = append(l.recent, digest)
}
