package bucketstore

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
	maxListed   = 1000
	timeFormat  = "2006-01-02T15:04:05.000Z"
)

// multipart serves the operations on multipart uploads.
func (h *handler) multipart(w *response, r *http.Request, c *call) error {
	if c.subresource == "uploads" {
		if c.key == "" {
			return h.listUploads(w, r, c)
		}
		return h.beginUpload(w, r, c)
	}
	id := r.URL.Query().Get("uploadId")
	switch r.Method {
	case http.MethodPut:
		return h.putPart(w, r, c, id)
	case http.MethodPost:
		return h.finishUpload(w, r, c, id)
	case http.MethodDelete:
		if err := h.store.abortUpload(c.principal.AccountID, c.bucket, c.key, id); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return h.listParts(w, r, c, id)
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
	if c.sourceBucket != "" {
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
	for name, sum := range body.checksums() {
		w.Header().Set(name, sum)
	}
	w.Header().Set("ETag", p.etag())
	w.WriteHeader(http.StatusOK)
	return nil
}

// copyPart makes a part of an object or a range of one.
func (h *handler) copyPart(w *response, r *http.Request, c *call, id string, number int) error {
	o, f, err := h.store.open(c.principal.AccountID, c.sourceBucket, c.sourceKey)
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
	if err := sourceConditions.check(r.Header, o, errPrecondition); err != nil {
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

func (h *handler) finishUpload(w *response, r *http.Request, c *call, id string) error {
	var in struct {
		XMLName xml.Name    `xml:"CompleteMultipartUpload"`
		Parts   []partClaim `xml:"Part"`
	}
	if err := readXML(r.Body, &in); err != nil {
		return err
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
	encode, err := keyEncoding(q.Get("encoding-type"))
	if err != nil {
		return err
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
