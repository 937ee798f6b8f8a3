package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
)

// Pack makes the archive of a bundle from a folder, as "tar -czf" would but
// always the same for the same content. The folder .git is left out; links and
// special files are refused, and so is more than the limits allow.
func Pack(folder fs.FS, l Limits) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	p := &packer{folder: folder, limits: l, out: tar.NewWriter(z)}
	return p.pack(&b, z, func() error { return fs.WalkDir(folder, ".", p.add) })
}

// PackFiles makes the archive of a bundle from its files, which the caller has
// held against the limits.
func PackFiles(files []File) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	p := &packer{out: tar.NewWriter(z)}
	return p.pack(&b, z, func() error {
		for _, f := range files {
			if err := p.write(f); err != nil {
				return err
			}
		}
		return nil
	})
}

// pack has an archive filled and closes it.
func (p *packer) pack(b *bytes.Buffer, z *gzip.Writer, fill func() error) ([]byte, error) {
	for _, step := range []func() error{fill, p.out.Close, z.Close} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("pack the bundle: %w", err)
		}
	}
	return b.Bytes(), nil
}

type packer struct {
	folder  fs.FS
	limits  Limits
	out     *tar.Writer
	entries int
	size    int64
}

func (p *packer) add(path string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case d.IsDir() && d.Name() == ".git":
		return fs.SkipDir
	case d.IsDir() || added(path):
		return nil
	case !d.Type().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	p.entries++
	p.size += info.Size()
	if p.entries > p.limits.Entries || p.size > p.limits.Unpacked {
		return fmt.Errorf("the folder has more than %d files or %d bytes", p.limits.Entries, p.limits.Unpacked)
	}
	content, err := fs.ReadFile(p.folder, path)
	if err != nil {
		return err
	}
	return p.write(File{path, info.Mode(), content})
}

func (p *packer) write(f File) error {
	h := &tar.Header{Name: f.Path, Typeflag: tar.TypeReg, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Content))}
	if err := p.out.WriteHeader(h); err != nil {
		return err
	}
	_, err := p.out.Write(f.Content)
	return err
}
