package bucketstore

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func compare(a, b string) int { return strings.Compare(a, b) }

// unique is a name no other file has.
func unique() string { return strings.ToLower(rand.Text()) }

func (s *Store) tempPath() string { return filepath.Join(s.tempDir(), unique()) }

// recordName is the file name of a key's record: of fixed length and alphabet,
// whatever the key.
func recordName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + ".json"
}

// syncDir makes what happened in a folder survive a crash.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// renameDurably moves a file or folder and waits until the move is on disk.
func renameDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}

// writeJSON replaces a small file at once.
func (s *Store) writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temp := s.tempPath()
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// content is a written file that no record names yet.
type content struct {
	file string
	size int64
	md5  []byte
}

// writeContent stores a body in a file of its own. size is what was announced,
// or -1. The file is on disk when it returns, and gone if it fails.
func (s *Store) writeContent(b *bucket, body io.Reader, size int64) (content, error) {
	if size > s.maxSize {
		return content{}, errTooLarge
	}
	c := content{file: unique()}
	path := b.contentPath(c.file)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return c, errNoSuchBucket // deleted since it was looked up
	}
	if err != nil {
		return c, err
	}
	hash := md5.New()
	c.size, err = io.Copy(io.MultiWriter(f, hash), io.LimitReader(body, s.maxSize+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), err == nil && size >= 0 && c.size != size:
		err = errIncomplete
	case err == nil && c.size > s.maxSize:
		err = errTooLarge
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path)
		return c, err
	}
	c.md5 = hash.Sum(nil)
	return c, nil
}
