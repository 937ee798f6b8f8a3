package store

import (
	"context"
	"fmt"
	"time"
)

// Bucket is a bucket of the built-in bucket store that servers share.
type Bucket struct {
	Name, Account string
	CreatedAt     time.Time
}

// BucketObject is the record of an object. Content names its bytes.
type BucketObject struct {
	Bucket, Key, Content string
	Size                 int64
	Tag                  string
	ModifiedAt           time.Time
	Header               map[string]string
	UploadID             string
}

// BucketUpload is an unfinished multipart upload.
type BucketUpload struct {
	ID, Bucket, Key string
	InitiatedAt     time.Time
	Header          map[string]string
}

// BucketPart is a part of one.
type BucketPart struct {
	UploadID   string
	Number     int64
	Content    string
	Size       int64
	MD5        string
	ModifiedAt time.Time
}

var (
	bucketTable = newTable("buckets", 1, func(b *Bucket) []column {
		return []column{{"name", &b.Name}, {"account", &b.Account}, {"created_at", (*instant)(&b.CreatedAt)}}
	}, nil)
	bucketObjects = newTable("bucket_objects", 2, func(o *BucketObject) []column {
		return []column{
			{"bucket", &o.Bucket}, {"key", &o.Key}, {"content", &o.Content}, {"size", &o.Size}, {"tag", &o.Tag},
			{"modified_at", (*instant)(&o.ModifiedAt)}, {"header_json", document{&o.Header}}, {"upload_id", &o.UploadID},
		}
	}, nil)
	bucketUploads = newTable("bucket_uploads", 1, func(u *BucketUpload) []column {
		return []column{
			{"id", &u.ID}, {"bucket", &u.Bucket}, {"key", &u.Key}, {"initiated_at", (*instant)(&u.InitiatedAt)},
			{"header_json", document{&u.Header}},
		}
	}, nil)
	bucketParts = newTable("bucket_parts", 2, func(p *BucketPart) []column {
		return []column{
			{"upload_id", &p.UploadID}, {"number", &p.Number}, {"content", &p.Content}, {"size", &p.Size},
			{"md5", &p.MD5}, {"modified_at", (*instant)(&p.ModifiedAt)},
		}
	}, nil)
)

// lastText sorts behind every text that begins with a prefix, when added to it.
const lastText = "\U0010FFFF"

// Bucket reads a bucket; ok is false without it.
func (tx *Tx) Bucket(ctx context.Context, name string) (Bucket, bool, error) {
	return bucketTable.get(ctx, tx, name)
}

// Buckets lists the buckets of an account by name.
func (tx *Tx) Buckets(ctx context.Context, account string) ([]Bucket, error) {
	return bucketTable.list(ctx, tx, "WHERE account = ? ORDER BY name", account)
}

// InsertBucket adds a bucket. Conflict if the name is taken.
func (tx *Tx) InsertBucket(ctx context.Context, b Bucket) error { return bucketTable.add(ctx, tx, b) }

// DeleteBucket removes a bucket without objects, with its uploads.
func (tx *Tx) DeleteBucket(ctx context.Context, name string) error {
	uploads, err := tx.BucketUploads(ctx, name, "")
	for _, u := range uploads {
		if err == nil {
			err = tx.DeleteBucketUpload(ctx, u.ID)
		}
	}
	if err != nil {
		return err
	}
	return bucketTable.delete(ctx, tx, name)
}

// BucketObject reads an object; ok is false without it.
func (tx *Tx) BucketObject(ctx context.Context, bucket, key string) (BucketObject, bool, error) {
	return bucketObjects.get(ctx, tx, bucket, key)
}

// BucketObjects lists the first limit objects whose keys begin with prefix, by
// key, from the one behind after.
func (tx *Tx) BucketObjects(ctx context.Context, bucket, prefix, after string, limit int) ([]BucketObject, error) {
	return bucketObjects.list(ctx, tx, "WHERE bucket = ? AND key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?",
		bucket, prefix, prefix+lastText, after, limit)
}

// PutBucketObject writes an object over the one its key stands for, whose
// content goes.
func (tx *Tx) PutBucketObject(ctx context.Context, o BucketObject) error {
	if err := tx.DeleteBucketObject(ctx, o.Bucket, o.Key); err != nil {
		return err
	}
	return bucketObjects.add(ctx, tx, o)
}

