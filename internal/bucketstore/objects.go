package bucketstore

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	tagging = "X-Amz-Tagging"
	// maxDeleted is how many objects one request may delete.
	maxDeleted = 1000
)

// objectOperation serves what is asked of one object.
func (h *handler) objectOperation(w *response, r *http.Request, c *call) error {
	if c.subresource == "" {
		switch r.Method {
		case http.MethodPut:
			if c.sourceBucket != "" {
				return h.copyObject(w, r, c)
			}
			return h.putObject(w, r, c)
		case http.MethodDelete:
			return h.deleteObject(w, r, c)
		}
		return h.getObject(w, r, c)
	}
	o, err := h.store.head(c.principal.AccountID, c.bucket, c.key)
	if err != nil {
		return err
	}
	switch c.subresource {
	case "acl":
		return accessControl(w, r, c)
	case "tagging":
		writeTags(w, o)
		return nil
	case "attributes":
		return writeAttributes(w, r, o)
	}
	return notOffered("A header or query you provided implies functionality that is not implemented: " + c.subresource)
}

// getObject answers an object or a range of it; to HEAD, its headers.
func (h *handler) getObject(w *response, r *http.Request, c *call) error {
	o, f, err := h.store.open(c.principal.AccountID, c.bucket, c.key)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkPartNumber(r); err != nil {
		return err
	}
	err = readConditions.check(r.Header, o, errNotModified)
	if err == nil || errors.Is(err, errNotModified) {
		w.Header().Set("ETag", o.etag())
		w.Header().Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	}
	if err != nil {
		return err
	}
	start, length, partial, err := readRange(r.Header, o)
	if err != nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return err
	}
	describe(w.Header(), r, o, partial)
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	status := http.StatusOK
	if partial {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, o.Size))
		status = http.StatusPartialContent
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return err
	}
	w.WriteHeader(status)
	if w.head {
		return nil
	}
	_, err = io.CopyN(w, f, length)
	return err
}

// checkPartNumber lets nobody ask for a part but the first: objects are kept as
// one piece, whatever they were made of.
func checkPartNumber(r *http.Request) error {
	if !r.URL.Query().Has("partNumber") {
		return nil
	}
	n, err := number(r, "partNumber", 0)
	switch {
	case err != nil:
		return err
	case n < 1:
		return &failure{"InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", 400}
	case n > 1:
		return &failure{"InvalidPartNumber", "The requested partnumber is not satisfiable", http.StatusRequestedRangeNotSatisfiable}
	case r.Header.Get("Range") != "":
		return &failure{"InvalidRequest", "Cannot specify both Range header and partNumber query parameter", 400}
	}
	return nil
}

// describe sets the headers that an object has, or that a query sets in their place.
func describe(h http.Header, r *http.Request, o *object, partial bool) {
	h.Set("Content-Type", "binary/octet-stream")
	h.Set("Accept-Ranges", "bytes")
	withSums := strings.EqualFold(r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") && !partial
	for name, value := range o.Header {
		switch {
		case strings.HasPrefix(name, "X-Amz-Meta-"):
			h[strings.ToLower(name)] = []string{value} // clients keep the case they are told
		case name == tagging:
			h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(tagsOf(o))))
		case !strings.HasPrefix(name, "X-Amz-Checksum-") || withSums:
			h.Set(name, value)
		}
	}
	query := r.URL.Query()
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"} {
		if v := query.Get("response-" + strings.ToLower(name)); v != "" {
			h.Set(name, v)
		}
	}
}

