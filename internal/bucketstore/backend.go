package bucketstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/rclone/gofakes3"

	"github.com/hadronhq/hadron/internal/auth"
)

// library serves the plain S3 operations from a Store. Multipart uploads are
// not among them: the library keeps track of them in memory only.
func library(s *Store) http.Handler {
	return gofakes3.New(backend{s},
		gofakes3.WithTimeSkewLimit(0), // the signature was checked before
		gofakes3.WithTimeSource(clock(s.now)),
		gofakes3.WithoutVersioning(),
		gofakes3.WithLogger(libraryLog{s.log}),
	).Server()
}

type clock func() time.Time

func (c clock) Now() time.Time                  { return c() }
func (c clock) Since(t time.Time) time.Duration { return c().Sub(t) }

type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Print(level gofakes3.LogLevel, v ...any) {
	if level == gofakes3.LogErr {
		l.log.Error("bucket store", "err", fmt.Sprint(v...))
	}
}

// call is what a request asks for and who asks.
type call struct {
	principal   auth.Principal
	bucket, key string
	subresource string
	status      int // of the last refusal: the library does not know all
}

type callKey struct{}

func callFrom(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// backend is a Store as the library wants it.
type backend struct{ store *Store }

// refusal turns an error into the library's, and notes its status.
func (b backend) refusal(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c := callFrom(ctx)
	if f, ok := s3Failure(err); ok {
		c.status = f.status
		return gofakes3.ErrorMessage(gofakes3.ErrorCode(f.code), f.message)
	}
	c.status = http.StatusInternalServerError
	if known := gofakes3.ErrorCode(""); errors.As(err, &known) {
		c.status = known.Status()
		return known
	}
	if known := new(gofakes3.ErrorResponse); errors.As(err, &known) {
		c.status = known.Code.Status()
		return known
	}
	return err
}

// s3Failure is what a refusal of ours or of a signature looks like in S3.
func s3Failure(err error) (*failure, bool) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f, true
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return &failure{e.Code, e.Message, e.Status}, true
	}
	return nil, false
}

func (b backend) ListBuckets(ctx context.Context) ([]gofakes3.BucketInfo, error) {
	var list []gofakes3.BucketInfo
	for _, bucket := range b.store.owned(callFrom(ctx).principal.AccountID) {
		list = append(list, gofakes3.BucketInfo{Name: bucket.name, CreationDate: gofakes3.NewContentTime(bucket.created)})
	}
	return list, nil
}

func (b backend) ListBucket(ctx context.Context, name string, prefix *gofakes3.Prefix, at gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	c := callFrom(ctx)
	limit := int(cmp.Or(at.MaxKeys, gofakes3.MaxBucketKeys))
	p, err := b.store.list(c.principal.AccountID, name, prefix.Prefix, prefix.Delimiter, at.Marker, limit)
	if err != nil {
		return nil, b.refusal(ctx, err)
	}
	list := gofakes3.NewObjectList()
	owner := &gofakes3.UserInfo{ID: c.principal.AccountID, DisplayName: c.principal.AccountID}
	for _, o := range p.objects {
		list.Add(&gofakes3.Content{
			Key: o.Key, LastModified: gofakes3.NewContentTime(o.Modified), ETag: o.etag(), Size: o.Size,
			StorageClass: gofakes3.StorageStandard, Owner: owner,
		})
	}
	for _, group := range p.prefixes {
		list.AddPrefix(group)
	}
	list.IsTruncated, list.NextMarker = p.next != "", p.next
	return list, nil
}

func (b backend) CreateBucket(ctx context.Context, name string) error {
	return b.refusal(ctx, b.store.createBucket(callFrom(ctx).principal.AccountID, name))
}

func (b backend) BucketExists(ctx context.Context, name string) (bool, error) {
	_, err := b.store.bucket(callFrom(ctx).principal.AccountID, name)
	if errors.Is(err, errNoSuchBucket) {
		return false, nil
	}
	return err == nil, b.refusal(ctx, err)
}