// DeleteBucketObject removes an object with its content, if it is there.
func (tx *Tx) DeleteBucketObject(ctx context.Context, bucket, key string) error {
	_, err := tx.exec(ctx, "DELETE FROM bucket_contents WHERE id IN (SELECT content FROM bucket_objects WHERE bucket = ? AND key = ?)", bucket, key)
	if err != nil {
		return fmt.Errorf("delete content: %w", err)
	}
	return bucketObjects.delete(ctx, tx, bucket, key)
}

// BucketUpload reads an unfinished upload; ok is false without it.
func (tx *Tx) BucketUpload(ctx context.Context, id string) (BucketUpload, bool, error) {
	return bucketUploads.get(ctx, tx, id)
}

// BucketUploads lists the unfinished uploads of keys with a prefix, by key and id.
func (tx *Tx) BucketUploads(ctx context.Context, bucket, prefix string) ([]BucketUpload, error) {
	return bucketUploads.list(ctx, tx, "WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, id", bucket, prefix, prefix+lastText)
}

// InsertBucketUpload begins an upload.
func (tx *Tx) InsertBucketUpload(ctx context.Context, u BucketUpload) error {
	return bucketUploads.add(ctx, tx, u)
}

// DeleteBucketUpload removes an upload with its parts.
func (tx *Tx) DeleteBucketUpload(ctx context.Context, id string) error {
	for _, statement := range []string{
		"DELETE FROM bucket_contents WHERE id IN (SELECT content FROM bucket_parts WHERE upload_id = ?)",
		"DELETE FROM bucket_parts WHERE upload_id = ?",
	} {
		if _, err := tx.exec(ctx, statement, id); err != nil {
			return fmt.Errorf("delete parts: %w", err)
		}
	}
	return bucketUploads.delete(ctx, tx, id)
}

// BucketParts lists the parts of an upload by number.
func (tx *Tx) BucketParts(ctx context.Context, uploadID string) ([]BucketPart, error) {
	return bucketParts.list(ctx, tx, "WHERE upload_id = ? ORDER BY number", uploadID)
}

// PutBucketPart writes a part over one of the same number, whose content goes.
func (tx *Tx) PutBucketPart(ctx context.Context, p BucketPart) error {
	_, err := tx.exec(ctx, "DELETE FROM bucket_contents WHERE id IN (SELECT content FROM bucket_parts WHERE upload_id = ? AND number = ?)", p.UploadID, p.Number)
	if err == nil {
		err = bucketParts.delete(ctx, tx, p.UploadID, p.Number)
	}
	if err != nil {
		return fmt.Errorf("delete a part: %w", err)
	}
	return bucketParts.add(ctx, tx, p)
}

// AddBucketPiece writes a piece of a content that no record names yet.
func (tx *Tx) AddBucketPiece(ctx context.Context, id string, piece int, data []byte, now time.Time) error {
	_, err := tx.exec(ctx, "INSERT INTO bucket_contents (id, piece, data, created_at) VALUES (?, ?, ?, ?)", id, piece, data, micros(now))
	return err
}

// DropBucketContent removes a content that no record names.
func (tx *Tx) DropBucketContent(ctx context.Context, id string) error {
	_, err := tx.exec(ctx, "DELETE FROM bucket_contents WHERE id = ?", id)
	return err
}

// BucketPiece reads a piece of a content; ok is false behind the last.
func (tx *Tx) BucketPiece(ctx context.Context, id string, piece int) (data []byte, ok bool, err error) {
	rows, err := tx.query(ctx, "SELECT data FROM bucket_contents WHERE id = ? AND piece = ?", id, piece)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, false, rows.Err()
	}
	err = rows.Scan(&data)
	return data, err == nil, err
}

// SweepBuckets removes uploads that were begun before an instant, and content
// from before it that no record names.
func (tx *Tx) SweepBuckets(ctx context.Context, before time.Time) error {
	old, err := bucketUploads.list(ctx, tx, "WHERE initiated_at < ?", micros(before))
	if err != nil {
		return err
	}
	for _, u := range old {
		if err := tx.DeleteBucketUpload(ctx, u.ID); err != nil {
			return err
		}
	}
	_, err = tx.exec(ctx, `DELETE FROM bucket_contents WHERE created_at < ?
		AND NOT EXISTS (SELECT 1 FROM bucket_objects o WHERE o.content = bucket_contents.id)
		AND NOT EXISTS (SELECT 1 FROM bucket_parts p WHERE p.content = bucket_contents.id)`, micros(before))
	return err
}
