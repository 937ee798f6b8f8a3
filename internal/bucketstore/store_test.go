package bucketstore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
	"github.com/jackc/pgx/v5"
)

const (
	account = "000000000000"
	root    = "AKIDROOT"
	other   = "AKIDOTHER"  // the root of another account
	reader  = "AKIDREADER" // may read objects of bucket "bundles", and list it
	secret  = auth.Secret("not so secret")
)

type keySet map[string]auth.Key

func (k keySet) Key(_ context.Context, id, _ string) (auth.Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

// tested is a Store, or a Shared.
type tested interface {
	shelves
	Handler(*auth.Verifier, func(*http.Request, Call)) http.Handler
	Object(ctx context.Context, accountID, bucket, key string) (io.ReadCloser, int64, error)
	Close() error
}

// server is a store behind a listening handler.
type server struct {
	tested
	t   *testing.T
	dir string
	url string
}

// onPostgres reports whether the tests of this package are to run on buckets
// in a PostgreSQL database.
func onPostgres() bool { return os.Getenv("HADRON_TEST_DATABASE") == "postgres" }

// ofFolders skips a test of what only a folder of buckets has.
func ofFolders(t *testing.T) {
	t.Helper()
	if onPostgres() {
		t.Skip("skipped on PostgreSQL: it is about folders")
	}
}

// shared opens the database that stands for a folder.
func shared(t *testing.T, dir string, opts Options) (*Shared, error) {
	t.Helper()
	file := filepath.Join(dir, "database")
	database, err := os.ReadFile(file)
	if err != nil {
		database = []byte(postgrestest.URL(t))
		if err := os.WriteFile(file, database, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), string(database), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return OpenShared(t.Context(), db, filepath.Join(dir, "reading"), opts)
}

func serve(t *testing.T, dir string, opts Options) *server {
	t.Helper()
	var store tested
	var err error
	if onPostgres() {
		store, err = shared(t, dir, opts)
	} else {
		store, err = Open(dir, opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	policy, err := auth.ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bundles","arn:aws:s3:::bundles/*"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(store.Handler(&auth.Verifier{Keys: keySet{
		root:   {Secret: secret, AccountID: account, ARN: "arn:aws:iam::000000000000:root"},
		other:  {Secret: secret, AccountID: "111111111111", ARN: "arn:aws:iam::111111111111:root"},
		reader: {Secret: secret, AccountID: account, ARN: "arn:aws:iam::000000000000:user/reader", Policy: policy},
	}}, nil))
	t.Cleanup(web.Close)
	return &server{store, t, dir, web.URL}
}

// withBucket serves a fresh store with the bucket "bundles".
func withBucket(t *testing.T) *server {
	t.Helper()
	s := serve(t, t.TempDir(), Options{})
	s.want(200, "", s.do(root, "PUT", "/bundles", ""))
	return s
}

type answer struct {
	status int
	header http.Header
	body   string
}

func target(bucket, key string) string {
	return (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath()
}

func (s *server) request(method, target, body string, header ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for n := 0; n < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return r
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// do signs a request and sends it.
func (s *server) do(id, method, target, body string, header ...string) answer {
	s.t.Helper()
	r := s.request(method, target, body, header...)
	if err := auth.Sign(r, []byte(body), id, secret, "", "eu-west-1", "s3", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	return s.send(r)
}

// want holds an answer against a status and, in an error document, a code.
func (s *server) want(status int, code string, got answer) {
	s.t.Helper()
	var e struct{ Code string }
	if code != "" {
		if err := xml.Unmarshal([]byte(got.body), &e); err != nil {
			s.t.Errorf("no error document: %v: %q", err, got.body)
		}
	}
	if got.status != status || e.Code != code {
		s.t.Errorf("status %d code %q, want %d %q: %s", got.status, e.Code, status, code, got.body)
	}
}

func tag(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// tagOfParts is the entity tag of an object uploaded in parts.
func tagOfParts(parts ...string) string {
	var sums []byte
	for _, part := range parts {
		sum := md5.Sum([]byte(part))
		sums = append(sums, sum[:]...)
	}
	return fmt.Sprintf(`"%x-%d"`, md5.Sum(sums), len(parts))
}

func TestWhatIsPutIsThere(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	put := s.do(root, "PUT", "/bundles/web/v1.tar.gz", "bundle", "Content-Type", "application/gzip", "X-Amz-Meta-Team", "platform")
	s.want(200, "", put)
	if got := put.header.Get("ETag"); got != tag("bundle") {
		t.Errorf("ETag %s", got)
	}
	got := s.do(root, "GET", "/bundles/web/v1.tar.gz", "")
	s.want(200, "", got)
	if got.body != "bundle" || got.header.Get("Content-Type") != "application/gzip" || got.header.Get("X-Amz-Meta-Team") != "platform" || got.header.Get("ETag") != tag("bundle") {
		t.Errorf("got %+v", got)
	}
	if got.header.Get("Content-Security-Policy") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a browser may run the object: %v", got.header)
	}
	if part := s.do(root, "GET", "/bundles/web/v1.tar.gz", "", "Range", "bytes=1-3"); part.status != 206 || part.body != "und" {
		t.Errorf("range: %+v", part)
	}
	if end := s.do(root, "GET", "/bundles/web/v1.tar.gz", "", "Range", "bytes=-100"); end.body != "bundle" {
		t.Errorf("suffix longer than the object: %+v", end)
	}
	s.want(416, "InvalidRange", s.do(root, "GET", "/bundles/web/v1.tar.gz", "", "Range", "bytes=6-"))
	s.want(304, "", s.do(root, "GET", "/bundles/web/v1.tar.gz", "", "If-None-Match", tag("bundle")))
	s.want(412, "PreconditionFailed", s.do(root, "PUT", "/bundles/web/v1.tar.gz", "x", "If-None-Match", "*"))
	if head := s.do(root, "HEAD", "/bundles/web/v1.tar.gz", ""); head.status != 200 || head.header.Get("Content-Length") != "6" {
		t.Errorf("head: %+v", head)
	}
	s.want(200, "", s.do(root, "PUT", "/bundles/copy", "", "X-Amz-Copy-Source", "/bundles/web/v1.tar.gz"))
	if copied := s.do(root, "GET", "/bundles/copy", ""); copied.body != "bundle" || copied.header.Get("X-Amz-Meta-Team") != "platform" {
		t.Errorf("copy: %+v", copied)
	}
	s.want(204, "", s.do(root, "DELETE", "/bundles/copy", ""))
	s.want(404, "NoSuchKey", s.do(root, "GET", "/bundles/copy", ""))
	s.want(404, "NoSuchBucket", s.do(root, "GET", "/nothing/copy", ""))
}

func TestObjectsAreReadInProcess(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "first")
	r, size, err := s.Object(t.Context(), account, "bundles", "k")
	if err != nil || size != 5 {
		t.Fatal(size, err)
	}
	defer r.Close()
	s.do(root, "PUT", "/bundles/k", "second")
	if text, err := io.ReadAll(r); err != nil || string(text) != "first" {
		t.Errorf("an open object changed: %q, %v", text, err)
	}
	for _, tt := range []struct {
		account, bucket, key string
		want                 error
	}{
		{account, "nothing", "k", ErrNoSuchBucket}, {account, "bundles", "nothing", ErrNoSuchKey},
		{"111111111111", "bundles", "k", ErrAccessDenied}, {"111111111111", "bundles", "nothing", ErrAccessDenied},
	} {
		if _, _, err := s.Object(t.Context(), tt.account, tt.bucket, tt.key); !errors.Is(err, tt.want) {
			t.Errorf("%v: error %v, want %v", tt, err, tt.want)
		}
	}
}

func TestKeysAreNeverPaths(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	keys := []string{
		"..", ".", "../../../etc/passwd", "../bucket.json", "a/../b", "a//b", "//a", "a/", "bucket.json", "objects/x.json",
		"ünï/✓", "a\\..\\b", "C:\\x", "a%2F..%2Fb", "tab\there", strings.Repeat("k", 1024), strings.Repeat("/", 1024), "con", "~", "a b+c",
	}
	for _, key := range keys {
		s.want(200, "", s.do(root, "PUT", target("bundles", key), key))
	}
	for _, key := range keys {
		if got := s.do(root, "GET", target("bundles", key), ""); got.body != key {
			t.Errorf("%q is %+v", key, got)
		}
	}
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		if ok := d.IsDir() || name == "lock" || onPostgres() || name == "bucket.json" || len(name) == 69 || len(name) == 26; !ok {
			t.Errorf("a file of its own name: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s.want(400, "KeyTooLongError", s.do(root, "PUT", target("bundles", strings.Repeat("k", 1025)), ""))
	s.want(400, "InvalidURI", s.do(root, "PUT", "/bundles/%00", ""))
	s.want(400, "InvalidURI", s.do(root, "PUT", "/bundles/%FF", ""))
	for _, bucket := range []string{"..", "%2e%2e", "a", "UPPER", "a_b", "a..b", "-ab", "ab-", "127.0.0.1", "xn--abc", "console", "healthz", "readyz", "metrics", strings.Repeat("b", 64)} {
		s.want(400, "InvalidBucketName", s.do(root, "PUT", "/"+bucket, ""))
	}
}

type listing struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct{ Key string }
	CommonPrefixes        []struct{ Prefix string }
}

// list reads all pages of a listing: keys, then common prefixes.
func (s *server) list(prefix, delimiter, size string) (keys []string) {
	s.t.Helper()
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}, "delimiter": {delimiter}, "max-keys": {size}}
	for range 100 {
		got := s.do(root, "GET", "/bundles?"+q.Encode(), "")
		var l listing
		if err := xml.Unmarshal([]byte(got.body), &l); err != nil {
			s.t.Fatal(err, got)
		}
		for _, c := range l.Contents {
			keys = append(keys, c.Key)
		}
		for _, c := range l.CommonPrefixes {
			keys = append(keys, c.Prefix)
		}
		if !l.IsTruncated {
			return keys
		}
		q.Set("continuation-token", l.NextContinuationToken)
	}
	s.t.Fatal("a listing without end")
	return nil
}

func TestListings(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	all := []string{"a", "a/1", "a/2/x", "a/2/y", "a0", "b/1", "ä"}
	for _, key := range all {
		s.do(root, "PUT", target("bundles", key), key)
	}
	for _, tt := range []struct {
		prefix, delimiter string
		want              []string
	}{
		{"", "", all},
		{"a/", "", []string{"a/1", "a/2/x", "a/2/y"}},
		{"", "/", []string{"a", "a/", "a0", "b/", "ä"}},
		{"a", "/", []string{"a", "a/", "a0"}},
		{"a/", "/", []string{"a/1", "a/2/"}},
		{"a/2/", "/", []string{"a/2/x", "a/2/y"}},
		{"", "2/", []string{"a", "a/1", "a/2/", "a0", "b/1", "ä"}},
		{"zzz", "/", nil},
	} {
		for _, size := range []string{"1", "2", "1000"} {
			got := s.list(tt.prefix, tt.delimiter, size)
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("prefix %q delimiter %q by %s (-want +got):\n%s", tt.prefix, tt.delimiter, size, diff)
			}
		}
	}
	if got := s.do(root, "GET", "/bundles?marker=a0", ""); strings.Contains(got.body, "<Key>a0<") || !strings.Contains(got.body, "<Key>b/1<") {
		t.Errorf("version 1 after a0: %s", got.body)
	}
	gone := s.do(root, "POST", "/bundles?delete", "<Delete><Object><Key>a</Key></Object><Object><Key>nothing</Key></Object></Delete>")
	if gone.status != 200 || strings.Count(gone.body, "<Deleted>") != 2 {
		t.Errorf("delete: %+v", gone)
	}
	if diff := cmp.Diff(all[1:], s.list("", "", "1000")); diff != "" {
		t.Error(diff)
	}
}

func TestBucketsBelongToAccounts(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "mine")
	s.want(409, "BucketAlreadyOwnedByYou", s.do(root, "PUT", "/bundles", ""))
	s.want(409, "BucketAlreadyExists", s.do(other, "PUT", "/bundles", ""))
	for _, r := range [][2]string{
		{"GET", "/bundles/k"}, {"PUT", "/bundles/k"}, {"DELETE", "/bundles/k"}, {"GET", "/bundles"}, {"DELETE", "/bundles"},
		{"POST", "/bundles/k?uploads"}, {"GET", "/bundles?uploads"}, {"POST", "/bundles?delete"}, {"GET", "/bundles?location"},
	} {
		s.want(403, "AccessDenied", s.do(other, r[0], r[1], ""))
	}
	s.want(200, "", s.do(other, "PUT", "/theirs", ""))
	s.want(403, "AccessDenied", s.do(other, "PUT", "/theirs/k", "", "X-Amz-Copy-Source", "bundles/k"))
	if got := s.do(other, "GET", "/", ""); !strings.Contains(got.body, "theirs") || strings.Contains(got.body, "bundles") {
		t.Errorf("list of buckets: %s", got.body)
	}
	s.want(409, "BucketNotEmpty", s.do(root, "DELETE", "/bundles", ""))
	s.do(root, "DELETE", "/bundles/k", "")
	s.want(204, "", s.do(root, "DELETE", "/bundles", ""))
	s.want(404, "NoSuchBucket", s.do(root, "GET", "/bundles", ""))
}

func TestPoliciesDecide(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/private", "")
	s.do(root, "PUT", "/private/k", "")
	s.do(root, "PUT", "/bundles/k", "k")
	s.want(200, "", s.do(reader, "GET", "/bundles/k", ""))
	s.want(200, "", s.do(reader, "HEAD", "/bundles/k", ""))
	s.want(200, "", s.do(reader, "GET", "/bundles?list-type=2", ""))
	for _, r := range [][2]string{
		{"PUT", "/bundles/k"}, {"DELETE", "/bundles/k"}, {"POST", "/bundles/k?uploads"}, {"GET", "/bundles/k?tagging"},
		{"GET", "/bundles?location"}, {"DELETE", "/bundles"}, {"PUT", "/new"}, {"GET", "/"}, {"GET", "/private/k"}, {"GET", "/private"},
		{"GET", "/bundles/k?acl"}, {"GET", "/bundles?versions"}, {"PUT", "/bundles/k?uploadId=x&partNumber=1"},
	} {
		s.want(403, "AccessDenied", s.do(reader, r[0], r[1], ""))
	}
	got := s.do(reader, "POST", "/bundles?delete", "<Delete><Object><Key>k</Key></Object></Delete>")
	if got.status != 200 || !strings.Contains(got.body, "<Code>AccessDenied</Code>") || strings.Contains(got.body, "<Deleted>") {
		t.Errorf("delete: %+v", got)
	}
	s.want(501, "NotImplemented", s.do(root, "PUT", "/bundles?policy", "{}"))
	s.want(400, "InvalidArgument", s.do(root, "GET", "/bundles/k?acl&tagging", ""))
	s.want(405, "MethodNotAllowed", s.do(root, "PATCH", "/bundles/k", ""))
}

func TestBadSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "k")
	signed := func(id string, secret auth.Secret, at time.Time) *http.Request {
		r := s.request("GET", "/bundles/k", "")
		if err := auth.Sign(r, nil, id, secret, "", "eu-west-1", "s3", at); err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.want(403, "AccessDenied", s.send(s.request("GET", "/bundles/k", "")))
	s.want(403, "AccessDenied", s.send(s.request("OPTIONS", "/bundles/k", "")))
	s.want(403, "SignatureDoesNotMatch", s.send(signed(root, "wrong", time.Now())))
	s.want(403, "InvalidAccessKeyId", s.send(signed("AKIDNOBODY", secret, time.Now())))
	s.want(403, "RequestTimeTooSkewed", s.send(signed(root, secret, time.Now().Add(-time.Hour))))
	r := s.request("PUT", "/bundles/k", "forged")
	if err := auth.Sign(r, []byte("signed"), root, secret, "", "eu-west-1", "s3", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.want(400, "XAmzContentSHA256Mismatch", s.send(r))
	s.want(400, "BadDigest", s.do(root, "PUT", "/bundles/k", "x", "X-Amz-Checksum-Crc32", "AAAAAA=="))
	if got := s.do(root, "GET", "/bundles/k", ""); got.body != "k" {
		t.Errorf("a refused body was stored: %q", got.body)
	}
}

func (s *server) begin(key string) string {
	s.t.Helper()
	var begun struct{ UploadId string }
	if err := xml.Unmarshal([]byte(s.do(root, "POST", "/bundles/"+key+"?uploads", "", "Content-Type", "app/x").body), &begun); err != nil {
		s.t.Fatal(err)
	}
	return begun.UploadId
}

func finish(etags ...string) string {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for n, etag := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n+1, etag)
	}
	return b.String() + "</CompleteMultipartUpload>"
}

func TestMultipartUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, Options{})
	s.do(root, "PUT", "/bundles", "")
	big, tail := strings.Repeat("0123456789abcdef", minPartSize/16), "tail"
	at := "/bundles/big?uploadId=" + s.begin("big")
	s.do(root, "PUT", at+"&partNumber=1", "replaced")
	s.want(200, "", s.do(root, "PUT", at+"&partNumber=1", big))
	s.want(400, "BadDigest", s.do(root, "PUT", at+"&partNumber=2", "x", "X-Amz-Checksum-Crc32", "AAAAAA=="))
	s.want(400, "InvalidArgument", s.do(root, "PUT", at+"&partNumber=0", "x"))
	if part := s.do(root, "PUT", at+"&partNumber=2", tail); part.header.Get("ETag") != tag(tail) {
		t.Errorf("part: %+v", part)
	}
	s.want(404, "NoSuchKey", s.do(root, "GET", "/bundles/big", ""))

	// Uploads outlive the process.
	s.Close()
	s = serve(t, dir, Options{})
	parts := s.do(root, "GET", at+"&max-parts=1", "")
	if !strings.Contains(parts.body, "<IsTruncated>true<") || !strings.Contains(parts.body, "<NextPartNumberMarker>1<") {
		t.Errorf("parts: %s", parts.body)
	}
	if rest := s.do(root, "GET", at+"&part-number-marker=1", ""); !strings.Contains(rest.body, "<PartNumber>2<") || strings.Contains(rest.body, "<PartNumber>1<") {
		t.Errorf("parts after 1: %s", rest.body)
	}
	if list := s.do(root, "GET", "/bundles?uploads", ""); !strings.Contains(list.body, "<Key>big</Key>") {
		t.Errorf("uploads: %s", list.body)
	}
	s.want(400, "InvalidPart", s.do(root, "POST", at, finish(tag("other"), tag(tail))))
	s.want(400, "InvalidPartOrder", s.do(root, "POST", at, "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber></Part><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"))
	s.want(400, "MalformedXML", s.do(root, "POST", at, "<Complete"))
	done := s.do(root, "POST", at, finish(tag(big), tag(tail)))
	s.want(200, "", done)
	s.want(200, "", s.do(root, "POST", at, finish(tag(big), tag(tail)))) // said again by a client that heard no answer
	got := s.do(root, "GET", "/bundles/big", "")
	if got.body != big+tail || got.header.Get("Content-Type") != "app/x" || got.header.Get("ETag") != tagOfParts(big, tail) {
		t.Errorf("%d bytes, %v", len(got.body), got.header)
	}

	at = "/bundles/small?uploadId=" + s.begin("small")
	s.do(root, "PUT", at+"&partNumber=1", "a")
	s.want(200, "", s.do(root, "PUT", at+"&partNumber=2", "", "X-Amz-Copy-Source", "bundles/big", "X-Amz-Copy-Source-Range", "bytes=10-12"))
	s.want(416, "InvalidRange", s.do(root, "PUT", at+"&partNumber=2", "", "X-Amz-Copy-Source", "bundles/big", "X-Amz-Copy-Source-Range", "bytes=10-99999999"))
	s.want(400, "EntityTooSmall", s.do(root, "POST", at, finish(tag("a"), tag("abc"))))
	s.want(404, "NoSuchUpload", s.do(root, "PUT", strings.Replace(at, "/small", "/other", 1)+"&partNumber=1", "a"))
	s.want(204, "", s.do(root, "DELETE", at, ""))
	s.want(404, "NoSuchUpload", s.do(root, "DELETE", at, ""))
	if n := s.files("content"); n != 1 {
		t.Errorf("%d content files, want that of the object", n)
	}
}

// files counts the files of one kind in the bucket "bundles".
// contents counts what is in the database.
func (s *server) contents() (n int) {
	s.t.Helper()
	database, err := os.ReadFile(filepath.Join(s.dir, "database"))
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := pgx.Connect(s.t.Context(), string(database))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	if err := conn.QueryRow(s.t.Context(), "SELECT COUNT(DISTINCT id) FROM bucket_contents").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *server) files(kind string) int {
	s.t.Helper()
	if onPostgres() {
		return s.contents()
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "buckets", "bundles", kind))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

func TestLeftoversOfACrashAreInvisibleAndRemoved(t *testing.T) {
	ofFolders(t)
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, Options{})
	s.do(root, "PUT", "/bundles", "")
	s.do(root, "PUT", "/bundles/kept", "kept")
	upload := s.begin("old")
	s.do(root, "PUT", "/bundles/old?uploadId="+upload+"&partNumber=1", "part")
	s.Close()
	bucket := filepath.Join(dir, "buckets", "bundles")
	for _, path := range []string{ // written, but no record names them
		filepath.Join(dir, "tmp", "half-a-record"), filepath.Join(dir, "tmp", "half-a-bucket", "bucket.json"),
		filepath.Join(bucket, "content", "half-an-object"), filepath.Join(bucket, "uploads", "half-an-upload", "1.json"),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	s = serve(t, dir, Options{})
	if got := s.list("", "", "1000"); len(got) != 1 || s.do(root, "GET", "/bundles/kept", "").body != "kept" {
		t.Errorf("objects %v", got)
	}
	if c, u := s.files("content"), s.files("uploads"); c != 2 || u != 1 {
		t.Errorf("%d content files and %d uploads, want 2 and 1", c, u)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(entries) != 0 {
		t.Errorf("left in tmp: %v", entries)
	}
	s.Close()

	s = serve(t, dir, Options{Now: func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }})
	if c, u := s.files("content"), s.files("uploads"); c != 1 || u != 0 {
		t.Errorf("after a week: %d content files and %d uploads, want 1 and 0", c, u)
	}
	s.Close()

	records, err := filepath.Glob(filepath.Join(bucket, "objects", "*"))
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	if err := os.WriteFile(records[0], []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), records[0]) {
		t.Errorf("error %v, want one that names the damaged file", err)
	}
}

func TestAFolderIsOpenOnce(t *testing.T) {
	ofFolders(t)
	t.Parallel()
	s := serve(t, t.TempDir(), Options{})
	if again, err := Open(s.dir, Options{}); err == nil {
		again.Close()
		t.Error("opened twice")
	}
}

// A body that ends early, fails or is too large leaves what was there.
func TestUnfinishedBodiesChangeNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), Options{MaxObjectSize: 1000})
	s.do(root, "PUT", "/bundles", "")
	s.do(root, "PUT", "/bundles/k", "before")
	s.want(400, "EntityTooLarge", s.do(root, "PUT", "/bundles/k", strings.Repeat("x", 1001)))
	s.want(200, "", s.do(root, "PUT", "/bundles/limit", strings.Repeat("x", 1000)))
	for name, body := range map[string]io.Reader{
		"short": strings.NewReader("abc"), "failing": io.MultiReader(strings.NewReader("abc"), failing{}), "cut": io.MultiReader(strings.NewReader("abc"), cut{}),
	} {
		if _, err := s.put(t.Context(), account, "bundles", "k", nil, body, 10, nil); err == nil {
			t.Errorf("%s body is stored", name)
		}
	}
	if _, err := s.put(t.Context(), account, "bundles", "k", nil, strings.NewReader(strings.Repeat("x", 1001)), -1, nil); !errors.Is(err, errTooLarge) {
		t.Errorf("unannounced large body: %v", err)
	}
	if got := s.do(root, "GET", "/bundles/k", ""); got.body != "before" {
		t.Errorf("object is %q", got.body)
	}
	if n := s.files("content"); n != 2 {
		t.Errorf("%d content files, want 2", n)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadersSeeWholeObjectsWhileWritersReplaceThem(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/hot", strings.Repeat("a", 5000))
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for n := range 3 {
		writers.Go(func() {
			for range 10 {
				s.want(200, "", s.do(root, "PUT", "/bundles/hot", strings.Repeat(string(rune('a'+n)), 5000+n)))
			}
		})
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := s.do(root, "GET", "/bundles/hot", "")
				if got.status != 200 || len(got.body) < 5000 || strings.Trim(got.body, got.body[:1]) != "" || got.header.Get("ETag") != tag(got.body) {
					t.Errorf("a mixture: %d bytes, status %d", len(got.body), got.status)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if n := s.files("content"); n != 1 {
		t.Errorf("%d content files, want 1", n)
	}
}

func TestOnlyOneCreationWins(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for n := range statuses {
		wg.Go(func() {
			statuses[n] = s.do(root, "PUT", "/bundles/lock", fmt.Sprint(n), "If-None-Match", "*").status
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if statuses[0] != 200 || statuses[1] != 412 {
		t.Errorf("statuses %v, want one 200 and 412s", statuses)
	}
}

// A client that waits for "100 Continue" hears a refusal instead.
func TestRefusalsDoNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "before")
	r := s.request("PUT", "/bundles/k", "after", "If-None-Match", "*")
	if err := auth.Sign(r, []byte("after"), root, secret, "", "eu-west-1", "s3", time.Now()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "PUT /bundles/k HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nExpect: 100-continue\r\n", r.URL.Host)
	r.Header.Write(conn)
	fmt.Fprint(conn, "\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "412") {
		t.Errorf("answer %q, %v", line, err)
	}
}

// brokenKeys panics where a key is looked up.
type brokenKeys struct{}

func (brokenKeys) Key(context.Context, string, string) (auth.Key, bool, error) { panic("out of range") }

func TestPanicsAreAnswered(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	h := s.Handler(&auth.Verifier{Keys: brokenKeys{}}, nil)
	r := httptest.NewRequest("GET", "/bundles/k", bytes.NewReader(nil))
	if err := auth.Sign(r, nil, root, secret, "", "eu-west-1", "s3", time.Now()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	s.want(500, "InternalError", answer{w.Code, w.Header(), w.Body.String()})
}
