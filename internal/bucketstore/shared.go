package bucketstore

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/store"
)

// shelves is where buckets are kept: a folder of this server (Store), or the
// database that servers share (Shared).
type shelves interface {
	bucket(account, name string) (*bucket, error)
	owned(account string) []*bucket
	createBucket(account, name string) error
	deleteBucket(account, name string) error

	head(account, bucket, key string) (*object, error)
	open(account, bucket, key string) (*object, *os.File, error)
	put(ctx context.Context, account, name, key string, header map[string]string, body io.Reader, size int64, permit func(*object) error) (*object, error)
	remove(account, name, key string, permit func(*object) error) error
	list(account, name, prefix, delimiter, marker string, limit int) (page, error)

	beginUpload(account, bucket, key string, header map[string]string) (*upload, error)
	putPart(account, bucket, key, id string, number int, body io.Reader, size int64) (*part, error)
	finishUpload(ctx context.Context, account, bucket, key, id string, claims []partClaim, permit func(*object) error) (*object, error)
	abortUpload(account, bucket, key, id string) error
	parts(account, bucket, key, id string, after, limit int) (list []*part, more bool, err error)
	uploads(account, bucket, prefix, afterKey, afterID string, limit int) (list []*upload, more bool, err error)
}

// pieceSize is how much of an object one row holds.
const pieceSize = 1 << 20

// Shared keeps buckets in a database that servers share, so that each of them
// answers for all. It is safe for concurrent use.
type Shared struct {
	db      *store.Store
	temp    string // folder for objects that are being read
	log     *slog.Logger
	maxSize int64
	now     func() time.Time
}

// OpenShared opens the buckets in a database. Objects that are read pass
// through files in a folder of this server.
func OpenShared(ctx context.Context, db *store.Store, temp string, opts Options) (*Shared, error) {
	s := &Shared{db: db, temp: temp, log: opts.Logger, maxSize: opts.MaxObjectSize, now: opts.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.maxSize == 0 {
		s.maxSize = DefaultMaxObjectSize
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	return s, s.update(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.SweepBuckets(ctx, s.now().Add(-uploadLife)) })
}

// Handler serves the buckets by S3's protocol.
func (s *Shared) Handler(v *auth.Verifier, told func(*http.Request, Call)) http.Handler {
	return &handler{store: s, log: s.log, verifier: v, told: told}
}

// Object opens an object, as Store.Object does.
func (s *Shared) Object(_ context.Context, accountID, bucket, key string) (io.ReadCloser, int64, error) {
	o, f, err := s.open(accountID, bucket, key)
	if err != nil {
		return nil, 0, err
	}
	return f, o.Size, nil
}

// Close does nothing: the database is the caller's.
func (s *Shared) Close() error { return nil }

func (s *Shared) update(ctx context.Context, f func(context.Context, *store.Tx) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return f(ctx, tx) })
}

// view runs f with a view, and with a bucket that an account may use.
func (s *Shared) view(account, name string, f func(context.Context, *store.Tx, *bucket) error) error {
	ctx := context.Background()
	return s.db.View(ctx, func(tx *store.Tx) error { return within(ctx, tx, account, name, f) })
}

func (s *Shared) change(ctx context.Context, account, name string, f func(context.Context, *store.Tx, *bucket) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return within(ctx, tx, account, name, f) })
}

func within(ctx context.Context, tx *store.Tx, account, name string, f func(context.Context, *store.Tx, *bucket) error) error {
	b, ok, err := tx.Bucket(ctx, name)
	switch {
	case err != nil:
		return err
	case !ok:
		return errNoSuchBucket
	case b.Account != account:
		return errAccessDenied
	}
	return f(ctx, tx, &bucket{name: b.Name, account: b.Account, created: b.CreatedAt})
}

func (s *Shared) bucket(account, name string) (found *bucket, err error) {
	err = s.view(account, name, func(_ context.Context, _ *store.Tx, b *bucket) error {
		found = b
		return nil
	})
	return found, err
}

