package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// chunkedExample is the example of AWS's documentation of signed chunks.
func chunkedExample(t testing.TB, body string) (*Verifier, *http.Request) {
	t.Helper()
	r, err := http.NewRequest("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 66824
	for name, value := range map[string]string{
		"X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
		"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"Content-Encoding":     "aws-chunked", "X-Amz-Decoded-Content-Length": "66560",
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	} {
		r.Header.Set(name, value)
	}
	v := &Verifier{
		Keys: keySet{"AKIAIOSFODNN7EXAMPLE": {Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}},
		Now:  func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
	}
	return v, r
}

func chunkedBodyOf(parts ...string) string {
	signatures := []string{
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	}
	var b strings.Builder
	for n, part := range parts {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s\r\n", len(part), signatures[n], part)
	}
	return b.String()
}

func TestSignedChunksOfTheDocumentation(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	whole := chunkedBodyOf(first, second, "")
	v, r := chunkedExample(t, whole)
	r.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(whole)))
	if _, err := v.VerifyS3(r); err != nil {
		t.Fatal(err)
	}
	if r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("length %d, Content-Encoding %q", r.ContentLength, r.Header.Get("Content-Encoding"))
	}
	// A reader that stops at the announced length hears the verdict too.
	got, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
	if err != nil || string(got) != first+second {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	for name, body := range map[string]string{
		"a changed byte":          strings.Replace(whole, "aaaa\r\n0;", "aaab\r\n0;", 1),
		"chunks swapped":          chunkedBodyOf(second, first, ""),
		"a changed last chunk":    strings.Replace(whole, "b6c6", "b6c7", 1),
		"no signature":            strings.Replace(whole, ";chunk-signature=ad80", ";x=ad80", 1),
		"cut in a chunk":          whole[:1000],
		"cut before the last":     strings.TrimSuffix(whole, "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"),
		"size is no number":       "zz" + whole,
		"negative size":           "-" + whole,
		"larger than announced":   strings.Replace(whole, "10000;", "10401;", 1),
		"overflowing size":        "ffffffffffffffffff" + whole,
		"endless header":          strings.Repeat("0", 1<<20),
		"chunk longer than said":  strings.Replace(whole, "10000;", "ffff;", 1),
		"empty chunk in the data": strings.Replace(whole, "10000;", "0;", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, r := chunkedExample(t, body)
			if _, err := v.VerifyS3(r); err != nil {
				t.Fatal(err)
			}
			_, err := io.ReadAll(r.Body)
			_, refused := errors.AsType[*Error](err)
			if !refused && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v, want a refusal", err)
			}
			if _, again := r.Body.Read(make([]byte, 1)); again == nil || again == io.EOF {
				t.Errorf("reading on answers %v", again)
			}
		})
	}
}