func (h *handler) putObject(w *response, r *http.Request, c *call) error {
	header, err := keptHeaders(r.Header)
	if err != nil {
		return err
	}
	body, err := checkedBody(r)
	if err != nil {
		return err
	}
	sums := body.checksums()
	maps.Copy(header, sums)
	permit := func(old *object) error { return writeConditions(r.Header, old) }
	// Asked once before, so that a client which waits need not send the body.
	old, err := h.store.head(c.principal.AccountID, c.bucket, c.key)
	if err != nil && !errors.Is(err, errNoSuchKey) {
		return err
	}
	if err := permit(old); err != nil {
		return err
	}
	o, err := h.store.put(r.Context(), c.principal.AccountID, c.bucket, c.key, header, body, r.ContentLength, permit)
	if err != nil {
		return err
	}
	for name, sum := range sums {
		w.Header().Set(name, sum)
	}
	w.Header().Set("ETag", o.etag())
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) copyObject(w *response, r *http.Request, c *call) error {
	source, f, err := h.store.open(c.principal.AccountID, c.sourceBucket, c.sourceKey)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sourceConditions.check(r.Header, source, errPrecondition); err != nil {
		return err
	}
	header, err := copiedHeaders(r.Header, source)
	if err != nil {
		return err
	}
	itself := c.sourceBucket == c.bucket && c.sourceKey == c.key
	if itself && r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" && r.Header.Get("X-Amz-Storage-Class") == "" {
		return &failure{"InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.", 400}
	}
	permit := func(old *object) error { return writeConditions(r.Header, old) }
	o, err := h.store.put(r.Context(), c.principal.AccountID, c.bucket, c.key, header, f, source.Size, permit)
	if err != nil {
		return err
	}
	writeXML(w, http.StatusOK, struct {
		XMLName      xml.Name `xml:"CopyObjectResult"`
		Xmlns        string   `xml:"xmlns,attr"`
		LastModified string
		ETag         string
	}{Xmlns: s3Namespace, LastModified: o.Modified.Format(timeFormat), ETag: o.etag()})
	return nil
}

// copiedHeaders are the headers of a copy: each of metadata and tags is the
// source's or, with the directive REPLACE, the request's. Checksums stay.
func copiedHeaders(h http.Header, source *object) (map[string]string, error) {
	given, err := keptHeaders(h)
	if err != nil {
		return nil, err
	}
	from := func(name string) (map[string]string, error) {
		switch directive := cmp.Or(h.Get(name), "COPY"); directive {
		case "COPY":
			return source.Header, nil
		case "REPLACE":
			return given, nil
		default:
			return nil, &failure{"InvalidArgument", "Unknown " + strings.ToLower(name) + " " + directive + ": it must be COPY or REPLACE", 400}
		}
	}
	metadata, err := from("X-Amz-Metadata-Directive")
	if err != nil {
		return nil, err
	}
	tags, err := from("X-Amz-Tagging-Directive")
	if err != nil {
		return nil, err
	}
	header := map[string]string{}
	maps.Copy(header, metadata)
	delete(header, tagging)
	if value, ok := tags[tagging]; ok {
		header[tagging] = value
	}
	for name, value := range source.Header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			header[name] = value
		}
	}
	return header, nil
}