func (s *Shared) owned(account string) (list []*bucket) {
	ctx := context.Background()
	err := s.db.View(ctx, func(tx *store.Tx) error {
		buckets, err := tx.Buckets(ctx, account)
		list = nil
		for _, b := range buckets {
			list = append(list, &bucket{name: b.Name, account: b.Account, created: b.CreatedAt})
		}
		return err
	})
	if err != nil {
		s.log.Error("list buckets", "err", err)
	}
	return list
}

func (s *Shared) createBucket(account, name string) error {
	return s.update(context.Background(), func(ctx context.Context, tx *store.Tx) error {
		existing, ok, err := tx.Bucket(ctx, name)
		switch {
		case err != nil:
			return err
		case ok && existing.Account == account:
			return errOwned
		case ok:
			return errExists
		}
		return tx.InsertBucket(ctx, store.Bucket{Name: name, Account: account, CreatedAt: s.now().UTC()})
	})
}

func (s *Shared) deleteBucket(account, name string) error {
	return s.change(context.Background(), account, name, func(ctx context.Context, tx *store.Tx, b *bucket) error {
		objects, err := tx.BucketObjects(ctx, name, "", "", 1)
		if err == nil && len(objects) > 0 {
			err = errNotEmpty
		}
		if err != nil {
			return err
		}
		return tx.DeleteBucket(ctx, name)
	})
}

// fromRecord and the functions below it map between the database's records and ours.
func fromRecord(o store.BucketObject) *object {
	return &object{Key: o.Key, Content: o.Content, Size: o.Size, Tag: o.Tag, Modified: o.ModifiedAt, Header: o.Header, UploadID: o.UploadID}
}

