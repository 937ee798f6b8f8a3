package bucketstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// bucketRecord is bucket.json.
type bucketRecord struct {
	Account string    `json:"account"`
	Created time.Time `json:"created"`
}

// bucket is a folder with bucket.json and
//
//	objects/<hash of the key>.json   what is known of an object, and its content's name
//	content/<unique>                 the bytes of an object or a part
//	uploads/<id>/                    an unfinished multipart upload
type bucket struct {
	name, account, dir string
	created            time.Time

	// commit is held while a record on disk is replaced, so that disk and index
	// agree on what came last.
	commit sync.Mutex

	// The rest is guarded by the store's mu.
	gone    bool
	keys    []string // of objects, sorted
	objects map[string]*object
	uploads map[string]*upload
}

// object is the record of an object; it is not changed once it is in the index.
type object struct {
	Key      string            `json:"key"`
	Content  string            `json:"content"` // file name
	Size     int64             `json:"size"`
	Tag      string            `json:"tag"` // MD5 in hexadecimal, or what partsTag says
	Modified time.Time         `json:"modified"`
	Header   map[string]string `json:"header,omitempty"` // Content-Type, X-Amz-Meta-…
	UploadID string            `json:"uploadId,omitempty"`
}

func (o *object) etag() string { return `"` + o.Tag + `"` }

func newBucket(dir, name, account string, created time.Time) *bucket {
	return &bucket{name: name, account: account, dir: dir, created: created,
		objects: map[string]*object{}, uploads: map[string]*upload{}}
}

func (b *bucket) contentPath(file string) string { return filepath.Join(b.dir, "content", file) }

func (b *bucket) recordPath(key string) string {
	return filepath.Join(b.dir, "objects", recordName(key))
}

// loadBucket reads a bucket's records and removes content that none of them
// names: what a crash interrupted.
func (s *Store) loadBucket(name string) (*bucket, error) {
	dir := filepath.Join(s.bucketsDir(), name)
	var record bucketRecord
	if err := readJSON(filepath.Join(dir, "bucket.json"), &record); err != nil {
		return nil, err
	}
	b := newBucket(dir, name, record.Account, record.Created)
	entries, err := os.ReadDir(filepath.Join(dir, "objects"))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	finished := map[string]bool{}
	for _, entry := range entries {
		o := new(object)
		if err := readJSON(filepath.Join(dir, "objects", entry.Name()), o); err != nil {
			return nil, err
		}
		b.objects[o.Key] = o
		b.keys = append(b.keys, o.Key)
		used[o.Content], finished[o.UploadID] = true, true
	}
	slices.Sort(b.keys)
	if err := s.loadUploads(b, used, finished); err != nil {
		return nil, err
	}
	return b, b.sweep(used)
}

// sweep removes content that is not used.
func (b *bucket) sweep(used map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(b.dir, "content"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !used[entry.Name()] {
			if err := os.Remove(b.contentPath(entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// put stores an object. permit is asked about the object it would replace, or
// nil, at the moment of replacement.
func (s *Store) put(ctx context.Context, account, name, key string, header map[string]string, body io.Reader, size int64, permit func(*object) error) (*object, error) {
	b, err := s.bucket(account, name)
	if err != nil {
		return nil, err
	}
	c, err := s.writeContent(b, body, size)
	if err != nil {
		return nil, err
	}
	o := &object{Key: key, Content: c.file, Size: c.size, Tag: hex.EncodeToString(c.md5), Header: header}
	if err := s.commitObject(ctx, b, o, permit); err != nil {
		return nil, err
	}
	return o, nil
}

// commitObject makes a written object the one its key stands for, or discards
// its content. If the disk fails in between, either may be found at the next
// Open, so the content is left.
func (s *Store) commitObject(ctx context.Context, b *bucket, o *object, permit func(*object) error) error {
	b.commit.Lock()
	defer b.commit.Unlock()
	return s.commitLocked(ctx, b, o, permit)
}

// commitLocked is commitObject for who holds the commit lock.
func (s *Store) commitLocked(ctx context.Context, b *bucket, o *object, permit func(*object) error) error {
	old := b.objects[o.Key]
	err := ctx.Err()
	if err == nil && b.gone {
		err = errNoSuchBucket
	}
	if err == nil && permit != nil {
		err = permit(old)
	}
	if err != nil {
		b.discard(o.Content)
		return err
	}
	o.Modified = s.now().UTC().Truncate(time.Second)
	if err := s.writeJSON(b.recordPath(o.Key), o); err != nil {
		return fmt.Errorf("record of an object: %w", err)
	}
	s.mu.Lock()
	b.objects[o.Key] = o
	if old == nil {
		at, _ := slices.BinarySearch(b.keys, o.Key)
		b.keys = slices.Insert(b.keys, at, o.Key)
	}
	s.mu.Unlock()
	if old != nil {
		b.discard(old.Content)
	}
	return nil
}

// discard removes content that nothing names any more. If it cannot, Open will.
func (b *bucket) discard(file string) { os.Remove(b.contentPath(file)) }

// remove deletes an object that permit lets go; one that is not there is no error.
func (s *Store) remove(account, name, key string, permit func(*object) error) error {
	b, err := s.bucket(account, name)
	if err != nil {
		return err
	}
	b.commit.Lock()
	defer b.commit.Unlock()
	o := b.objects[key]
	if b.gone || o == nil {
		return nil
	}
	if err := permit(o); err != nil {
		return err
	}
	path := b.recordPath(key)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	s.mu.Lock()
	delete(b.objects, key)
	if at, ok := slices.BinarySearch(b.keys, key); ok {
		b.keys = slices.Delete(b.keys, at, at+1)
	}
	s.mu.Unlock()
	b.discard(o.Content)
	return nil
}

// page is a part of a listing.
type page struct {
	objects  []*object
	prefixes []string
	next     string // where the next page starts; empty at the end
}

// list is a page of at most limit objects and common prefixes after marker.
func (s *Store) list(account, name, prefix, delimiter, marker string, limit int) (page, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var p page
	b, err := s.lookup(account, name)
	if err != nil {
		return p, err
	}
	at := sort.SearchStrings(b.keys, max(prefix, marker))
	last := ""
	for at < len(b.keys) && strings.HasPrefix(b.keys[at], prefix) {
		key := b.keys[at]
		group, rolled := commonPrefix(key, prefix, delimiter)
		if key == marker || rolled && group == marker {
			at = b.after(at, group, rolled && group == marker)
			continue
		}
		if len(p.objects)+len(p.prefixes) == limit {
			p.next = last
			return p, nil
		}
		if rolled {
			p.prefixes, last = append(p.prefixes, group), group
		} else {
			p.objects, last = append(p.objects, b.objects[key]), key
		}
		at = b.after(at, group, rolled)
	}
	return p, nil
}

// commonPrefix is what a key is listed as when a delimiter rolls it up.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	end := strings.Index(key[len(prefix):], delimiter)
	if end < 0 {
		return "", false
	}
	return key[:len(prefix)+end+len(delimiter)], true
}

// after is the index of the first key behind the one at, or behind its group.
func (b *bucket) after(at int, group string, rolled bool) int {
	if !rolled {
		return at + 1
	}
	rest := b.keys[at:]
	return at + sort.Search(len(rest), func(n int) bool { return !strings.HasPrefix(rest[n], group) })
}
