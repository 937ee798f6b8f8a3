package bucketstore

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// bucketOperation serves what is asked of a bucket as a whole.
func (h *handler) bucketOperation(w *response, r *http.Request, c *call) error {
	switch c.subresource {
	case "":
		return h.plainBucket(w, r, c)
	case "versions":
		return h.listObjects(w, r, c)
	case "delete":
		return h.deleteObjects(w, r, c)
	case "acl":
		return accessControl(w, r, c)
	case "location":
		writeXML(w, http.StatusOK, struct {
			XMLName xml.Name `xml:"LocationConstraint"`
			Xmlns   string   `xml:"xmlns,attr"`
		}{Xmlns: s3Namespace})
		return nil
	case "policyStatus":
		writeXML(w, http.StatusOK, struct {
			XMLName  xml.Name `xml:"PolicyStatus"`
			Xmlns    string   `xml:"xmlns,attr"`
			IsPublic bool
		}{Xmlns: s3Namespace})
		return nil
	case "versioning":
		if r.Method == http.MethodPut {
			return notOffered("Buckets have no versions here.")
		}
		writeXML(w, http.StatusOK, struct {
			XMLName xml.Name `xml:"VersioningConfiguration"`
			Xmlns   string   `xml:"xmlns,attr"`
		}{Xmlns: s3Namespace})
		return nil
	}
	return unconfigured(w, r, c)
}

func notOffered(why string) error { return &failure{"NotImplemented", why, http.StatusNotImplemented} }

func (h *handler) plainBucket(w *response, r *http.Request, c *call) error {
	switch r.Method {
	case http.MethodGet:
		return h.listObjects(w, r, c)
	case http.MethodPut:
		return h.createBucket(w, r, c)
	case http.MethodDelete:
		if err := h.store.deleteBucket(c.principal.AccountID, c.bucket); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.WriteHeader(http.StatusOK) // HEAD
	return nil
}

func (h *handler) createBucket(w *response, r *http.Request, c *call) error {
	if strings.EqualFold(r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
		return notOffered("Object lock is not supported.")
	}
	body, err := checkedBody(r)
	if err != nil {
		return err
	}
	// The Region it names does not matter; that it came as it was signed does.
	if _, err := io.Copy(io.Discard, io.LimitReader(body, maxDocument)); err != nil {
		return err
	}
	if err := h.store.createBucket(c.principal.AccountID, c.bucket); err != nil {
		return err
	}
	w.Header().Set("Location", "/"+c.bucket)
	w.WriteHeader(http.StatusOK)
	return nil
}

type listedBucket struct {
	Name         string
	CreationDate string
}

// listBuckets answers a page of an account's buckets.
func (h *handler) listBuckets(w *response, r *http.Request, c *call) error {
	q := r.URL.Query()
	limit, err := number(r, "max-buckets", maxListed)
	if err != nil {
		return err
	}
	after, err := startOf(q.Get("continuation-token"), "")
	if err != nil {
		return err
	}
	document := struct {
		XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns             string   `xml:"xmlns,attr"`
		Owner             owner
		Buckets           []listedBucket `xml:"Buckets>Bucket"`
		ContinuationToken string         `xml:",omitempty"`
		Prefix            string         `xml:",omitempty"`
	}{Xmlns: s3Namespace, Owner: ownerOf(c.principal.AccountID), Prefix: q.Get("prefix")}
	for _, b := range h.store.owned(c.principal.AccountID) {
		if b.name <= after || !strings.HasPrefix(b.name, document.Prefix) {
			continue
		}
		if q.Has("max-buckets") && len(document.Buckets) == limit {
			if limit > 0 {
				document.ContinuationToken = tokenFor(document.Buckets[limit-1].Name)
			}
			break
		}
		document.Buckets = append(document.Buckets, listedBucket{b.name, b.created.Format(timeFormat)})
	}
	writeXML(w, http.StatusOK, document)
	return nil
}

type grant struct {
	Grantee struct {
		Xsi  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		owner
	}
	Permission string
}

// accessControl answers the one access control list there is: the owner has
// full control. It may be set again, and no other.
func accessControl(w *response, r *http.Request, c *call) error {
	own := ownerOf(c.principal.AccountID)
	if r.Method == http.MethodPut {
		if err := checkAccessControl(r, own.ID); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	g := grant{Permission: "FULL_CONTROL"}
	g.Grantee.Xsi, g.Grantee.Type, g.Grantee.owner = "http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", own
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   owner
		Grants  []grant `xml:"AccessControlList>Grant"`
	}{Xmlns: s3Namespace, Owner: own, Grants: []grant{g}})
	return nil
}

func checkAccessControl(r *http.Request, account string) error {
	refused := notOffered("Only the private ACL is supported.")
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return refused
		}
	}
	switch r.Header.Get("X-Amz-Acl") {
	case "private":
		return nil
	case "":
	default:
		return refused
	}
	var in struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Grants  []struct {
			Account    string `xml:"Grantee>ID"`
			Permission string
		} `xml:"AccessControlList>Grant"`
	}
	body, err := checkedBody(r)
	if err != nil {
		return err
	}
	if err := readXML(body, &in); err != nil {
		return err
	}
	if len(in.Grants) != 1 || in.Grants[0].Account != account || in.Grants[0].Permission != "FULL_CONTROL" {
		return refused
	}
	return nil
}

// unset are the refusals to show what a bucket can be given in S3 and has not
// been given here.
var unset = map[string]failure{
	"cors":              {"NoSuchCORSConfiguration", "The CORS configuration does not exist", 404},
	"encryption":        {"ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found", 404},
	"lifecycle":         {"NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", 404},
	"object-lock":       {"ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", 404},
	"ownershipControls": {"OwnershipControlsNotFoundError", "The bucket ownership controls were not found", 404},
	"policy":            {"NoSuchBucketPolicy", "The bucket policy does not exist", 404},
	"publicAccessBlock": {"NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", 404},
	"replication":       {"ReplicationConfigurationNotFoundError", "The replication configuration was not found", 404},
	"tagging":           {"NoSuchTagSet", "The TagSet does not exist", 404},
	"website":           {"NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", 404},
}

// unconfigured answers as S3 does for a bucket without the configuration asked
// for; to delete it is easy.
func unconfigured(w *response, r *http.Request, c *call) error {
	f, ok := unset[c.subresource]
	if !ok {
		return notOffered("A header or query you provided implies functionality that is not implemented: " + c.subresource)
	}
	if r.Method != http.MethodDelete {
		return &f
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
