package bucketstore

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// owner is how an account is named as the owner of what it has.
type owner struct {
	ID          string
	DisplayName string
}

func ownerOf(account string) owner { return owner{account, account} }

type listedObject struct {
	Key          string
	VersionID    string `xml:"VersionId,omitempty"`
	IsLatest     bool   `xml:",omitempty"`
	LastModified string
	ETag         string
	Size         int64
	Owner        *owner `xml:",omitempty"`
	StorageClass string
}

type commonPrefixes struct{ Prefix string }

// objectList is what the listings of objects have in common.
type objectList struct {
	Xmlns          string `xml:"xmlns,attr"`
	Name           string
	Prefix         string
	Delimiter      string `xml:",omitempty"`
	EncodingType   string `xml:",omitempty"`
	MaxKeys        int
	IsTruncated    bool
	CommonPrefixes []commonPrefixes
}

// listObjects answers a page of a bucket in the form that was asked for.
func (h *handler) listObjects(w *response, r *http.Request, c *call) error {
	q := r.URL.Query()
	encode, err := keyEncoding(q.Get("encoding-type"))
	if err != nil {
		return err
	}
	limit, err := number(r, "max-keys", maxListed)
	if err != nil {
		return err
	}
	version2, versions := q.Get("list-type") == "2", c.subresource == "versions"
	marker := q.Get("marker")
	switch {
	case versions:
		marker = q.Get("key-marker")
	case version2:
		if marker, err = startOf(q.Get("continuation-token"), q.Get("start-after")); err != nil {
			return err
		}
	}
	var p page
	if limit > 0 {
		if p, err = h.store.list(c.principal.AccountID, c.bucket, q.Get("prefix"), q.Get("delimiter"), marker, limit); err != nil {
			return err
		}
	}
	list := objectList{Xmlns: s3Namespace, Name: c.bucket, Prefix: q.Get("prefix"), Delimiter: encode(q.Get("delimiter")),
		EncodingType: q.Get("encoding-type"), MaxKeys: limit, IsTruncated: p.next != ""}
	for _, group := range p.prefixes {
		list.CommonPrefixes = append(list.CommonPrefixes, commonPrefixes{encode(group)})
	}
	contents := listed(p.objects, encode)
	if !version2 || q.Get("fetch-owner") == "true" {
		own := ownerOf(c.principal.AccountID)
		for n := range contents {
			contents[n].Owner = &own
		}
	}
	switch {
	case versions:
		list.Prefix = encode(list.Prefix)
		writeVersions(w, list, contents, encode(marker), encode(p.next))
	case version2:
		list.Prefix = encode(list.Prefix)
		writeVersion2(w, list, contents, q.Get("continuation-token"), encode(q.Get("start-after")), p.next)
	default: // clients do not decode the prefix of this one
		writeVersion1(w, list, contents, encode(marker), encode(p.next))
	}
	return nil
}

func listed(objects []*object, encode func(string) string) []listedObject {
	list := make([]listedObject, 0, len(objects))
	for _, o := range objects {
		list = append(list, listedObject{Key: encode(o.Key), LastModified: o.Modified.UTC().Format(timeFormat), ETag: o.etag(), Size: o.Size, StorageClass: "STANDARD"})
	}
	return list
}

func writeVersion1(w *response, list objectList, contents []listedObject, marker, next string) {
	if list.Delimiter == "" {
		next = "" // S3 has none then: the last key is it
	}
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"ListBucketResult"`
		objectList
		Marker     string
		NextMarker string         `xml:",omitempty"`
		Contents   []listedObject `xml:"Contents"`
	}{objectList: list, Marker: marker, NextMarker: next, Contents: contents})
}

func writeVersion2(w *response, list objectList, contents []listedObject, token, startAfter, next string) {
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"ListBucketResult"`
		objectList
		KeyCount              int
		ContinuationToken     string         `xml:",omitempty"`
		NextContinuationToken string         `xml:",omitempty"`
		StartAfter            string         `xml:",omitempty"`
		Contents              []listedObject `xml:"Contents"`
	}{objectList: list, KeyCount: len(contents) + len(list.CommonPrefixes), ContinuationToken: token,
		NextContinuationToken: tokenFor(next), StartAfter: startAfter, Contents: contents})
}

// writeVersions lists the one version that each object has.
func writeVersions(w *response, list objectList, contents []listedObject, marker, next string) {
	for n := range contents {
		contents[n].VersionID, contents[n].IsLatest = "null", true
	}
	after := ""
	if next != "" {
		after = "null"
	}
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"ListVersionsResult"`
		objectList
		KeyMarker           string
		VersionIDMarker     string         `xml:"VersionIdMarker"`
		NextKeyMarker       string         `xml:",omitempty"`
		NextVersionIDMarker string         `xml:"NextVersionIdMarker,omitempty"`
		Versions            []listedObject `xml:"Version"`
	}{objectList: list, KeyMarker: marker, NextKeyMarker: next, NextVersionIDMarker: after, Versions: contents})
}

// tokenFor makes a token of where the next page starts.
func tokenFor(next string) string { return base64.URLEncoding.EncodeToString([]byte(next)) }

// startOf is the key a page starts behind; a token names it in base64.
func startOf(token, startAfter string) (string, error) {
	if token == "" {
		return startAfter, nil
	}
	key, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return "", &failure{"InvalidArgument", "The continuation token provided is incorrect", 400}
	}
	return string(key), nil
}

// number reads a query parameter of at least 0. What limits a page is at most
// maxListed, anything else at most 10000.
func number(r *http.Request, name string, missing int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	limits := strings.HasPrefix(name, "max-")
	if err != nil || n < 0 || !limits && n > maxPartNumber {
		return 0, &failure{"InvalidArgument", fmt.Sprintf("Argument %s must be an integer between 0 and %d", name, maxPartNumber), 400}
	}
	if limits {
		n = min(n, maxListed)
	}
	return int(n), nil
}

// keyEncoding is how keys of a listing are written.
func keyEncoding(name string) (func(string) string, error) {
	switch name {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return urlEncode, nil
	}
	return nil, &failure{"InvalidArgument", "Invalid Encoding Method specified in Request: " + name + "; there is only url", 400}
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