func (b backend) DeleteBucket(ctx context.Context, name string) error {
	return b.refusal(ctx, b.store.deleteBucket(callFrom(ctx).principal.AccountID, name))
}

// described is an object's record as the library wants it.
func described(o *object) *gofakes3.Object {
	header := maps.Clone(o.Header)
	if header == nil {
		header = map[string]string{}
	}
	header["Last-Modified"] = o.Modified.UTC().Format(http.TimeFormat)
	if header["Content-Type"] == "" {
		header["Content-Type"] = "binary/octet-stream"
	}
	sum, _ := hex.DecodeString(o.MD5)
	return &gofakes3.Object{Name: o.Key, Metadata: header, Size: o.Size, Hash: sum, Contents: http.NoBody}
}

func (b backend) HeadObject(ctx context.Context, bucket, key string) (*gofakes3.Object, error) {
	o, err := b.store.head(callFrom(ctx).principal.AccountID, bucket, key)
	if err != nil {
		return nil, b.refusal(ctx, err)
	}
	return described(o), nil
}

func (b backend) GetObject(ctx context.Context, bucket, key string, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, f, err := b.store.open(callFrom(ctx).principal.AccountID, bucket, key)
	if err != nil {
		return nil, b.refusal(ctx, err)
	}
	answer := described(o)
	if wanted != nil && wanted.FromEnd && wanted.End > o.Size && o.Size > 0 {
		wanted.End = o.Size // the last n bytes of fewer are all of them
	}
	answer.Range, err = wanted.Range(o.Size)
	if err != nil {
		f.Close()
		return nil, b.refusal(ctx, err)
	}
	answer.Contents = f
	if r := answer.Range; r != nil {
		answer.Contents = section{io.NewSectionReader(f, r.Start, r.Length), f}
	}
	return answer, nil
}

// section reads part of a file and closes all of it.
type section struct {
	io.Reader
	io.Closer
}

func (b backend) PutObject(ctx context.Context, bucket, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	delete(meta, "Last-Modified")
	o, err := b.store.put(ctx, callFrom(ctx).principal.AccountID, bucket, key, meta, input, size, func(old *object) error {
		if old == nil {
			return gofakes3.CheckWriteConditions(ctx, false, "")
		}
		return gofakes3.CheckWriteConditions(ctx, true, old.etag())
	})
	if err != nil {
		return gofakes3.PutObjectResult{}, b.refusal(ctx, err)
	}
	return gofakes3.PutObjectResult{ETag: o.etag()}, nil
}

func (b backend) DeleteObject(ctx context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	err := b.store.remove(callFrom(ctx).principal.AccountID, bucket, key)
	return gofakes3.ObjectDeleteResult{}, b.refusal(ctx, err)
}

func (b backend) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	c := callFrom(ctx)
	for _, key := range keys {
		var err error = errAccessDenied
		if c.principal.May("s3:DeleteObject", objectARN(bucket, key)) {
			err = b.store.remove(c.principal.AccountID, bucket, key)
		}
		if err == nil {
			result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
			continue
		}
		refused := gofakes3.ErrorResultFromError(b.refusal(ctx, err))
		refused.Key = key
		result.Error = append(result.Error, refused)
	}
	return result, nil
}

func (b backend) CopyObject(ctx context.Context, fromBucket, fromKey, bucket, key string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	account := callFrom(ctx).principal.AccountID
	source, f, err := b.store.open(account, fromBucket, fromKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, b.refusal(ctx, err)
	}
	defer f.Close()
	delete(meta, "Last-Modified")
	o, err := b.store.put(ctx, account, bucket, key, meta, f, source.Size, nil)
	if err != nil {
		return gofakes3.CopyObjectResult{}, b.refusal(ctx, err)
	}
	return gofakes3.CopyObjectResult{ETag: o.etag(), LastModified: gofakes3.NewContentTime(o.Modified)}, nil
}
