package auth

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signedV2 are the query parameters that Signature Version 2 covers.
var signedV2 = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "defaultObjectAcl": true, "delete": true,
	"inventory": true, "lifecycle": true, "location": true, "logging": true, "metrics": true, "notification": true,
	"object-lock": true, "partNumber": true, "policy": true, "replication": true, "requestPayment": true,
	"response-cache-control": true, "response-content-disposition": true, "response-content-encoding": true,
	"response-content-language": true, "response-content-type": true, "response-expires": true, "restore": true,
	"select": true, "select-type": true, "storageClass": true, "tagging": true, "torrent": true, "uploadId": true,
	"uploads": true, "versionId": true, "versioning": true, "versions": true, "website": true,
}

// verifyPresignedV2 checks a URL presigned with Signature Version 2, which
// "aws s3 presign" of AWS CLI 1 and boto3 still make in most Regions. It covers
// less than Version 4, so parameters that it leaves out are refused, and its
// life is bounded like that of Version 4. There is no such header form here.
func (v *Verifier) verifyPresignedV2(r *http.Request, query url.Values) (Principal, error) {
	if len(query["AWSAccessKeyId"]) != 1 || len(query["Signature"]) != 1 || len(query["Expires"]) != 1 {
		return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
	}
	expires, err := strconv.ParseInt(query.Get("Expires"), 10, 64)
	if err != nil {
		return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "Invalid date (should be seconds since epoch): %.40q", query.Get("Expires"))
	}
	now := v.now()
	switch end := time.Unix(expires, 0); {
	case now.After(end):
		return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "Request has expired")
	case end.After(now.Add(maxPresign + maxSkew)):
		return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "Expires must be less than a week ahead")
	}
	for name := range query {
		if !signedV2[name] && !slices.Contains([]string{"AWSAccessKeyId", "Signature", "Expires"}, name) && !describesV2(name) {
			return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "There were query parameters present in the request which were not signed: %.64q", name)
		}
	}
	key, err := v.s3Key(r.Context(), query.Get("AWSAccessKeyId"), cmp.Or(query.Get("x-amz-security-token"), query.Get("X-Amz-Security-Token")))
	if err != nil {
		return Principal{}, err
	}
	mac := hmac.New(sha1.New, []byte(key.Secret))
	mac.Write([]byte(textV2(r, query)))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !hmac.Equal([]byte(want), []byte(query.Get("Signature"))) {
		return Principal{}, s3Mismatch()
	}
	payload := cmp.Or(r.Header.Get("X-Amz-Content-Sha256"), unsignedPayload)
	if strings.HasPrefix(payload, "STREAMING-") {
		return Principal{}, refuseS3(http.StatusBadRequest, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value in a URL presigned with Signature Version 2")
	}
	if err := v.checkPayload(r, key.Secret, credential{}, "", payload); err != nil {
		return Principal{}, err
	}
	if key.Expired(v.now()) {
		return Principal{}, expiredS3()
	}
	return key.Principal(query.Get("AWSAccessKeyId"), "", r), nil
}

// describesV2 reports whether a parameter stands in for a signed header.
func describesV2(name string) bool {
	name = strings.ToLower(name)
	return name == "content-type" || name == "content-md5" || strings.HasPrefix(name, "x-amz-")
}

// textV2 is what Version 2 signs.
func textV2(r *http.Request, query url.Values) string {
	headers := map[string]string{}
	for name, values := range query {
		if describesV2(name) {
			headers[strings.ToLower(name)] = values[0]
		}
	}
	for name, values := range r.Header {
		if describesV2(name) {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	var amz, parameters []string
	for name, value := range headers {
		if strings.HasPrefix(name, "x-amz-") {
			amz = append(amz, name+":"+strings.TrimSpace(value)+"\n")
		}
	}
	for name, values := range query {
		if signedV2[name] {
			for _, value := range values {
				parameters = append(parameters, strings.TrimSuffix(name+"="+value, "="))
			}
		}
	}
	slices.Sort(amz)
	slices.Sort(parameters)
	resource := r.URL.EscapedPath()
	if len(parameters) > 0 {
		resource += "?" + strings.Join(parameters, "&")
	}
	return strings.Join([]string{r.Method, headers["content-md5"], headers["content-type"], query.Get("Expires"), strings.Join(amz, "") + resource}, "\n")
}
