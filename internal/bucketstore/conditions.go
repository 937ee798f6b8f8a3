package bucketstore

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	errPrecondition = &failure{"PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412}
	errNotModified  = &failure{"NotModified", "Not Modified", http.StatusNotModified}
	errRange        = &failure{"InvalidRange", "The requested range is not satisfiable", http.StatusRequestedRangeNotSatisfiable}
)

// conditions is the prefix of headers that hold conditions on reading an object.
type conditions string

const (
	readConditions   conditions = ""
	sourceConditions conditions = "X-Amz-Copy-Source-"
)

// check holds an object against the conditions; unchanged is the answer if it is
// what the client has. As in S3, an entity tag outweighs a time.
func (prefix conditions) check(h http.Header, o *object, unchanged *failure) error {
	get := func(name string) string { return h.Get(string(prefix) + name) }
	modified := o.Modified.Truncate(time.Second)
	if v := get("If-Match"); v != "" {
		if !tagMatches(v, o) {
			return errPrecondition
		}
	} else if t, err := http.ParseTime(get("If-Unmodified-Since")); err == nil && modified.After(t) {
		return errPrecondition
	}
	if v := get("If-None-Match"); v != "" {
		if tagMatches(v, o) {
			return unchanged
		}
	} else if t, err := http.ParseTime(get("If-Modified-Since")); err == nil && !modified.After(t) {
		return unchanged
	}
	return nil
}

// tagMatches reports whether a list of entity tags names an object, or nil.
func tagMatches(list string, o *object) bool {
	if o == nil {
		return false
	}
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || strings.Trim(tag, `"`) == o.Tag {
			return true
		}
	}
	return false
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

// removal is what an object must be to be deleted; empty fields do not matter.
type removal struct {
	ETag             string
	LastModifiedTime string
	Size             string
}

func (c removal) check(o *object) error {
	if c.ETag != "" && !tagMatches(c.ETag, o) {
		return errPrecondition
	}
	if c.LastModifiedTime != "" {
		t, err := http.ParseTime(c.LastModifiedTime)
		if err != nil {
			t, err = time.Parse(time.RFC3339Nano, c.LastModifiedTime)
		}
		if err != nil {
			return &failure{"InvalidArgument", "LastModifiedTime " + strconv.Quote(c.LastModifiedTime) + " must be an HTTP date or a time of ISO 8601", 400}
		}
		if !t.Truncate(time.Second).Equal(o.Modified.Truncate(time.Second)) {
			return errPrecondition
		}
	}
	if c.Size != "" {
		size, err := strconv.ParseInt(c.Size, 10, 64)
		if err != nil {
			return &failure{"InvalidArgument", "Size " + strconv.Quote(c.Size) + " must be a number of bytes", 400}
		}
		if size != o.Size {
			return errPrecondition
		}
	}
	return nil
}

// readRange is the part of an object that a Range header asks for. As in S3, what
// is no range, or several, asks for all of it, and so does a range of another
// object than If-Range names.
func readRange(h http.Header, o *object) (start, length int64, partial bool, err error) {
	text, ok := strings.CutPrefix(h.Get("Range"), "bytes=")
	from, to, hyphen := strings.Cut(strings.TrimSpace(text), "-")
	if !ok || !hyphen || !rangeApplies(h.Get("If-Range"), o) {
		return 0, o.Size, false, nil
	}
	first, err1 := strconv.ParseUint(from, 10, 63)
	last, err2 := strconv.ParseUint(to, 10, 63)
	start, end := int64(first), int64(last)
	switch {
	case from == "" && err2 == nil: // the last bytes
		start, end = max(0, o.Size-end), o.Size-1
		if last == 0 {
			return 0, 0, false, errRange
		}
	case err1 == nil && to == "":
		end = o.Size - 1
	case err1 != nil || err2 != nil || end < start:
		return 0, o.Size, false, nil
	}
	if start >= o.Size {
		return 0, 0, false, errRange
	}
	return start, min(end, o.Size-1) - start + 1, true, nil
}

func rangeApplies(condition string, o *object) bool {
	if condition == "" {
		return true
	}
	if t, err := http.ParseTime(condition); err == nil {
		return o.Modified.Truncate(time.Second).Equal(t)
	}
	return condition == o.etag()
}
