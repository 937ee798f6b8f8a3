package bucketstore

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// An upload becomes an object or is aborted, whichever came first, never both.
func TestAnAbortedUploadNeverBecomesAnObject(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	body := strings.Repeat("z", 200_000)
	for range 20 {
		at := "/bundles/race?uploadId=" + s.begin("race")
		s.want(200, "", s.do(root, "PUT", at+"&partNumber=1", body))
		var finished, aborted answer
		var wg sync.WaitGroup
		wg.Go(func() { finished = s.do(root, "POST", at, finish(tag(body))) })
		wg.Go(func() { aborted = s.do(root, "DELETE", at, "") })
		wg.Wait()
		exists := s.do(root, "HEAD", "/bundles/race", "").status == 200
		if finished.status == 200 == (aborted.status == 204) || exists != (finished.status == 200) {
			t.Fatalf("finished: %d, aborted: %d, object is there: %v", finished.status, aborted.status, exists)
		}
		s.do(root, "DELETE", "/bundles/race", "")
	}
	if n := s.files("content"); n != 0 {
		t.Errorf("%d content files, want none", n)
	}
}

func TestTwoCompletionsMakeOneObject(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	body := strings.Repeat("z", 200_000)
	for range 10 {
		at := "/bundles/race?uploadId=" + s.begin("race")
		s.do(root, "PUT", at+"&partNumber=1", body)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { s.want(200, "", s.do(root, "POST", at, finish(tag(body)))) })
		}
		wg.Wait()
	}
	if n := s.files("content"); n != 1 {
		t.Errorf("%d content files, want that of the object", n)
	}
}

