package bucketstore

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
)

const (
	s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
	// maxPartsDocument bounds the list of parts that finishes an upload.
	maxPartsDocument = 10 << 20
	maxListed        = 1000
	maxMetadata      = 2 << 10
	timeFormat       = "2006-01-02T15:04:05.000Z"
)

// multipart serves the operations on multipart uploads.
func (h *handler) multipart(w http.ResponseWriter, r *http.Request, c *call) error {
	out := w.(*response)
	if c.subresource == "uploads" {
		if c.key == "" {
			return h.listUploads(out, r, c)
		}
		return h.beginUpload(out, r, c)
	}
	id := r.URL.Query().Get("uploadId")
	switch r.Method {
	case http.MethodPut:
		return h.putPart(out, r, c, id)
	case http.MethodPost:
		return h.finishUpload(out, r, c, id)
	case http.MethodDelete:
		if err := h.store.abortUpload(c.principal.AccountID, c.bucket, c.key, id); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return h.listParts(out, r, c, id)
}

// keptHeaders are the headers of a request that belong to the object.
func keptHeaders(h http.Header) (map[string]string, error) {
	kept, size := map[string]string{}, 0
	for name := range h {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires", "X-Amz-Website-Redirect-Location":
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

func (h *handler) beginUpload(w *response, r *http.Request, c *call) error {
	header, err := keptHeaders(r.Header)
	if err != nil {
		return err
	}
	u, err := h.store.beginUpload(c.principal.AccountID, c.bucket, c.key, header)
	if err != nil {
		return err
	}
	writeXML(w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns    string   `xml:"xmlns,attr"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Xmlns: s3Namespace, Bucket: c.bucket, Key: c.key, UploadID: u.ID})
	return nil
}

func (h *handler) putPart(w *response, r *http.Request, c *call, id string) error {
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number < 1 || number > maxPartNumber {
		return &failure{"InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", 400}
	}
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		return h.copyPart(w, r, c, id, number)
	}
	if r.ContentLength < 0 {
		return &failure{"MissingContentLength", "You must provide the Content-Length HTTP header.", http.StatusLengthRequired}
	}
	body, err := checkedBody(r)
	if err != nil {
		return err
	}
	p, err := h.store.putPart(c.principal.AccountID, c.bucket, c.key, id, number, body, r.ContentLength)
	if err != nil {
		return err
	}
	for _, check := range body.checks {
		if check.header != "Content-Md5" {
			w.Header().Set(check.header, check.want)
		}
	}
	w.Header().Set("ETag", p.etag())
	w.WriteHeader(http.StatusOK)
	return nil
}

// copyPart makes a part of an object or a range of one.
func (h *handler) copyPart(w *response, r *http.Request, c *call, id string, number int) error {
	bucket, key, err := copySource(strings.ReplaceAll(r.Header.Get("X-Amz-Copy-Source"), "+", "%20"))
	if err != nil {
		return err
	}
	o, f, err := h.store.open(c.principal.AccountID, bucket, key)
	if err != nil {
		return err
	}
	defer f.Close()
	start, end := int64(0), o.Size-1
	if wanted := r.Header.Get("X-Amz-Copy-Source-Range"); wanted != "" {
		if start, end, err = copyRange(wanted, o.Size); err != nil {
			return err
		}
	}
	if err := sourceConditions(r.Header, o); err != nil {
		return err
	}
	p, err := h.store.putPart(c.principal.AccountID, c.bucket, c.key, id, number, io.NewSectionReader(f, start, end-start+1), end-start+1)
	if err != nil {
		return err
	}
	writeXML(w, http.StatusOK, struct {
		XMLName      xml.Name `xml:"CopyPartResult"`
		Xmlns        string   `xml:"xmlns,attr"`
		LastModified string
		ETag         string
	}{Xmlns: s3Namespace, LastModified: p.Modified.Format(timeFormat), ETag: p.etag()})
	return nil
}

// copyRange reads "bytes=first-last" within a size.
func copyRange(text string, size int64) (first, last int64, err error) {
	from, to, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if !ok || !strings.HasPrefix(text, "bytes=") || errors.Join(err1, err2) != nil || first < 0 {
		return 0, 0, &failure{"InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy", 400}
	}
	if first > last || last >= size {
		return 0, 0, &failure{"InvalidRange", fmt.Sprintf("Range specified is not valid for source object of size: %d", size), 416}
	}
	return first, last, nil
}

var errPrecondition = &failure{"PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412}

// sourceConditions holds the conditions on the source of a copy against it.
func sourceConditions(h http.Header, o *object) error {
	const prefix = "X-Amz-Copy-Source-"
	if v := h.Get(prefix + "If-Match"); v != "" && !tagMatches(v, o) {
		return errPrecondition
	}
	if v := h.Get(prefix + "If-None-Match"); v != "" && tagMatches(v, o) {
		return errPrecondition
	}
	if t, err := http.ParseTime(h.Get(prefix + "If-Modified-Since")); err == nil && !o.Modified.After(t) {
		return errPrecondition
	}
	if t, err := http.ParseTime(h.Get(prefix + "If-Unmodified-Since")); err == nil && o.Modified.After(t) {
		return errPrecondition
	}
	return nil
}

// tagMatches reports whether a list of entity tags names an object, or nil.
func tagMatches(list string, o *object) bool {
	if o == nil {
		return false
	}
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.Trim(tag, `"`) == o.MD5 {
			return true
		}
	}
	return false
}

func (h *handler) finishUpload(w *response, r *http.Request, c *call, id string) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxPartsDocument+1))
	if err != nil {
		return err
	}
	var in struct {
		XMLName xml.Name    `xml:"CompleteMultipartUpload"`
		Parts   []partClaim `xml:"Part"`
	}
	if len(text) > maxPartsDocument {
		return &failure{"MaxMessageLengthExceeded", "Your request was too large.", 400}
	}
	if err := xml.Unmarshal(text, &in); err != nil {
		return &failure{"MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: " + err.Error(), 400}
	}
	o, err := h.store.finishUpload(r.Context(), c.principal.AccountID, c.bucket, c.key, id, in.Parts, func(old *object) error {
		return writeConditions(r.Header, old)
	})
	if err != nil {
		return err
	}
	writeXML(w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns    string   `xml:"xmlns,attr"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Xmlns: s3Namespace, Location: "http://" + r.Host + r.URL.EscapedPath(), Bucket: c.bucket, Key: c.key, ETag: o.etag()})
	return nil
}

// writeConditions holds If-Match and If-None-Match against what is replaced.
func writeConditions(h http.Header, old *object) error {
	if v := h.Get("If-Match"); v != "" {
		if old == nil {
			return errNoSuchKey
		}
		if !tagMatches(v, old) {
			return errPrecondition
		}
	}
	if v := h.Get("If-None-Match"); v != "" && tagMatches(v, old) {
		return errPrecondition
	}
	return nil
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
}

func (h *handler) listParts(w *response, r *http.Request, c *call, id string) error {
	after, err := number(r, "part-number-marker", 0)
	if err != nil {
		return err
	}
	limit, err := number(r, "max-parts", maxListed)
	if err != nil {
		return err
	}
	parts, more, err := h.store.parts(c.principal.AccountID, c.bucket, c.key, id, after, limit)
	if err != nil {
		return err
	}
	document := struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		Xmlns                string   `xml:"xmlns,attr"`
		Bucket               string
		Key                  string
		UploadID             string `xml:"UploadId"`
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		Parts                []listedPart `xml:"Part"`
	}{Xmlns: s3Namespace, Bucket: c.bucket, Key: c.key, UploadID: id, StorageClass: "STANDARD", PartNumberMarker: after, MaxParts: limit, IsTruncated: more}
	for _, p := range parts {
		document.Parts = append(document.Parts, listedPart{p.Number, p.Modified.Format(timeFormat), p.etag(), p.Size})
		document.NextPartNumberMarker = p.Number
	}
	writeXML(w, http.StatusOK, document)
	return nil
}

type listedUpload struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

func (h *handler) listUploads(w *response, r *http.Request, c *call) error {
	q := r.URL.Query()
	limit, err := number(r, "max-uploads", maxListed)
	if err != nil {
		return err
	}
	if q.Get("delimiter") != "" {
		return &failure{"NotImplemented", "A delimiter is not implemented for the list of multipart uploads.", 501}
	}
	uploads, more, err := h.store.uploads(c.principal.AccountID, c.bucket, q.Get("prefix"), q.Get("key-marker"), q.Get("upload-id-marker"), limit)
	if err != nil {
		return err
	}
	encode := func(s string) string { return s }
	if q.Get("encoding-type") == "url" {
		encode = urlEncode
	}
	document := struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		Xmlns              string   `xml:"xmlns,attr"`
		Bucket             string
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string
		NextUploadIDMarker string `xml:"NextUploadIdMarker"`
		EncodingType       string `xml:",omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Prefix             string
		Uploads            []listedUpload `xml:"Upload"`
	}{Xmlns: s3Namespace, Bucket: c.bucket, KeyMarker: encode(q.Get("key-marker")), UploadIDMarker: q.Get("upload-id-marker"),
		EncodingType: q.Get("encoding-type"), MaxUploads: limit, IsTruncated: more, Prefix: encode(q.Get("prefix"))}
	for _, u := range uploads {
		document.Uploads = append(document.Uploads, listedUpload{encode(u.Key), u.ID, "STANDARD", u.Initiated.Format(timeFormat)})
		document.NextKeyMarker, document.NextUploadIDMarker = encode(u.Key), u.ID
	}
	writeXML(w, http.StatusOK, document)
	return nil
}

// number reads a query parameter between 0 and 10000; a maximum is at most 1000.
func number(r *http.Request, name string, missing int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxPartNumber {
		return 0, &failure{"InvalidArgument", fmt.Sprintf("Argument %s must be an integer between 0 and %d", name, maxPartNumber), 400}
	}
	if strings.HasPrefix(name, "max-") {
		n = min(n, maxListed)
	}
	return n, nil
}

// urlEncode is the encoding of keys in listings: all but letters, digits and
// "-_./*" as %XX.
func urlEncode(s string) string {
	var b strings.Builder
	for n := range len(s) {
		c := s[n]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_./*", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
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
