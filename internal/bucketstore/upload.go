package bucketstore

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	maxPartNumber = 10000
	minPartSize   = 5 << 20
	// uploadLife is how long an upload may stay unfinished before Open drops it.
	uploadLife = 7 * 24 * time.Hour
)

// upload is the record of an unfinished multipart upload.
type upload struct {
	ID        string            `json:"id"`
	Key       string            `json:"key"`
	Initiated time.Time         `json:"initiated"`
	Header    map[string]string `json:"header,omitempty"`

	parts map[int]*part // guarded by the store's mu
}

// part is the record of a part, uploads/<id>/<number>.json.
type part struct {
	Number   int       `json:"number"`
	Content  string    `json:"content"`
	Size     int64     `json:"size"`
	MD5      string    `json:"md5"`
	Modified time.Time `json:"modified"`
}

func (p *part) etag() string { return `"` + p.MD5 + `"` }

// partClaim is a part as a client names it to finish an upload.
type partClaim struct {
	Number int    `xml:"PartNumber"`
	ETag   string `xml:"ETag"`
}

func (b *bucket) uploadDir(id string) string { return filepath.Join(b.dir, "uploads", id) }

// loadUploads reads the unfinished uploads, and drops those that became an
// object, were being created or removed, or are too old.
func (s *Store) loadUploads(b *bucket, used, finished map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(b.dir, "uploads"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		u, err := loadUpload(b.uploadDir(entry.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || finished[u.ID] || u.Initiated.Before(s.now().Add(-uploadLife)) {
			if err := os.RemoveAll(b.uploadDir(entry.Name())); err != nil {
				return err
			}
			continue
		}
		b.uploads[u.ID] = u
		for _, p := range u.parts {
			used[p.Content] = true
		}
	}
	return nil
}

func loadUpload(dir string) (*upload, error) {
	u := &upload{parts: map[int]*part{}}
	if err := readJSON(filepath.Join(dir, "upload.json"), u); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Name() == "upload.json" {
			continue
		}
		p := new(part)
		if err := readJSON(filepath.Join(dir, entry.Name()), p); err != nil {
			return nil, err
		}
		u.parts[p.Number] = p
	}
	return u, nil
}

// beginUpload starts a multipart upload.
func (s *Store) beginUpload(account, bucket, key string, header map[string]string) (*upload, error) {
	b, err := s.bucket(account, bucket)
	if err != nil {
		return nil, err
	}
	u := &upload{ID: unique(), Key: key, Initiated: s.now().UTC(), Header: header, parts: map[int]*part{}}
	b.commit.Lock()
	defer b.commit.Unlock()
	if b.gone {
		return nil, errNoSuchBucket
	}
	if err := os.Mkdir(b.uploadDir(u.ID), 0o700); err != nil {
		return nil, err
	}
	if err := s.writeJSON(filepath.Join(b.uploadDir(u.ID), "upload.json"), u); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Join(b.dir, "uploads")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	b.uploads[u.ID] = u
	s.mu.Unlock()
	return u, nil
}

// upload finds an unfinished upload of a key.
func (s *Store) upload(account, bucket, key, id string) (*bucket, *upload, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.lookup(account, bucket)
	if err != nil {
		return nil, nil, err
	}
	u := b.uploads[id]
	if u == nil || u.Key != key {
		return b, nil, errNoSuchUpload
	}
	return b, u, nil
}

// putPart stores one part, replacing one of the same number.
func (s *Store) putPart(account, bucket, key, id string, number int, body io.Reader, size int64) (*part, error) {
	b, u, err := s.upload(account, bucket, key, id)
	if err != nil {
		return nil, err
	}
	c, err := s.writeContent(b, body, size)
	if err != nil {
		return nil, err
	}
	p := &part{Number: number, Content: c.file, Size: c.size, MD5: hex.EncodeToString(c.md5), Modified: s.now().UTC()}
	if err := s.commitPart(b, u, p); err != nil {
		return nil, err
	}
	return p, nil
}

// commitPart makes a written part the one of its number, or discards its content.
func (s *Store) commitPart(b *bucket, u *upload, p *part) error {
	b.commit.Lock()
	defer b.commit.Unlock()
	if b.gone || b.uploads[u.ID] != u {
		b.discard(p.Content)
		return errNoSuchUpload
	}
	if err := s.writeJSON(filepath.Join(b.uploadDir(u.ID), fmt.Sprintf("%d.json", p.Number)), p); err != nil {
		return err
	}
	s.mu.Lock()
	old := u.parts[p.Number]
	u.parts[p.Number] = p
	s.mu.Unlock()
	if old != nil {
		b.discard(old.Content)
	}
	return nil
}

// finishUpload makes an object of the named parts. Finishing again what was
// finished answers the same object.
func (s *Store) finishUpload(ctx context.Context, account, bucket, key, id string, claims []partClaim, permit func(*object) error) (*object, error) {
	o, err := s.makeOfParts(ctx, account, bucket, key, id, claims, permit)
	if errors.Is(err, errNoSuchUpload) { // unless another call was faster, with the parts under our hands
		if o, _ := s.head(account, bucket, key); o != nil && o.UploadID == id {
			return o, nil
		}
	}
	return o, err
}

func (s *Store) makeOfParts(ctx context.Context, account, bucket, key, id string, claims []partClaim, permit func(*object) error) (*object, error) {
	b, u, err := s.upload(account, bucket, key, id)
	if err != nil {
		return nil, err
	}
	parts, size, err := s.chosen(u, claims)
	if err != nil {
		return nil, err
	}
	body := &partsReader{bucket: b, parts: parts}
	defer body.Close()
	c, err := s.writeContent(b, body, size)
	if err != nil {
		return nil, err
	}
	o := &object{Key: key, Content: c.file, Size: c.size, Tag: partsTag(parts), Header: u.Header, UploadID: id}
	b.commit.Lock()
	defer b.commit.Unlock()
	if b.gone || b.uploads[id] != u { // while its parts were read
		b.discard(c.file)
		return nil, errNoSuchUpload
	}
	if err := s.commitLocked(ctx, b, o, permit); err != nil {
		return nil, err
	}
	return o, s.dropLocked(b, u)
}

// partsTag is the entity tag of an object made of parts: the MD5 of their MD5s
// and their number.
func partsTag(parts []*part) string {
	all := md5.New()
	for _, p := range parts {
		sum, _ := hex.DecodeString(p.MD5)
		all.Write(sum)
	}
	return fmt.Sprintf("%x-%d", all.Sum(nil), len(parts))
}

// chosen checks the parts a client names against those it sent.
func (s *Store) chosen(u *upload, claims []partClaim) ([]*part, int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return choose(u, claims)
}

func choose(u *upload, claims []partClaim) ([]*part, int64, error) {
	if len(claims) == 0 {
		return nil, 0, &failure{"MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: it names no Part", 400}
	}
	if !slices.IsSortedFunc(claims, func(a, b partClaim) int { return a.Number - b.Number }) {
		return nil, 0, &failure{"InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", 400}
	}
	var parts []*part
	size := int64(0)
	for n, claim := range claims {
		if n > 0 && claim.Number == claims[n-1].Number {
			return nil, 0, &failure{"InvalidPartOrder", fmt.Sprintf("Part %d is named twice.", claim.Number), 400}
		}
		p := u.parts[claim.Number]
		if p == nil || strings.Trim(claim.ETag, `"`) != p.MD5 {
			return nil, 0, &failure{"InvalidPart", fmt.Sprintf("One or more of the specified parts could not be found: part %d was not uploaded, or its entity tag is another one.", claim.Number), 400}
		}
		if p.Size < minPartSize && n < len(claims)-1 {
			return nil, 0, &failure{"EntityTooSmall", fmt.Sprintf("Your proposed upload is smaller than the minimum allowed size: part %d has %d bytes, at least %d are needed in all but the last.", p.Number, p.Size, minPartSize), 400}
		}
		parts = append(parts, p)
		size += p.Size
	}
	return parts, size, nil
}

// partsReader reads parts one after the other, with one file open at a time.
type partsReader struct {
	bucket *bucket
	parts  []*part
	file   *os.File
}

func (r *partsReader) Read(p []byte) (int, error) {
	for {
		if r.file == nil {
			if len(r.parts) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(r.bucket.contentPath(r.parts[0].Content))
			if errors.Is(err, fs.ErrNotExist) {
				return 0, errNoSuchUpload // aborted, or the part was replaced
			}
			if err != nil {
				return 0, err
			}
			r.file, r.parts = f, r.parts[1:]
		}
		n, err := r.file.Read(p)
		if err != io.EOF {
			return n, err
		}
		r.Close()
		if n > 0 {
			return n, nil
		}
	}
}

func (r *partsReader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// abortUpload drops an upload and its parts: it will not become an object.
func (s *Store) abortUpload(account, bucket, key, id string) error {
	b, u, err := s.upload(account, bucket, key, id)
	if err != nil {
		return err
	}
	b.commit.Lock()
	defer b.commit.Unlock()
	if b.gone || b.uploads[id] != u {
		return errNoSuchUpload // another call was faster
	}
	return s.dropLocked(b, u)
}

// dropLocked removes an upload, for who holds the commit lock.
func (s *Store) dropLocked(b *bucket, u *upload) error {
	temp := s.tempPath()
	if err := renameDurably(b.uploadDir(u.ID), temp); err != nil {
		return fmt.Errorf("drop an upload: %w", err)
	}
	s.mu.Lock()
	delete(b.uploads, u.ID)
	s.mu.Unlock()
	for _, p := range u.parts {
		b.discard(p.Content)
	}
	if err := os.RemoveAll(temp); err != nil {
		s.log.Warn("remove a finished upload's files", "bucket", b.name, "err", err) // Open will
	}
	return nil
}

// parts are the parts of an upload after a number, at most limit; more says
// that there are others.
func (s *Store) parts(account, bucket, key, id string, after, limit int) (list []*part, more bool, err error) {
	_, u, err := s.upload(account, bucket, key, id)
	if err != nil {
		return nil, false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	list, more = pageOfParts(u, after, limit)
	return list, more, nil
}

func pageOfParts(u *upload, after, limit int) (list []*part, more bool) {
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		if number <= after {
			continue
		}
		if len(list) == limit {
			return list, true
		}
		list = append(list, u.parts[number])
	}
	return list, false
}

// uploads are the unfinished uploads of keys with a prefix behind a key and,
// within it, an id; by key, then id.
func (s *Store) uploads(account, bucket, prefix, afterKey, afterID string, limit int) (list []*upload, more bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.lookup(account, bucket)
	if err != nil {
		return nil, false, err
	}
	for _, u := range b.uploads {
		behind := u.Key > afterKey || u.Key == afterKey && afterID != "" && u.ID > afterID
		if strings.HasPrefix(u.Key, prefix) && (afterKey == "" || behind) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *upload) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}