func TestConditionsOnReading(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "0123456789")
	modified, err := http.ParseTime(s.do(root, "HEAD", "/bundles/k", "").header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	now, before := modified.Format(http.TimeFormat), modified.Add(-time.Hour).Format(http.TimeFormat)
	current := tag("0123456789")
	for _, tt := range []struct {
		status int
		header []string
	}{
		{200, []string{"If-Match", current}},
		{200, []string{"If-Match", `"x", ` + current}},
		{412, []string{"If-Match", `"x"`}},
		{304, []string{"If-None-Match", current}},
		{304, []string{"If-None-Match", "W/" + current}},
		{200, []string{"If-None-Match", `"x"`}},
		{304, []string{"If-Modified-Since", now}},
		{200, []string{"If-Modified-Since", before}},
		{412, []string{"If-Unmodified-Since", before}},
		{200, []string{"If-Match", current, "If-Unmodified-Since", before}},
		{200, []string{"If-None-Match", `"x"`, "If-Modified-Since", now}},
		{200, []string{"If-Modified-Since", "yesterday"}},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if got := s.do(root, method, "/bundles/k", "", tt.header...); got.status != tt.status {
				t.Errorf("%s with %q: status %d, want %d", method, tt.header, got.status, tt.status)
			}
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "0123456789")
	s.do(root, "PUT", "/bundles/empty", "")
	for _, tt := range []struct {
		wanted string
		status int
		body   string
		place  string
	}{
		{"bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"bytes=7-", 206, "789", "bytes 7-9/10"},
		{"bytes=8-99", 206, "89", "bytes 8-9/10"},
		{"bytes=-3", 206, "789", "bytes 7-9/10"},
		{"bytes=4-2", 200, "0123456789", ""},
		{"bytes=0-1,3-4", 200, "0123456789", ""},
		{"lines=1-2", 200, "0123456789", ""},
	} {
		got := s.do(root, "GET", "/bundles/k", "", "Range", tt.wanted)
		if got.status != tt.status || got.body != tt.body || got.header.Get("Content-Range") != tt.place {
			t.Errorf("%s: %d %q %q", tt.wanted, got.status, got.body, got.header.Get("Content-Range"))
		}
	}
	for _, wanted := range []string{"bytes=10-", "bytes=-0", "bytes=99-100"} {
		s.want(416, "InvalidRange", s.do(root, "GET", "/bundles/k", "", "Range", wanted))
	}
	s.want(416, "InvalidRange", s.do(root, "GET", "/bundles/empty", "", "Range", "bytes=0-0"))
	s.want(200, "", s.do(root, "GET", "/bundles/k", "", "Range", "bytes=2-4", "If-Range", `"x"`))
	s.want(206, "", s.do(root, "GET", "/bundles/k", "", "Range", "bytes=2-4", "If-Range", tag("0123456789")))
}

func TestCopiesKeepOrReplaceMetadataAndTags(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	const source = "/bundles/a%20%2B%25" // the key "a +%"
	s.do(root, "PUT", source, "copy me", "X-Amz-Meta-M", "1", "X-Amz-Tagging", "t=1")
	copied := func(header ...string) answer {
		return s.do(root, "PUT", "/bundles/copy", "", append([]string{"X-Amz-Copy-Source", source}, header...)...)
	}
	for _, tt := range []struct {
		header    []string
		meta, tag string
	}{
		{[]string{"X-Amz-Meta-M", "2", "X-Amz-Tagging", "t=2"}, "1", "<Value>1</Value>"},
		{[]string{"X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-M", "2"}, "2", "<Value>1</Value>"},
		{[]string{"X-Amz-Tagging-Directive", "REPLACE", "X-Amz-Tagging", "t=2"}, "1", "<Value>2</Value>"},
	} {
		s.want(200, "", copied(tt.header...))
		got, tags := s.do(root, "GET", "/bundles/copy", ""), s.do(root, "GET", "/bundles/copy?tagging", "")
		if got.body != "copy me" || got.header.Get("X-Amz-Meta-M") != tt.meta || !strings.Contains(tags.body, tt.tag) {
			t.Errorf("%q: metadata %q, tags %s", tt.header, got.header.Get("X-Amz-Meta-M"), tags.body)
		}
	}
	s.want(400, "InvalidArgument", copied("X-Amz-Metadata-Directive", "MAYBE"))
	s.want(412, "PreconditionFailed", copied("X-Amz-Copy-Source-If-Match", `"x"`))
	s.want(400, "InvalidRequest", s.do(root, "PUT", source, "", "X-Amz-Copy-Source", source))
}

func TestDeletionsMayBeConditional(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", "/bundles/k", "k")
	s.want(412, "PreconditionFailed", s.do(root, "DELETE", "/bundles/k", "", "If-Match", `"x"`))
	got := s.do(root, "POST", "/bundles?delete", `<Delete><Object><Key>k</Key><ETag>"x"</ETag></Object><Object><Key>k</Key><Size>9</Size></Object></Delete>`)
	if strings.Count(got.body, "<Code>PreconditionFailed</Code>") != 2 || strings.Contains(got.body, "<Deleted>") {
		t.Errorf("delete: %s", got.body)
	}
	s.want(400, "MalformedXML", s.do(root, "POST", "/bundles?delete", "<Delete></Delete>"))
	s.want(400, "BadDigest", s.do(root, "POST", "/bundles?delete", "<Delete><Object><Key>k</Key></Object></Delete>", "X-Amz-Checksum-Crc32", "AAAAAA=="))
	s.want(200, "", s.do(root, "GET", "/bundles/k", ""))
	s.want(204, "", s.do(root, "DELETE", "/bundles/k", "", "If-Match", tag("k")))
}

func TestListingsEncodeKeysAndNameTheAccount(t *testing.T) {
	t.Parallel()
	s := withBucket(t)
	s.do(root, "PUT", target("bundles", "a b+ü%/x"), "")
	for target, want := range map[string]string{
		"/bundles?encoding-type=url": "<Key>a%20b%2B%C3%BC%25/x</Key>",
		"/bundles":                   "<Key>a b+ü%/x</Key>",
		"/bundles?list-type=2&delimiter=/&encoding-type=url": "<CommonPrefixes><Prefix>a%20b%2B%C3%BC%25/</Prefix></CommonPrefixes>",
		"/bundles?list-type=2&start-after=a":                 "<KeyCount>1</KeyCount>",
		"/bundles?list-type=2&start-after=b":                 "<KeyCount>0</KeyCount>",
		"/bundles?list-type=2&fetch-owner=true":              "<Owner><ID>" + account + "</ID>",
		"/bundles?versions":                                  "<VersionId>null</VersionId><IsLatest>true</IsLatest>",
		"/bundles?max-keys=0":                                "<IsTruncated>false</IsTruncated>",
		"/":                                                  "<Owner><ID>" + account + "</ID>",
		"/bundles?acl":                                       "<Permission>FULL_CONTROL</Permission>",
	} {
		if got := s.do(root, "GET", target, ""); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d, no %s in %s", target, got.status, want, got.body)
		}
	}
	s.want(400, "InvalidArgument", s.do(root, "GET", "/bundles?encoding-type=base64", ""))
	s.want(400, "InvalidArgument", s.do(root, "GET", "/bundles?max-keys=-1", ""))
	s.want(400, "InvalidArgument", s.do(root, "GET", "/bundles?list-type=2&continuation-token=***", ""))
	s.want(404, "NoSuchBucketPolicy", s.do(root, "GET", "/bundles?policy", ""))
	s.want(404, "NoSuchVersion", s.do(root, "GET", "/bundles/k?versionId=x", ""))
}
