// Package bucketstore keeps S3 buckets in a folder, or in the database that
// servers share, and serves them to
// unmodified S3 clients, path-style and signed, so that a template bundle can be
// uploaded with "aws s3 cp" to a fresh installation.
//
// It hides files, atomic replacement, multipart uploads on disk and the wire of
// S3. An object becomes visible whole or not at all, survives a crash once it is
// acknowledged, and is never found through a path made of its key. Buckets belong
// to an account; what a principal may do in them is decided by its policy.
//
// It never serves an unsigned request, keeps no versions, and trusts no header
// that was not signed.
package bucketstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// DefaultMaxObjectSize is the size limit of an object, in bytes, unless Options
// say otherwise.
const DefaultMaxObjectSize = 5 << 30

// Options are what Open may be told; the zero value will do.
type Options struct {
	Logger        *slog.Logger     // nil: discard
	MaxObjectSize int64            // bytes; 0: DefaultMaxObjectSize
	Now           func() time.Time // nil: time.Now
}

// Store is an open folder of buckets. It is safe for concurrent use.
type Store struct {
	dir     string
	log     *slog.Logger
	maxSize int64
	now     func() time.Time
	lock    *os.File

	// creating is held while the set of buckets changes on disk.
	creating sync.Mutex
	// mu guards the index in memory; it is never held while waiting for a disk
	// to settle.
	mu      sync.RWMutex
	buckets map[string]*bucket
}

