package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// WriteFiles writes files below the folder dir, which exists. A path that is
// empty, absolute, or leads out of dir (by "..", or by a link that is already
// there) is an error that names it, and so is one path given twice. Permission
// bits are kept, without regard to the umask, but the owner may always read
// and write; mode 0 means 0644.
func WriteFiles(dir string, files []File) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if !fs.ValidPath(f.Path) || f.Path == "." || !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return fmt.Errorf("file %q: the path must be relative, slash-separated and without \"..\"", f.Path)
		}
		if seen[f.Path] {
			return fmt.Errorf("file %q: given twice", f.Path)
		}
		seen[f.Path] = true
		if err := writeFile(root, f); err != nil {
			return fmt.Errorf("file %q: %w", f.Path, err)
		}
	}
	return nil
}

func writeFile(root *os.Root, f File) error {
	mode := f.Mode.Perm()
	if mode == 0 {
		mode = 0o644
	}
	mode |= 0o600
	if err := root.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Content)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// RemoveFolder removes dir with all it holds, also what tools made read-only.
// Links are removed, not followed. A folder that is not there is no error.
func RemoveFolder(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(name, 0o700) // before its entries are read
		}
		return nil
	})
	return os.RemoveAll(dir)
}
