package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entry is one entry of an archive under test.
type entry struct {
	name, content string
	kind          byte // tar.TypeReg if zero
	link          string
	mode          int64 // 0644 if zero
}

// tarGz makes an archive.
func tarGz(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: e.mode, Size: int64(len(e.content)), Format: tar.FormatPAX}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// minimal is a whole environment bundle.
func minimal() []entry {
	return []entry{
		{name: "schema/schema.yaml", content: "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In: {type: object, properties: {a: {type: string}}}\n"},
		{name: "infrastructure/manifest.yaml", content: "infrastructure:\n  templates:\n  - rendering_engine: codebuild\n    settings: {image: i, runtimes: {nodejs: 16}, provision: [./run.sh], deprovision: [\"true\"]}\n"},
		{name: "infrastructure/run.sh", content: "echo hi\n", mode: 0o755},
	}
}

func TestFilesThatSystemsAddAreDropped(t *testing.T) {
	t.Parallel()
	entries := append(minimal(),
		entry{name: "./._schema", content: "x"}, entry{name: "infrastructure/._run.sh", content: "x"},
		entry{name: "infrastructure/.DS_Store", content: "x"}, entry{name: "__MACOSX/schema/schema.yaml", content: "x"},
		entry{name: "infrastructure/", kind: tar.TypeDir, mode: 0o755}, entry{name: "README.md", content: "x"})
	b, warnings, err := Register(tarGz(t, entries...), Want{}, DefaultLimits())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %v", err, warnings)
	}
	var names []string
	for _, f := range b.in(Infrastructure) {
		names = append(names, fmt.Sprintf("%s %o", f.path, f.mode))
	}
	if diff := cmp.Diff([]string{"manifest.yaml 644", "run.sh 755"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestArchivesThatAreRefused(t *testing.T) {
	t.Parallel()
	good := tarGz(t, minimal()...)
	with := func(e ...entry) []byte { return tarGz(t, append(minimal(), e...)...) }
	gz := func(content []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-5] ^= 0xff // inside the checksum
	many := make([]entry, 10_000)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("f%d", i)}
	}
	small := DefaultLimits()
	small.Unpacked, small.Entries, small.Archive = 1<<20, 100, 1<<16
	cases := []struct {
		name    string
		archive []byte
		limits  Limits
		want    string
	}{
		{"empty", nil, small, "the archive is empty"},
		{"no gzip", []byte("PK\x03\x04 this is a zip file"), small, "the archive is not gzip-compressed; make it with tar -czf"},
		{"no gzip, and short", []byte("junk"), small, "the archive is not gzip-compressed; make it with tar -czf"},
		{"no tar", gz(bytes.Repeat([]byte("text "), 500)), small, "the archive does not hold a tar; make it with tar -czf"},
		{"empty tar", tarGz(t), small, "the archive holds no files"},
		{"truncated", good[:len(good)/2], small, "the archive is truncated"},
		{"truncated at the checksum", good[:len(good)-3], small, "the archive is truncated"},
		{"wrong checksum", flipped, small, "the archive is damaged: its checksum does not match"},
		{"too large", append(bytes.Clone(good), make([]byte, 1<<16)...), small, fmt.Sprintf("the archive has %d bytes; the limit is 65536", len(good)+1<<16)},
		{"gzip bomb", gz(make([]byte, 64<<20)), DefaultLimits(), "the archive holds no files"},
		{"gzip bomb behind a tar", gz(append(unzip(t, good), make([]byte, 8<<20)...)), small, "the archive unpacks to more than the limit"},
		{"tar bomb", with(entry{name: "zeros", content: string(make([]byte, 2<<20))}), small, "the archive unpacks to more than 1048576 bytes"},
		{"many entries", tarGz(t, many...), DefaultLimits(), "the archive has more than 5000 entries"},
		{"dot dot", with(entry{name: "../../etc/passwd", content: "x"}), small, `the name "../../etc/passwd" leaves the bundle with ".."`},
		{"dot dot inside", with(entry{name: "a/../b", content: "x"}), small, `the name "a/../b" leaves the bundle with ".."`},
		{"symbolic link", with(entry{name: "infrastructure/x", kind: tar.TypeSymlink, link: "/etc/passwd"}), small,
			`infrastructure/x is a link to "/etc/passwd"; a bundle may hold regular files and directories only`},
		{"hard link", with(entry{name: "infrastructure/x", kind: tar.TypeLink, link: "schema/schema.yaml"}), small,
			`infrastructure/x is a link to "schema/schema.yaml"; a bundle may hold regular files and directories only`},
		{"device", with(entry{name: "x", kind: tar.TypeChar}), small, "x is a device or other special file; a bundle may hold regular files and directories only"},
		{"pipe", with(entry{name: "x", kind: tar.TypeFifo}), small, "x is a device or other special file; a bundle may hold regular files and directories only"},
		{"file and directory", with(entry{name: "infrastructure", content: "x"}), small, "infrastructure is a file and a directory in the archive"},
		{"long name", with(entry{name: strings.Repeat("n", 2000), content: "x"}), small, "a name in the archive has 2000 bytes; the limit is 1024"},
		{"no schema", tarGz(t, entry{name: "infra/manifest.yaml"}, entry{name: "README"}), small,
			"the bundle has no schema/schema.yaml; the directories found are infra/"},
		{"two schemas", with(entry{name: "other/schema/schema.yaml", content: "x"}, entry{name: "third/schema/schema.yaml"}), small, ""},
		{"two roots", tarGz(t, entry{name: "a/schema/schema.yaml"}, entry{name: "b/schema/schema.yaml"}), small,
			"the bundle has several schema/schema.yaml at the same depth, below a/ and b/; keep one"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Register(c.archive, Want{}, c.limits)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func unzip(t testing.TB, archive []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func FuzzRegister(f *testing.F) {
	f.Add(unzip(f, tarGz(f, minimal()...)), true)
	f.Add(tarGz(f, minimal()...), false)
	f.Add([]byte{}, false)
	l := DefaultLimits()
	l.Unpacked, l.Entries = 1<<20, 50
	f.Fuzz(func(t *testing.T, content []byte, compress bool) {
		if compress {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(content) // into a buffer: cannot fail
			_ = z.Close()
			content = b.Bytes()
		}
		files, err := unpack(content, l)
		size := 0
		for _, file := range files {
			size += len(file.content)
			if strings.HasPrefix(file.path, "/") || slices.Contains(strings.Split(file.path, "/"), "..") {
				t.Fatalf("path %q", file.path)
			}
		}
		if err == nil && (int64(size) > l.Unpacked || len(files) > l.Entries) {
			t.Fatalf("%d bytes in %d files", size, len(files))
		}
		for _, want := range []Want{{}, {ServiceTemplate, true}} {
			b, _, err := Register(content, want, l)
			if (b == nil) == (err == nil) {
				t.Fatalf("bundle %v with error %v", b, err)
			}
		}
	})
}

// FuzzManifest also covers what a manifest makes of the files beside it.
func FuzzManifest(f *testing.F) {
	f.Add("infrastructure:\n  templates:\n  - {rendering_engine: jinja, template_language: cloudformation, file: manifest.yaml}")
	f.Add("infrastructure: {templates: [{rendering_engine: codebuild, settings: {env: {variables: {A: [1]}}}}]}")
	f.Fuzz(func(t *testing.T, text string) {
		entries := minimal()
		entries[1].content = text
		b, _, err := Register(tarGz(t, entries...), Want{}, DefaultLimits())
		if err != nil {
			return
		}
		if _, ok := b.Method(Infrastructure); !ok {
			t.Fatal("registered without a method")
		}
	})
}