func (s *Shared) head(account, name, key string) (o *object, err error) {
	err = s.view(account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		record, ok, err := tx.BucketObject(ctx, name, key)
		if err == nil && !ok {
			err = errNoSuchKey
		}
		o = fromRecord(record)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// open reads an object into a file without a name. An object that is replaced
// meanwhile is read again.
func (s *Shared) open(account, name, key string) (*object, *os.File, error) {
	for range 10 {
		o, err := s.head(account, name, key)
		if err != nil {
			return nil, nil, err
		}
		f, err := os.CreateTemp(s.temp, "object-")
		if err != nil {
			return nil, nil, err
		}
		os.Remove(f.Name())
		n, err := io.Copy(f, &piecesReader{s: s, contents: []string{o.Content}})
		if err == nil && n == o.Size {
			_, err = f.Seek(0, io.SeekStart)
			return o, f, err
		}
		f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("object %s of bucket %s is replaced faster than it can be read", key, name)
}

// piecesReader reads contents one after the other, a piece at a time.
type piecesReader struct {
	s        *Shared
	contents []string
	piece    int
	rest     []byte
}

func (r *piecesReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if len(r.contents) == 0 {
			return 0, io.EOF
		}
		ctx := context.Background()
		found := false
		err := r.s.db.View(ctx, func(tx *store.Tx) (err error) {
			r.rest, found, err = tx.BucketPiece(ctx, r.contents[0], r.piece)
			return err
		})
		if err != nil {
			return 0, err
		}
		if r.piece++; !found {
			r.contents, r.piece = r.contents[1:], 0
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// writeContent stores a body that no record names yet. size is what was
// announced, or -1.
func (s *Shared) writeContent(ctx context.Context, body io.Reader, size int64) (c content, err error) {
	if size > s.maxSize {
		return c, errTooLarge
	}
	c.file = unique()
	defer func() {
		if err != nil {
			s.discard(ctx, c.file)
		}
	}()
	hash := md5.New()
	buf := make([]byte, pieceSize)
	for piece, last := 0, false; !last; piece++ {
		n, err := 0, error(nil)
		for n < len(buf) && err == nil { // unlike io.ReadFull, tells a body that broke off
			var read int
			read, err = body.Read(buf[n:])
			n += read
		}
		last = err == io.EOF
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return c, errIncomplete
		}
		if err != nil && !last {
			return c, err
		}
		c.size += int64(n)
		hash.Write(buf[:n])
		if c.size > s.maxSize {
			return c, errTooLarge
		}
		if n == 0 {
			continue
		}
		err = s.update(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.AddBucketPiece(ctx, c.file, piece, buf[:n], s.now())
		})
		if err != nil {
			return c, err
		}
	}
	if size >= 0 && c.size != size {
		return c, errIncomplete
	}
	c.md5 = hash.Sum(nil)
	return c, nil
}

// discard removes content that nothing names. If it cannot, OpenShared will.
func (s *Shared) discard(ctx context.Context, content string) {
	err := s.update(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error { return tx.DropBucketContent(ctx, content) })
	if err != nil {
		s.log.Warn("remove content that no object has", "err", err)
	}
}

func (s *Shared) put(ctx context.Context, account, name, key string, header map[string]string, body io.Reader, size int64, permit func(*object) error) (*object, error) {
	if _, err := s.bucket(account, name); err != nil {
		return nil, err
	}
	c, err := s.writeContent(ctx, body, size)
	if err != nil {
		return nil, err
	}
	o := &object{Key: key, Content: c.file, Size: c.size, Tag: hex.EncodeToString(c.md5), Header: header}
	err = s.change(ctx, account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		return s.commit(ctx, tx, name, o, permit)
	})
	if err != nil {
		s.discard(ctx, c.file)
		return nil, err
	}
	return o, nil
}

// commit makes a written object the one its key stands for, if permit lets it.
func (s *Shared) commit(ctx context.Context, tx *store.Tx, name string, o *object, permit func(*object) error) error {
	record, ok, err := tx.BucketObject(ctx, name, o.Key)
	if err != nil {
		return err
	}
	var old *object
	if ok {
		old = fromRecord(record)
	}
	if permit != nil {
		if err := permit(old); err != nil {
			return err
		}
	}
	o.Modified = s.now().UTC().Truncate(time.Second)
	return tx.PutBucketObject(ctx, store.BucketObject{Bucket: name, Key: o.Key, Content: o.Content, Size: o.Size, Tag: o.Tag,
		ModifiedAt: o.Modified, Header: o.Header, UploadID: o.UploadID})
}

func (s *Shared) remove(account, name, key string, permit func(*object) error) error {
	return s.change(context.Background(), account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		record, ok, err := tx.BucketObject(ctx, name, key)
		if err != nil || !ok {
			return err
		}
		if err := permit(fromRecord(record)); err != nil {
			return err
		}
		return tx.DeleteBucketObject(ctx, name, key)
	})
}

func (s *Shared) list(account, name, prefix, delimiter, marker string, limit int) (p page, err error) {
	err = s.view(account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		p = page{}
		last := ""
		for after, more := marker, true; more; {
			objects, err := tx.BucketObjects(ctx, name, prefix, after, limit+1)
			if err != nil {
				return err
			}
			more = len(objects) == limit+1
			for _, record := range objects {
				o := fromRecord(record)
				group, rolled := commonPrefix(o.Key, prefix, delimiter)
				if after = o.Key; rolled && (group == marker || group == last && last != "") {
					continue
				}
				if len(p.objects)+len(p.prefixes) == limit {
					p.next = last
					return nil
				}
				if !rolled {
					p.objects, last = append(p.objects, o), o.Key
					continue
				}
				p.prefixes, last = append(p.prefixes, group), group
				after, more = group+"\U0010FFFF", true // over the rest of the group
				break
			}
		}
		return nil
	})
	return p, err
}

func (s *Shared) beginUpload(account, name, key string, header map[string]string) (*upload, error) {
	u := &upload{ID: unique(), Key: key, Initiated: s.now().UTC(), Header: header}
	return u, s.change(context.Background(), account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		return tx.InsertBucketUpload(ctx, store.BucketUpload{ID: u.ID, Bucket: name, Key: key, InitiatedAt: u.Initiated, Header: header})
	})
}

// uploadIn reads an unfinished upload of a key with its parts.
func uploadIn(ctx context.Context, tx *store.Tx, name, key, id string) (*upload, error) {
	record, ok, err := tx.BucketUpload(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok || record.Bucket != name || record.Key != key {
		return nil, errNoSuchUpload
	}
	u := &upload{ID: id, Key: key, Initiated: record.InitiatedAt, Header: record.Header, parts: map[int]*part{}}
	parts, err := tx.BucketParts(ctx, id)
	for _, p := range parts {
		u.parts[int(p.Number)] = &part{Number: int(p.Number), Content: p.Content, Size: p.Size, MD5: p.MD5, Modified: p.ModifiedAt}
	}
	return u, err
}

func (s *Shared) upload(account, name, key, id string) (u *upload, err error) {
	err = s.view(account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		u, err = uploadIn(ctx, tx, name, key, id)
		return err
	})
	return u, err
}

