package jinja

import (
	"math"
	"math/big"
)

// optInt reads an optional integer argument.
func (r *run) optInt(v any, def int) int {
	if v == missing {
		return def
	}
	return r.smallInt(v, math.MinInt32)
}

// smallInt reads an integer argument, bringing it between low and 2^31.
func (r *run) smallInt(v any, low int) int {
	r.refuse(v)
	if b, ok := v.(*big.Int); ok {
		if b.Sign() < 0 {
			return low
		}
		return math.MaxInt32
	}
	i, ok := index(v)
	if !ok {
		r.failf("'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return max(low, min(i, math.MaxInt32))
}

// optBool reads an optional flag, by its truth.
func (r *run) optBool(v any, def bool) bool {
	if v == missing {
		return def
	}
	return r.truth(v)
}

// optText reads an optional string argument.
func (r *run) optText(v any, def string) string {
	if v == missing {
		return def
	}
	return r.mustText(v)
}

// mustText reads a string argument.
func (r *run) mustText(v any) string {
	r.refuse(v)
	s, ok := text(v)
	if !ok {
		r.failf("expected a string, got '%s'", typeName(v))
	}
	return s
}

// given returns an optional argument, nil where Python's default is None.
func given(v any) any {
	if v == missing {
		return nil
	}
	return v
}

// fill is the character c n times.
func (r *run) fill(n int, c string) string {
	if n <= 0 {
		return ""
	}
	r.alloc(n * len(c))
	if len(c) == 1 {
		b := make([]byte, n)
		for i := range b {
			b[i] = c[0]
		}
		return string(b)
	}
	b := make([]byte, 0, n*len(c))
	for range n {
		b = append(b, c...)
	}
	return string(b)
}