// failure is a refusal in S3's words.
type failure struct {
	code    string
	message string
	status  int
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// Is makes failures of one code equal, whatever they say.
func (f *failure) Is(target error) bool {
	other, ok := target.(*failure)
	return ok && other.code == f.code
}

// What Object answers for what is not there or not the caller's, for errors.Is.
var (
	ErrNoSuchBucket error = errNoSuchBucket
	ErrNoSuchKey    error = errNoSuchKey
	ErrAccessDenied error = errAccessDenied
)

var (
	errNoSuchBucket  = &failure{"NoSuchBucket", "The specified bucket does not exist", 404}
	errNoSuchKey     = &failure{"NoSuchKey", "The specified key does not exist.", 404}
	errAccessDenied  = &failure{"AccessDenied", "Access Denied", 403}
	errNoSuchVersion = &failure{"NoSuchVersion", "The specified version does not exist: buckets have no versions here.", 404}
	errNoSuchUpload  = &failure{"NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", 404}
	errTooLarge      = &failure{"EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400}
	errIncomplete    = &failure{"IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", 400}
	errInternal      = &failure{"InternalError", "We encountered an internal error. Please try again.", 500}
	errNotEmpty      = &failure{"BucketNotEmpty", "The bucket you tried to delete is not empty", 409}
	errExists        = &failure{"BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", 409}
	errOwned         = &failure{"BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", 409}
)

// Open opens a folder of buckets, creating it if need be, and removes what a
// crash left behind: unfinished objects, and uploads abandoned for a week. One
// process at a time may have it open.
func Open(dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, log: opts.Logger, maxSize: opts.MaxObjectSize, now: opts.Now, buckets: map[string]*bucket{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.maxSize == 0 {
		s.maxSize = DefaultMaxObjectSize
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, folder := range []string{s.dir, s.tempDir(), s.bucketsDir()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("open bucket store: %w", err)
		}
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open bucket store: %w", err)
	}
	s.lock = lock
	if err := s.load(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open bucket store: %w", err)
	}
	return s, nil
}

func (s *Store) tempDir() string    { return filepath.Join(s.dir, "tmp") }
func (s *Store) bucketsDir() string { return filepath.Join(s.dir, "buckets") }

// Close lets another process open the folder.
func (s *Store) Close() error { return s.lock.Close() }

// load reads the index from disk.
func (s *Store) load() error {
	leftovers, err := os.ReadDir(s.tempDir())
	if err != nil {
		return err
	}
	for _, entry := range leftovers {
		if err := os.RemoveAll(filepath.Join(s.tempDir(), entry.Name())); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(s.bucketsDir())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		b, err := s.loadBucket(entry.Name())
		if err != nil {
			return fmt.Errorf("bucket %s: %w", entry.Name(), err)
		}
		s.buckets[b.name] = b
	}
	return nil
}

// Object opens an object of an account's bucket for reading, and answers its
// size in bytes. The error is ErrNoSuchBucket, ErrNoSuchKey, ErrAccessDenied (the
// bucket is another account's) or a failure of the disk. The caller closes the
// reader, which goes on answering the same object even if it is replaced.
func (s *Store) Object(ctx context.Context, accountID, bucket, key string) (io.ReadCloser, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	o, f, err := s.open(accountID, bucket, key)
	if err != nil {
		return nil, 0, err
	}
	return f, o.Size, nil
}

// bucket finds a bucket that an account may use.
func (s *Store) bucket(account, name string) (*bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lookup(account, name)
}

// lookup needs mu.
func (s *Store) lookup(account, name string) (*bucket, error) {
	b := s.buckets[name]
	if b == nil {
		return nil, errNoSuchBucket
	}
	if b.account != account {
		return nil, errAccessDenied
	}
	return b, nil
}

// open finds an object and opens its content. The lock is held over both, so
// that the file is not removed in between.
func (s *Store) open(account, bucket, key string) (*object, *os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.lookup(account, bucket)
	if err != nil {
		return nil, nil, err
	}
	o := b.objects[key]
	if o == nil {
		return nil, nil, errNoSuchKey
	}
	f, err := os.Open(b.contentPath(o.Content))
	if err != nil {
		return nil, nil, fmt.Errorf("content of an object: %w", err)
	}
	return o, f, nil
}

// head finds an object without opening it.
func (s *Store) head(account, bucket, key string) (*object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.lookup(account, bucket)
	if err != nil {
		return nil, err
	}
	if o := b.objects[key]; o != nil {
		return o, nil
	}
	return nil, errNoSuchKey
}

// owned are the buckets of an account, by name.
func (s *Store) owned(account string) []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*bucket
	for _, b := range s.buckets {
		if b.account == account {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *bucket) int { return compare(a.name, b.name) })
	return list
}

// createBucket makes a bucket of a valid name.
func (s *Store) createBucket(account, name string) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	s.mu.RLock()
	existing := s.buckets[name]
	s.mu.RUnlock()
	if existing != nil {
		if existing.account == account {
			return errOwned
		}
		return errExists
	}
	b := newBucket(filepath.Join(s.bucketsDir(), name), name, account, s.now().UTC())
	temp := s.tempPath()
	for _, folder := range []string{temp, filepath.Join(temp, "objects"), filepath.Join(temp, "content"), filepath.Join(temp, "uploads")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return fmt.Errorf("create bucket: %w", err)
		}
	}
	if err := s.writeJSON(filepath.Join(temp, "bucket.json"), bucketRecord{Account: account, Created: b.created}); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	if err := renameDurably(temp, b.dir); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	s.mu.Lock()
	s.buckets[name] = b
	s.mu.Unlock()
	return nil
}

// deleteBucket removes a bucket without objects; its unfinished uploads go too.
func (s *Store) deleteBucket(account, name string) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	b, err := s.bucket(account, name)
	if err != nil {
		return err
	}
	b.commit.Lock()
	defer b.commit.Unlock()
	if len(b.objects) > 0 {
		return errNotEmpty
	}
	temp := s.tempPath()
	if err := renameDurably(b.dir, temp); err != nil {
		return fmt.Errorf("delete bucket: %w", err)
	}
	s.mu.Lock()
	b.gone = true
	delete(s.buckets, name)
	s.mu.Unlock()
	if err := os.RemoveAll(temp); err != nil {
		s.log.Warn("remove a deleted bucket's files", "bucket", name, "err", err) // Open will
	}
	return nil
}
