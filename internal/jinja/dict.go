package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// dict is Python's dict: ordered, with any hashable key. One that came from
// the caller reads the caller's Map until something needs its own entries.
type dict struct {
	src     *Map
	entries []dictEntry
	index   map[any]int // only above smallDict entries
	hidden  []mapEntry  // the caller's, once src is gone
}

type dictEntry struct {
	key   any
	hash  any // key made comparable; equal for keys equal in Python
	value any
}

type (
	bigKey   string
	tupleKey string
)

func newDict(size int) *dict { return &dict{entries: make([]dictEntry, 0, size)} }

// hashKey makes a key comparable in Go, or reports that it is unhashable.
func (r *run) hashKey(key any) any {
	switch k := key.(type) {
	case string:
		r.scan(len(k))
		return k
	case int64:
		return k
	case nil:
		return missing
	case markup:
		return string(k)
	case multiline:
		return string(k)
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if k == math.Trunc(k) {
			if k >= -1<<63 && k < 1<<63 {
				return int64(k)
			}
			if !math.IsInf(k, 0) {
				b, _ := big.NewFloat(k).Int(nil)
				return bigKey(b.String())
			}
		}
		return k
	case *big.Int:
		return bigKey(k.String())
	case *tuple:
		var b strings.Builder
		r.hashTuple(&b, k, 0)
		return tupleKey(b.String())
	case *rangeValue:
		return k.key()
	case *boundMethod:
		return *k
	case *list, *dict, *dictView:
		if !r.hashable(key) {
			r.failf("unhashable type: '%s'", typeName(key))
		}
	case *undefined:
		if k.lenient {
			return tupleKey("undefined")
		}
		r.use(k)
	}
	return key
}

func (r *run) hashTuple(b *strings.Builder, t *tuple, depth int) {
	if depth > maxValueDepth {
		r.failf("the value is nested more than %d deep", maxValueDepth)
	}
	r.allocItems(len(t.items))
	b.WriteByte('(')
	for _, item := range t.items {
		if inner, ok := item.(*tuple); ok {
			r.hashTuple(b, inner, depth+1)
			continue
		}
		switch h := r.hashKey(item).(type) {
		case string:
			b.WriteString(strconv.Quote(h))
		case int64:
			b.WriteString(strconv.FormatInt(h, 10))
		case float64:
			b.WriteString(reprFloat(h))
		case bigKey:
			b.WriteString(string(h))
		case tupleKey:
			b.WriteString(string(h))
		case *missingValue:
			b.WriteByte('N')
		default: // equal only to itself
			fmt.Fprintf(b, "%p", h)
		}
		b.WriteByte(',')
	}
	b.WriteByte(')')
}

func (d *dict) len() int {
	if d.src != nil {
		return d.src.Len()
	}
	return len(d.entries)
}

// own gives the dict entries of its own.
func (d *dict) own(r *run) {
	if d.src == nil {
		return
	}
	src := d.src
	r.allocItems(len(src.entries))
	d.entries = make([]dictEntry, len(src.entries))
	for i, e := range src.entries {
		d.entries[i] = dictEntry{e.key, e.key, r.wrap(e.value)}
	}
	d.src, d.hidden = nil, src.hidden
	d.reindex()
}

func (d *dict) reindex() {
	d.index = nil
	if len(d.entries) <= smallDict {
		return
	}
	d.index = make(map[any]int, 2*len(d.entries))
	for i := range d.entries {
		d.index[d.entries[i].hash] = i
	}
}

func (d *dict) find(hash any) int {
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if d.entries[i].hash == hash {
			return i
		}
	}
	return -1
}

func (d *dict) findString(key string) int {
	if d.index != nil {
		return d.find(key)
	}
	for i := range d.entries {
		if s, ok := d.entries[i].hash.(string); ok && s == key {
			return i
		}
	}
	return -1
}

func (d *dict) has(key string) bool {
	if d.src != nil {
		return d.src.find(key) >= 0
	}
	return d.findString(key) >= 0
}

// getString looks up a string key.
func (d *dict) getString(r *run, key string) (any, bool) {
	if d.src != nil {
		v, ok := d.src.Get(key)
		if !ok {
			return nil, false
		}
		switch v.(type) {
		case nil, bool, int64, float64, string:
			return v, true
		}
		// A container must be the same one each time it is looked up.
		d.own(r)
	}
	if i := d.findString(key); i >= 0 {
		return d.entries[i].value, true
	}
	return nil, false
}

// lookup finds what an attribute or item of a dict is: also what is hidden.
func (d *dict) lookup(r *run, key string) (any, bool) {
	if v, ok := d.getString(r, key); ok {
		return v, true
	}
	hidden := d.hidden
	if d.src != nil {
		hidden = d.src.hidden
	}
	for _, e := range hidden {
		if e.key == key {
			return r.wrap(e.value), true
		}
	}
	return nil, false
}

func (d *dict) get(r *run, key any) (any, bool) {
	if s, ok := key.(string); ok {
		return d.getString(r, s)
	}
	hash := r.hashKey(key)
	d.own(r)
	if i := d.find(hash); i >= 0 {
		return d.entries[i].value, true
	}
	return nil, false
}

func (d *dict) set(r *run, key, value any) {
	hash := r.hashKey(key)
	d.own(r)
	if i := d.find(hash); i >= 0 {
		d.entries[i].value = value
		return
	}
	r.allocItems(2)
	d.entries = append(d.entries, dictEntry{key, hash, value})
	if d.index != nil {
		d.index[hash] = len(d.entries) - 1
	} else if len(d.entries) > smallDict {
		d.reindex()
	}
}

func (d *dict) delete(r *run, key any) (any, bool) {
	hash := r.hashKey(key)
	d.own(r)
	i := d.find(hash)
	if i < 0 {
		return nil, false
	}
	v := d.entries[i].value
	r.work(len(d.entries))
	d.entries = slices.Delete(d.entries, i, i+1)
	d.reindex()
	return v, true
}

// all returns the entries, which must not be changed.
func (d *dict) all(r *run) []dictEntry {
	d.own(r)
	return d.entries
}

func (d *dict) clone(r *run) *dict {
	r.allocItems(d.len())
	c := &dict{entries: slices.Clone(d.all(r))}
	c.reindex()
	return c
}

// iterate goes over "keys", "values" or "items"; changing the dict's size
// meanwhile is an error, as in Python.
func (d *dict) iterate(r *run, kind string) iterator {
	d.own(r)
	i, size := 0, len(d.entries)
	return func() (any, bool) {
		if len(d.entries) != size {
			if i > size {
				return nil, false
			}
			i = size + 1
			r.failf("dictionary changed size during iteration")
		}
		if i >= size {
			return nil, false
		}
		e := d.entries[i]
		i++
		switch kind {
		case "values":
			return e.value, true
		case "items":
			return &tuple{items: []any{e.key, e.value}}, true
		}
		return e.key, true
	}
}