// The example of AWS's documentation of signed chunks with a signed trailer.
func TestSignedTrailerOfTheDocumentation(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	body := fmt.Sprintf("10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n%s\r\n"+
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n%s\r\n"+
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"+
		"x-amz-checksum-crc32c:sOO8/Q==\r\n"+
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n", first, second)
	request := func(body string) (*Verifier, *http.Request) {
		r, err := http.NewRequest("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
			"X-Amz-Content-Sha256": streamingSignedTrailer, "X-Amz-Trailer": "x-amz-checksum-crc32c",
			"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "66560",
			"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
		} {
			r.Header.Set(name, value)
		}
		v, _ := chunkedExample(t, "")
		return v, r
	}
	v, r := request(body)
	if _, err := v.VerifyS3(r); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != first+second {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for name, changed := range map[string]string{
		"another checksum":  strings.Replace(body, "sOO8", "sOO9", 1),
		"another signature": strings.Replace(body, "d81f", "d81e", 1),
		"no signature":      strings.Replace(body, "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n", "", 1),
	} {
		v, r := request(changed)
		if _, err := v.VerifyS3(r); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(r.Body)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != "SignatureDoesNotMatch" {
			t.Errorf("%s: error %v, want SignatureDoesNotMatch", name, err)
		}
	}
}

// trailing is a request with an unsigned trailer, which Sign cannot make.
func trailing(t testing.TB, header, body string, length int) *http.Request {
	t.Helper()
	r, err := http.NewRequest("PUT", "http://h/b/k", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(length))
	r.Header.Set("X-Amz-Trailer", header)
	return r
}

func TestTrailingChecksums(t *testing.T) {
	t.Parallel()
	data := "hello, trailers"
	for _, algorithm := range []string{"crc32", "crc32c", "sha1", "sha256", "crc64nvme"} {
		h, ok := NewChecksum(algorithm)
		if !ok {
			t.Fatal(algorithm)
		}
		io.WriteString(h, data)
		sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
		name := "x-amz-checksum-" + algorithm
		for _, tt := range []struct{ name, header, body, code string }{
			{"right", name, "f\r\n" + data + "\r\n0\r\n" + name + ":" + sum + "\r\n\r\n", ""},
			{"right, no last line", name, "f\r\n" + data + "\r\n0\r\n" + name + ":" + sum + "\r\n", ""},
			{"wrong", name, "f\r\n" + data + "\r\n0\r\n" + name + ":AAAA" + sum[4:] + "\r\n\r\n", "BadDigest"},
			{"missing", name, "f\r\n" + data + "\r\n0\r\n\r\n", "MalformedTrailerError"},
			{"not announced", name, "f\r\n" + data + "\r\n0\r\nx-amz-meta-x:1\r\n\r\n", "MalformedTrailerError"},
			{"no trailer", name, "f\r\n" + data + "\r\n0\r\nrubbish\r\n\r\n", "MalformedTrailerError"},
		} {
			t.Run(algorithm+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				b, err := newChunkedBody(trailing(t, tt.header, tt.body, len(data)), streamingUnsigned)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(b)
				code := ""
				if e, ok := errors.AsType[*Error](err); ok {
					code = e.Code
				}
				if code != tt.code || (err == nil) != (tt.code == "") || string(got) != data {
					t.Errorf("read %q, %v; want code %q", got, err, tt.code)
				}
			})
		}
	}
}

func TestChecksumsAreThoseOfS3(t *testing.T) {
	t.Parallel()
	// Check values of the algorithms' catalogues for "123456789".
	for algorithm, want := range map[string]string{
		"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888", "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
	} {
		h, _ := NewChecksum(algorithm)
		io.WriteString(h, "123456789")
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("%s is %s, want %s", algorithm, got, want)
		}
	}
	if _, ok := NewChecksum("md5"); ok {
		t.Error("md5 is offered")
	}
}

func FuzzChunkedBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 5, true)
	f.Add([]byte("5;chunk-signature=0\r\nhello\r\n0;chunk-signature=0\r\n\r\n"), 5, false)
	f.Fuzz(func(t *testing.T, body []byte, length int, unsigned bool) {
		if length < 0 || length > 1<<20 {
			return
		}
		r := trailing(t, "x-amz-checksum-crc32", string(body), length)
		b, err := newChunkedBody(r, streamingUnsigned)
		if err != nil {
			t.Fatal(err)
		}
		if !unsigned {
			b.signer = &chunkSigner{key: []byte("k"), prefix: "p"}
		}
		got, err := io.ReadAll(b)
		if err == nil && len(got) != length {
			t.Errorf("%d bytes of %d without an error", len(got), length)
		}
		if len(got) > length || !bytes.Contains(body, got[:min(len(got), 1)]) {
			t.Errorf("%d bytes of %d", len(got), length)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Headers["Authorization"], v.URL)
	}
	f.Fuzz(func(t *testing.T, header, url string) {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			return
		}
		r.Header.Set("Authorization", header)
		r.Header.Set("X-Amz-Date", "20261123T120000Z")
		r.Header.Set("X-Amz-Content-Sha256", emptySHA256)
		v := &Verifier{Keys: keySet{}, Now: func() time.Time { return vectorTime }}
		if _, err := v.Verify(r, nil, "proton"); err == nil {
			t.Error("accepted without any key")
		}
		if _, err := v.VerifyS3(r); err == nil {
			t.Error("accepted by S3 without any key")
		}
		r.Header.Del("Authorization")
		if _, err := v.VerifyS3(r); err == nil {
			t.Error("URL accepted without any key")
		}
	})
}