func (s *Shared) putPart(account, name, key, id string, number int, body io.Reader, size int64) (*part, error) {
	ctx := context.Background()
	if _, err := s.upload(account, name, key, id); err != nil {
		return nil, err
	}
	c, err := s.writeContent(ctx, body, size)
	if err != nil {
		return nil, err
	}
	p := &part{Number: number, Content: c.file, Size: c.size, MD5: hex.EncodeToString(c.md5), Modified: s.now().UTC()}
	err = s.change(ctx, account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		if _, err := uploadIn(ctx, tx, name, key, id); err != nil {
			return err
		}
		return tx.PutBucketPart(ctx, store.BucketPart{UploadID: id, Number: int64(number), Content: p.Content, Size: p.Size, MD5: p.MD5, ModifiedAt: p.Modified})
	})
	if err != nil {
		s.discard(ctx, c.file)
		return nil, err
	}
	return p, nil
}

func (s *Shared) finishUpload(ctx context.Context, account, name, key, id string, claims []partClaim, permit func(*object) error) (*object, error) {
	u, err := s.upload(account, name, key, id)
	if errors.Is(err, errNoSuchUpload) {
		return s.finished(account, name, key, id)
	}
	if err != nil {
		return nil, err
	}
	parts, size, err := choose(u, claims)
	if err != nil {
		return nil, err
	}
	body := &piecesReader{s: s}
	for _, p := range parts {
		body.contents = append(body.contents, p.Content)
	}
	c, err := s.writeContent(ctx, body, size)
	if errors.Is(err, errIncomplete) { // while its parts were read
		return s.finished(account, name, key, id)
	}
	if err != nil {
		return nil, err
	}
	o := &object{Key: key, Content: c.file, Size: c.size, Tag: partsTag(parts), Header: u.Header, UploadID: id}
	err = s.change(ctx, account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		if _, err := uploadIn(ctx, tx, name, key, id); err != nil {
			return err
		}
		if err := s.commit(ctx, tx, name, o, permit); err != nil {
			return err
		}
		return tx.DeleteBucketUpload(ctx, id)
	})
	if err != nil {
		s.discard(ctx, c.file)
	}
	if errors.Is(err, errNoSuchUpload) {
		return s.finished(account, name, key, id)
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// finished answers the object that another call has made of an upload.
func (s *Shared) finished(account, name, key, id string) (*object, error) {
	if o, _ := s.head(account, name, key); o != nil && o.UploadID == id {
		return o, nil
	}
	return nil, errNoSuchUpload
}

func (s *Shared) abortUpload(account, name, key, id string) error {
	return s.change(context.Background(), account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		if _, err := uploadIn(ctx, tx, name, key, id); err != nil {
			return err
		}
		return tx.DeleteBucketUpload(ctx, id)
	})
}

func (s *Shared) parts(account, name, key, id string, after, limit int) (list []*part, more bool, err error) {
	u, err := s.upload(account, name, key, id)
	if err != nil {
		return nil, false, err
	}
	list, more = pageOfParts(u, after, limit)
	return list, more, nil
}

func (s *Shared) uploads(account, name, prefix, afterKey, afterID string, limit int) (list []*upload, more bool, err error) {
	err = s.view(account, name, func(ctx context.Context, tx *store.Tx, _ *bucket) error {
		records, err := tx.BucketUploads(ctx, name, prefix)
		list, more = nil, false
		for _, u := range records {
			behind := u.Key > afterKey || u.Key == afterKey && afterID != "" && u.ID > afterID
			switch {
			case afterKey != "" && !behind:
			case len(list) == limit:
				more = true
			default:
				list = append(list, &upload{ID: u.ID, Key: u.Key, Initiated: u.InitiatedAt, Header: u.Header})
			}
		}
		return err
	})
	return list, more, err
}

var _, _ shelves = (*Store)(nil), (*Shared)(nil)
