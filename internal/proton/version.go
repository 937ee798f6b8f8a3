package proton

import (
	"cmp"
	"strconv"
	"strings"
)

// Version is a template version, "major.minor". Majors start at 1, minors at
// 0; the zero Version stands for "none".
type Version struct {
	Major int64
	Minor int64
}

// IsZero reports whether there is no version.
func (v Version) IsZero() bool { return v == Version{} }

func (v Version) String() string {
	return strconv.FormatInt(v.Major, 10) + "." + strconv.FormatInt(v.Minor, 10)
}

// MajorString and MinorString are the halves as the API writes them.
func (v Version) MajorString() string { return strconv.FormatInt(v.Major, 10) }
func (v Version) MinorString() string { return strconv.FormatInt(v.Minor, 10) }

// Compare orders versions by number, not by text.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor))
}

// ParseVersion reads "major.minor".
func ParseVersion(s string) (Version, bool) {
	major, minor, ok := strings.Cut(s, ".")
	if !ok {
		return Version{}, false
	}
	a, okA := ParseVersionPart(major)
	b, okB := ParseVersionPart(minor)
	return Version{a, b}, okA && okB && a > 0
}

// ParseVersionPart reads one half of a version, written as String writes it.
// A number that no version can have (the wire allows twenty digits) answers
// false: nothing by that number exists.
func ParseVersionPart(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, false
	}
	return n, true
}