func (h *handler) deleteObject(w *response, r *http.Request, c *call) error {
	must := removal{r.Header.Get("If-Match"), r.Header.Get("X-Amz-If-Match-Last-Modified-Time"), r.Header.Get("X-Amz-If-Match-Size")}
	if err := h.store.remove(c.principal.AccountID, c.bucket, c.key, must.check); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type deletedObject struct{ Key string }

type undeletedObject struct{ Key, Code, Message string }

// deleteObjects deletes the objects that the body names, those the principal may.
func (h *handler) deleteObjects(w *response, r *http.Request, c *call) error {
	body, err := checkedBody(r)
	if err != nil {
		return err
	}
	var in struct {
		XMLName xml.Name `xml:"Delete"`
		Quiet   bool
		Objects []struct {
			Key       string
			VersionID string `xml:"VersionId"`
			removal
		} `xml:"Object"`
	}
	if err := readXML(body, &in); err != nil {
		return err
	}
	if n := len(in.Objects); n == 0 || n > maxDeleted {
		return malformedXML(fmt.Sprintf("it names %d objects; 1 to %d are possible", n, maxDeleted))
	}
	out := struct {
		XMLName xml.Name          `xml:"DeleteResult"`
		Xmlns   string            `xml:"xmlns,attr"`
		Deleted []deletedObject   `xml:"Deleted"`
		Errors  []undeletedObject `xml:"Error"`
	}{Xmlns: s3Namespace}
	for _, o := range in.Objects {
		err := h.deleteOne(c, o.Key, o.VersionID, o.removal)
		if f, ok := s3Failure(err); ok {
			out.Errors = append(out.Errors, undeletedObject{o.Key, f.code, f.message})
		} else if err != nil {
			h.log.Error("bucket store", "method", r.Method, "err", err)
			out.Errors = append(out.Errors, undeletedObject{o.Key, errInternal.code, errInternal.message})
		} else if !in.Quiet {
			out.Deleted = append(out.Deleted, deletedObject{o.Key})
		}
	}
	writeXML(w, http.StatusOK, out)
	return nil
}

func (h *handler) deleteOne(c *call, key, version string, must removal) error {
	switch {
	case !c.principal.May("s3:DeleteObject", objectARN(c.bucket, key)):
		return errAccessDenied
	case version != "" && version != "null":
		return errNoSuchVersion
	}
	return h.store.remove(c.principal.AccountID, c.bucket, key, must.check)
}

// tagsOf are an object's tags by key.
func tagsOf(o *object) []objectTag {
	values, _ := url.ParseQuery(o.Header[tagging]) // checked when it was kept
	var tags []objectTag
	for _, key := range slices.Sorted(maps.Keys(values)) {
		tags = append(tags, objectTag{key, values.Get(key)})
	}
	return tags
}

func writeTags(w *response, o *object) {
	type tagSet struct {
		Tags []objectTag `xml:"Tag"`
	}
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"Tagging"`
		Xmlns   string   `xml:"xmlns,attr"`
		TagSet  tagSet
	}{Xmlns: s3Namespace, TagSet: tagSet{tagsOf(o)}})
}

type objectChecksum struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string
}

func checksumOf(o *object) *objectChecksum {
	const prefix = "X-Amz-Checksum-"
	sum := objectChecksum{o.Header[prefix+"Crc32"], o.Header[prefix+"Crc32c"], o.Header[prefix+"Crc64nvme"], o.Header[prefix+"Sha1"], o.Header[prefix+"Sha256"], ""}
	if sum == (objectChecksum{}) {
		return nil
	}
	sum.ChecksumType = "FULL_OBJECT"
	return &sum
}

// writeAttributes answers those attributes of an object that a header names.
func writeAttributes(w *response, r *http.Request, o *object) error {
	document := struct {
		XMLName      xml.Name        `xml:"GetObjectAttributesResponse"`
		Xmlns        string          `xml:"xmlns,attr"`
		ETag         string          `xml:",omitempty"`
		Checksum     *objectChecksum `xml:",omitempty"`
		StorageClass string          `xml:",omitempty"`
		ObjectSize   *int64          `xml:",omitempty"`
	}{Xmlns: s3Namespace}
	for name := range strings.SplitSeq(strings.Join(r.Header.Values("X-Amz-Object-Attributes"), ","), ",") {
		switch strings.TrimSpace(name) {
		case "ETag":
			document.ETag = o.Tag
		case "Checksum":
			document.Checksum = checksumOf(o)
		case "StorageClass":
			document.StorageClass = "STANDARD"
		case "ObjectSize":
			document.ObjectSize = &o.Size
		case "ObjectParts": // objects are kept as one piece
		default:
			return &failure{"InvalidArgument", "Invalid attribute name specified: " + strconv.Quote(name) + " in x-amz-object-attributes", 400}
		}
	}
	w.Header().Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	writeXML(w, http.StatusOK, document)
	return nil
}
