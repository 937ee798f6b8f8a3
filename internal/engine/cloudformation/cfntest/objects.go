package cfntest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Bucket makes one of S3's, as if it were somebody's already.
func (s *Server) Bucket(name string) { s.with(func() { s.buckets[name] = map[string]string{} }) }

// Objects are the keys of what lies in a bucket; ok is false without one.
func (s *Server) Objects(bucket string) (keys []string, ok bool) {
	s.with(func() {
		var objects map[string]string
		objects, ok = s.buckets[bucket]
		for key := range objects {
			keys = append(keys, key)
		}
	})
	return keys, ok
}

// serveObject answers one request of S3's protocol, path-style. Whoever reads an
// object waits until they give up.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	action := map[string]string{"PUT": "PutObject", "DELETE": "DeleteObject"}[r.Method]
	switch {
	case r.Method == http.MethodHead:
		action = "HeadBucket"
	case key == "" && r.URL.Query().Has("lifecycle"):
		action = "PutBucketLifecycleConfiguration"
	case key == "":
		action = "CreateBucket"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{action, s.roles[accessKey(r)], url.Values{"Bucket": {bucket}, "Key": {key}, "Owner": {r.Header.Get("X-Amz-Expected-Bucket-Owner")}}})
	p := s.object(action, bucket, key, string(body))
	if f := s.fault(action); f != nil {
		p = &problem{f.status, f.code, "as the test asked"}
	}
	if p == nil {
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(p.status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>", p.code)
	xml.EscapeText(w, []byte(p.message))
	fmt.Fprint(w, "</Message></Error>")
}

func (s *Server) object(action, bucket, key, body string) *problem {
	if action == "CreateBucket" {
		s.buckets[bucket] = map[string]string{}
		return nil
	}
	objects, ok := s.buckets[bucket]
	switch {
	case !ok:
		return &problem{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	case action == "PutObject":
		objects[key] = body
	case action == "DeleteObject":
		delete(objects, key)
	}
	return nil
}

// template is the text that a request gives or points to.
func (s *Server) template(in url.Values) (string, *problem) {
	where := in.Get("TemplateURL")
	if where == "" {
		if len(in.Get("TemplateBody")) > 51_200 {
			return "", invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")
		}
		return in.Get("TemplateBody"), nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return "", invalid("S3 error: %s", err)
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	text, ok := s.buckets[bucket][key]
	switch {
	case !ok:
		return "", invalid("S3 error: The specified key does not exist.")
	case len(text) > 1_048_576:
		return "", invalid("Template may not exceed 1048576 bytes in size.")
	}
	return text, nil
}
