package bucketstore

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/auth"
)

// maxKey is the longest key, in bytes.
const maxKey = 1024

func bucketARN(bucket string) string      { return "arn:aws:s3:::" + bucket }
func objectARN(bucket, key string) string { return "arn:aws:s3:::" + bucket + "/" + key }

// subresources are the query parameters that make a request another operation,
// with the actions that GET, PUT and DELETE of it are on a bucket and an object.
// An empty action is an operation that is not offered.
var subresources = map[string]struct{ bucket, object methods }{
	"acl":               {methods{"s3:GetBucketAcl", "s3:PutBucketAcl", ""}, methods{"s3:GetObjectAcl", "s3:PutObjectAcl", ""}},
	"attributes":        {object: methods{get: "s3:GetObjectAttributes"}},
	"cors":              {bucket: methods{"s3:GetBucketCORS", "", "s3:PutBucketCORS"}},
	"encryption":        {bucket: methods{"s3:GetEncryptionConfiguration", "", "s3:PutEncryptionConfiguration"}},
	"lifecycle":         {bucket: methods{"s3:GetLifecycleConfiguration", "", "s3:PutLifecycleConfiguration"}},
	"location":          {bucket: methods{get: "s3:GetBucketLocation"}},
	"object-lock":       {bucket: methods{get: "s3:GetBucketObjectLockConfiguration"}},
	"ownershipControls": {bucket: methods{get: "s3:GetBucketOwnershipControls"}},
	"policy":            {bucket: methods{"s3:GetBucketPolicy", "", "s3:DeleteBucketPolicy"}},
	"policyStatus":      {bucket: methods{get: "s3:GetBucketPolicyStatus"}},
	"publicAccessBlock": {bucket: methods{"s3:GetBucketPublicAccessBlock", "", "s3:PutBucketPublicAccessBlock"}},
	"replication":       {bucket: methods{get: "s3:GetReplicationConfiguration"}},
	"tagging":           {methods{"s3:GetBucketTagging", "", "s3:PutBucketTagging"}, methods{get: "s3:GetObjectTagging"}},
	"versioning":        {bucket: methods{"s3:GetBucketVersioning", "s3:PutBucketVersioning", ""}},
	"versions":          {bucket: methods{get: "s3:ListBucketVersions"}},
	"website":           {bucket: methods{"s3:GetBucketWebsite", "", "s3:DeleteBucketWebsite"}},

	// These have methods of their own, see action.
	"delete": {}, "uploads": {}, "uploadId": {},

	"accelerate": {}, "analytics": {}, "intelligent-tiering": {}, "inventory": {}, "legal-hold": {}, "logging": {},
	"metadataTable": {}, "metrics": {}, "notification": {}, "requestPayment": {}, "restore": {}, "retention": {},
	"select": {}, "torrent": {},
}

// call is what a request asks for and who asks.
type call struct {
	principal               auth.Principal
	bucket, key             string
	subresource             string
	sourceBucket, sourceKey string // of a copy, else empty
}

type methods struct{ get, put, delete string }

func (m methods) action(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead:
		return m.get
	case http.MethodPut:
		return m.put
	case http.MethodDelete:
		return m.delete
	}
	return ""
}

// deleteObjects is the action of a request that names its objects in the body;
// each is judged alone.
const deleteObjects = "s3:DeleteObject of each"

// parse says which bucket, key and subresource a request is about.
func parse(r *http.Request) (*call, error) {
	path := strings.TrimLeft(r.URL.Path, "/")
	c := new(call)
	c.bucket, c.key, _ = strings.Cut(path, "/")
	for name := range r.URL.Query() {
		if _, ok := subresources[name]; !ok {
			continue
		}
		if c.subresource != "" {
			return nil, &failure{"InvalidArgument", "Conflicting values provided in this request: " + c.subresource + " and " + name + " are different operations", 400}
		}
		c.subresource = name
	}
	if version := r.URL.Query().Get("versionId"); version != "" && version != "null" {
		return nil, errNoSuchVersion
	}
	switch {
	case !utf8.ValidString(path) || strings.ContainsRune(path, 0):
		return nil, &failure{"InvalidURI", "Couldn't parse the specified URI: a key is UTF-8 text without NUL.", 400}
	case len(c.key) > maxKey:
		return nil, &failure{"KeyTooLongError", "Your key is too long: at most 1024 bytes of UTF-8 are possible.", 400}
	}
	return c, nil
}

