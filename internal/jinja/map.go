package jinja

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Map is a dict with string keys that remembers the order in which they were
// first set. Use NewMap; the methods that read also work on a nil Map. Reading
// from many goroutines is safe, changing is not.
type Map struct {
	entries []mapEntry
	index   map[string]int // only above smallDict entries
	hidden  []mapEntry
}

type mapEntry struct {
	key   string
	value any
}

// smallDict is the size up to which a linear search beats hashing.
const smallDict = 8

// NewMap returns an empty map.
func NewMap() *Map { return &Map{} }

func (m *Map) find(key string) int {
	if m == nil {
		return -1
	}
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range m.entries {
		if m.entries[i].key == key {
			return i
		}
	}
	return -1
}

// Set puts value under key; a key that exists keeps its place.
func (m *Map) Set(key string, value any) {
	if i := m.find(key); i >= 0 {
		m.entries[i].value = value
		return
	}
	m.entries = append(m.entries, mapEntry{key, value})
	if m.index != nil {
		m.index[key] = len(m.entries) - 1
	} else if len(m.entries) > smallDict {
		m.reindex()
	}
}

// SetHidden gives the map a value that a template finds by name, with . or [],
// while the map stays as empty as it was: it is not counted, tested with in,
// iterated, printed or returned by Get.
func (m *Map) SetHidden(key string, value any) {
	m.hidden = append(m.hidden, mapEntry{key, value})
}

// Get returns the value under key and whether there is one.
func (m *Map) Get(key string) (any, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].value, true
	}
	return nil, false
}

// Delete removes key if it is there.
func (m *Map) Delete(key string) {
	i := m.find(key)
	if i < 0 {
		return
	}
	m.entries = slices.Delete(m.entries, i, i+1)
	m.reindex()
}

func (m *Map) reindex() {
	m.index = nil
	if len(m.entries) <= smallDict {
		return
	}
	m.index = make(map[string]int, 2*len(m.entries))
	for i := range m.entries {
		m.index[m.entries[i].key] = i
	}
}

// Keys returns the keys in order.
func (m *Map) Keys() []string {
	if m == nil {
		return nil
	}
	keys := make([]string, len(m.entries))
	for i := range m.entries {
		keys[i] = m.entries[i].key
	}
	return keys
}

// Len is the number of keys.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// MarshalJSON writes the map as a JSON object with its keys in order.
func (m *Map) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range m.entries {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(e.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
