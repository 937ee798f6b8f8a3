package bucketstore

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/auth"
)

const (
	maxDocument = 10 << 20 // bytes of a request's XML
	maxMetadata = 2 << 10
	maxTags     = 10
)

// readXML reads a document of at most maxDocument bytes. Refusals of the body,
// such as of its checksum, are answered before it is looked at.
func readXML(body io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errIncomplete
	case err != nil:
		return err
	case len(text) > maxDocument:
		return &failure{"MaxMessageLengthExceeded", "Your request was too large.", 400}
	}
	if err := xml.Unmarshal(text, v); err != nil {
		return malformedXML(err.Error())
	}
	return nil
}

func malformedXML(why string) error {
	return &failure{"MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: " + why, 400}
}

// checkWrite refuses to write an object in ways that are not offered: better
// than to drop silently what the client relies on.
func checkWrite(h http.Header) error {
	switch sse := h.Get("X-Amz-Server-Side-Encryption"); sse {
	case "", "AES256":
	case "aws:kms", "aws:kms:dsse":
		return &failure{"NotImplemented", "Server Side Encryption with KMS managed keys is not supported.", 501}
	default:
		return &failure{"InvalidArgument", "The encryption method specified is not supported: " + sse, 400}
	}
	for name := range h {
		if strings.Contains(name, "Server-Side-Encryption-Customer-") {
			return &failure{"NotImplemented", "Server Side Encryption with Customer provided keys is not supported.", 501}
		}
		if strings.HasPrefix(name, "X-Amz-Object-Lock-") {
			return &failure{"InvalidRequest", "Bucket is missing Object Lock Configuration", 400}
		}
	}
	return nil
}

// keptHeaders are the headers of a request that belong to the object it writes.
func keptHeaders(h http.Header) (map[string]string, error) {
	if err := checkWrite(h); err != nil {
		return nil, err
	}
	kept, size := map[string]string{}, 0
	for name := range h {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires", "X-Amz-Website-Redirect-Location":
		case "X-Amz-Tagging":
			if err := checkTags(h.Get(name)); err != nil {
				return nil, err
			}
		default:
			if !strings.HasPrefix(name, "X-Amz-Meta-") {
				continue
			}
			size += len(name) + len(h.Get(name))
		}
		kept[name] = h.Get(name)
	}
	if size > maxMetadata {
		return nil, &failure{"MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", 400}
	}
	return kept, nil
}

// objectTag is a key and a value on an object, kept as the header X-Amz-Tagging.
type objectTag struct{ Key, Value string }

// checkTags reads a tagging header, in which tags are written like a query.
func checkTags(text string) error {
	tags, err := url.ParseQuery(text)
	if err != nil {
		return &failure{"InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", 400}
	}
	if len(tags) > maxTags {
		return &failure{"InvalidTag", "Object tags cannot be greater than 10", 400}
	}
	for key, values := range tags {
		switch {
		case len(values) > 1:
			return &failure{"InvalidTag", "Cannot provide multiple Tags with the same key: " + key, 400}
		case key == "" || utf8.RuneCountInString(key) > 128:
			return &failure{"InvalidTag", "The TagKey you have provided is invalid: it must have 1 to 128 characters", 400}
		case utf8.RuneCountInString(values[0]) > 256:
			return &failure{"InvalidTag", "The TagValue you have provided is invalid: it must have at most 256 characters", 400}
		}
	}
	return nil
}

// summedBody checks a body against the checksums that its headers claim. The
// verdict comes instead of the end.
type summedBody struct {
	source io.Reader
	checks []claimedSum
}

type claimedSum struct {
	header string
	want   string // base64
	hash   hash.Hash
}

func checkedBody(r *http.Request) (*summedBody, error) {
	b := &summedBody{source: r.Body}
	for name := range r.Header {
		sum := claimedSum{header: name, want: r.Header.Get(name)}
		algorithm, isSum := strings.CutPrefix(name, "X-Amz-Checksum-")
		switch {
		case name == "Content-Md5":
			sum.hash = md5.New()
		case !isSum || algorithm == "Type" || algorithm == "Algorithm" || algorithm == "Mode":
			continue
		default:
			var ok bool
			if sum.hash, ok = auth.NewChecksum(algorithm); !ok {
				return nil, &failure{"InvalidRequest", "The header " + strings.ToLower(name) + " is not supported.", 400}
			}
		}
		if want, err := base64.StdEncoding.DecodeString(sum.want); err != nil || len(want) != sum.hash.Size() {
			return nil, &failure{"InvalidDigest", "The value of " + name + " is not valid.", 400}
		}
		b.checks = append(b.checks, sum)
	}
	return b, nil
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.source.Read(p)
	for _, check := range b.checks {
		check.hash.Write(p[:n])
	}
	if err != io.EOF {
		return n, err
	}
	for _, check := range b.checks {
		want, _ := base64.StdEncoding.DecodeString(check.want)
		if !bytes.Equal(check.hash.Sum(nil), want) {
			return n, &failure{"BadDigest", "The " + check.header + " you specified did not match what we received.", 400}
		}
	}
	return n, io.EOF
}

// checksums are the x-amz-checksum headers that the body was held against.
func (b *summedBody) checksums() map[string]string {
	sums := map[string]string{}
	for _, check := range b.checks {
		if check.header != "Content-Md5" {
			sums[check.header] = check.want
		}
	}
	return sums
}