// action is the name of the operation in policies.
func (c *call) action(method string) string {
	plain := map[bool]methods{
		false: {"s3:ListBucket", "s3:CreateBucket", "s3:DeleteBucket"},
		true:  {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
	}
	switch onObject := c.key != ""; c.subresource {
	case "":
		if c.bucket == "" {
			return methods{get: "s3:ListAllMyBuckets"}.action(method)
		}
		return plain[onObject].action(method)
	case "delete":
		if !onObject && method == http.MethodPost {
			return deleteObjects
		}
	case "uploads":
		if onObject && method == http.MethodPost {
			return "s3:PutObject"
		}
		if !onObject {
			return methods{get: "s3:ListBucketMultipartUploads"}.action(method)
		}
	case "uploadId":
		if onObject && method == http.MethodPost {
			return "s3:PutObject"
		}
		if onObject {
			return methods{"s3:ListMultipartUploadParts", "s3:PutObject", "s3:AbortMultipartUpload"}.action(method)
		}
	default:
		if onObject {
			return subresources[c.subresource].object.action(method)
		}
		return subresources[c.subresource].bucket.action(method)
	}
	return ""
}

// authorize refuses what the principal may not do, and what nobody can.
func (c *call) authorize(r *http.Request) error {
	action := c.action(r.Method)
	switch {
	case action == "" && c.subresource == "":
		return &failure{"MethodNotAllowed", "The specified method is not allowed against this resource.", 405}
	case action == "":
		return &failure{"NotImplemented", "A header or query you provided implies functionality that is not implemented: " + c.subresource + " with " + r.Method, 501}
	case action == deleteObjects:
		return nil
	}
	resource := "arn:aws:s3:::*"
	if c.key != "" {
		resource = objectARN(c.bucket, c.key)
	} else if c.bucket != "" {
		resource = bucketARN(c.bucket)
	}
	if !c.principal.May(action, resource) {
		return &failure{"AccessDenied", "User: " + c.principal.ARN + " is not authorized to perform: " + action + " on resource: \"" + resource + "\"", 403}
	}
	return c.authorizeSource(r)
}

// authorizeSource reads which object a request copies, and judges reading it.
func (c *call) authorizeSource(r *http.Request) error {
	source := r.Header.Get("X-Amz-Copy-Source")
	if source == "" {
		return nil
	}
	bucket, key, err := copySource(source)
	if err != nil {
		return err
	}
	if resource := objectARN(bucket, key); !c.principal.May("s3:GetObject", resource) {
		return &failure{"AccessDenied", "User: " + c.principal.ARN + " is not authorized to perform: s3:GetObject on resource: \"" + resource + "\"", 403}
	}
	c.sourceBucket, c.sourceKey = bucket, key
	return nil
}

func copySource(source string) (bucket, key string, err error) {
	path, version, _ := strings.Cut(source, "?")
	if version != "" && version != "versionId=null" {
		return "", "", errNoSuchVersion
	}
	path, err = url.PathUnescape(path)
	bucket, key, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if err != nil || !found || bucket == "" || key == "" {
		return "", "", &failure{"InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", 400}
	}
	return bucket, key, nil
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$`)
	ipAddress  = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
)

// reservedNames are paths of the port that buckets would hide behind.
var reservedNames = map[string]bool{"console": true, "healthz": true, "readyz": true, "metrics": true}

// checkBucketName holds a new bucket's name against S3's rules.
func checkBucketName(name string) error {
	problem := ""
	switch {
	case !bucketName.MatchString(name):
		problem = "it must have 3 to 63 lower-case letters, digits, dots and hyphens, and begin and end with a letter or digit"
	case strings.Contains(name, ".."):
		problem = "two dots must not follow each other"
	case ipAddress.MatchString(name):
		problem = "it must not look like an IP address"
	case strings.HasPrefix(name, "xn--"), strings.HasPrefix(name, "sthree-"), strings.HasPrefix(name, "amzn-s3-demo-"):
		problem = "this prefix is reserved"
	case strings.HasSuffix(name, "-s3alias"), strings.HasSuffix(name, "--ol-s3"), strings.HasSuffix(name, ".mrap"), strings.HasSuffix(name, "--x-s3"), strings.HasSuffix(name, "--table-s3"):
		problem = "this suffix is reserved"
	case reservedNames[name]:
		problem = "this name is a path of the server"
	default:
		return nil
	}
	return &failure{"InvalidBucketName", "The specified bucket is not valid: " + problem + ".", 400}
}
