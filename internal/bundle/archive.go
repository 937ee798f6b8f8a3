package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// file is one file of a bundle.
type file struct {
	path    string
	mode    fs.FileMode
	content []byte
}

// gzipMagic begins what is gzip-compressed, however short.
var gzipMagic = []byte{0x1f, 0x8b}

// maxPath bounds the length of one name in an archive.
const maxPath = 1024

// unpack reads a gzip-compressed tar. Names are normalised: a leading slash
// and "./" are dropped, and so are files that operating systems add. Nothing
// beyond the limits is ever held in memory. Files come sorted by path.
func unpack(archive []byte, l Limits) ([]file, error) {
	if int64(len(archive)) > l.Archive {
		return nil, fmt.Errorf("the archive has %d bytes; the limit is %d", len(archive), l.Archive)
	}
	if len(archive) == 0 {
		return nil, errors.New("the archive is empty")
	}
	if !bytes.HasPrefix(archive, gzipMagic) {
		return nil, archiveError(gzip.ErrHeader)
	}
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, archiveError(err)
	}
	// Headers and padding come on top of the content.
	raw := &capped{r: zip, left: l.Unpacked + int64(l.Entries+4)*4096}
	u := &unpacker{limits: l, files: map[string]file{}}
	if err := u.read(tar.NewReader(raw)); err != nil {
		return nil, archiveError(err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil { // what follows the tar; checks the sum
		return nil, archiveError(err)
	}
	return u.sorted()
}

var errTooLarge = errors.New("too large")

// capped fails once more was read than allowed; io.LimitReader would end
// silently.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func archiveError(err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return errors.New("the archive unpacks to more than the limit")
	case errors.Is(err, gzip.ErrHeader):
		return errors.New("the archive is not gzip-compressed; make it with tar -czf")
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("the archive is damaged: its checksum does not match")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the archive is truncated")
	case errors.Is(err, tar.ErrHeader):
		return errors.New("the archive does not hold a tar; make it with tar -czf")
	}
	if _, ok := errors.AsType[refusal](err); ok {
		return err
	}
	return fmt.Errorf("the archive is damaged: %w", err)
}

// refusal is an archive that can be read and is not accepted.
type refusal struct{ message string }

func (r refusal) Error() string { return r.message }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

type unpacker struct {
	limits  Limits
	entries int
	size    int64
	files   map[string]file
}

func (u *unpacker) read(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if u.entries++; u.entries > u.limits.Entries {
			return refuse("the archive has more than %d entries", u.limits.Entries)
		}
		if err := u.entry(t, h); err != nil {
			return err
		}
	}
}

func (u *unpacker) entry(t *tar.Reader, h *tar.Header) error {
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
	case tar.TypeSymlink, tar.TypeLink:
		if added(name) {
			return nil
		}
		return refuse("%s is a link to %q; a bundle may hold regular files and directories only", name, h.Linkname)
	default:
		return refuse("%s is a device or other special file; a bundle may hold regular files and directories only", name)
	}
	if name == "" || added(name) {
		return nil
	}
	content, err := u.content(t)
	if err != nil {
		return err
	}
	mode := h.FileInfo().Mode().Perm()
	if mode == 0 {
		mode = 0o644
	}
	u.files[name] = file{path: name, mode: mode, content: content}
	return nil
}

// content reads a file. The size in the header is not trusted, and a sparse
// file is counted with its holes.
func (u *unpacker) content(t *tar.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(t, u.limits.Unpacked-u.size+1))
	if err != nil {
		return nil, err
	}
	if u.size += n; u.size > u.limits.Unpacked {
		return nil, refuse("the archive unpacks to more than %d bytes", u.limits.Unpacked)
	}
	return b.Bytes(), nil
}

func cleanName(name string) (string, error) {
	if len(name) > maxPath {
		return "", refuse("a name in the archive has %d bytes; the limit is %d", len(name), maxPath)
	}
	if slices.Contains(strings.Split(name, "/"), "..") {
		return "", refuse("the name %q leaves the bundle with \"..\"", name)
	}
	if strings.ContainsRune(name, 0) {
		return "", refuse("the name %q holds a zero byte", name)
	}
	clean := strings.TrimLeft(path.Clean("/"+name), "/")
	return clean, nil
}

// added says whether a file was put in by an operating system.
func added(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if part == "__MACOSX" {
			return true
		}
	}
	base := path.Base(name)
	return strings.HasPrefix(base, "._") || base == ".DS_Store"
}

func (u *unpacker) sorted() ([]file, error) {
	out := make([]file, 0, len(u.files))
	for _, f := range u.files {
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			if _, clash := u.files[dir]; clash {
				return nil, refuse("%s is a file and a directory in the archive", dir)
			}
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, refuse("the archive holds no files")
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return out, nil
}
