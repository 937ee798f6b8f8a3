package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Facts answers what is known of a request under a condition key, given in
// lower case; nothing for a key that the request does not have.
type Facts func(key string) []string

// condition is one key of one operator: all of a statement's must hold.
type condition struct {
	operator operator
	key      string // lower case
	values   []operand
}

// operator is how the values of a request are held against those of a policy.
type operator struct {
	name     string
	compare  func(operand, string, Facts) bool
	negated  bool
	ifExists bool
	null     bool // asks whether the key exists
	set      string
}

// The prefixes of operators on keys with several values.
const (
	allValues = "ForAllValues"
	anyValue  = "ForAnyValue"
)

// operand is a value of a policy, read as its operator needs it.
type operand struct {
	pattern pattern
	number  float64
	instant time.Time
	network netip.Prefix
	truth   bool
}

// kind is a family of operators.
type kind struct {
	read    func(o *operand, text string, variables bool) error
	compare func(operand, string, Facts) bool
}

func readPattern(o *operand, text string, variables bool) (err error) {
	o.pattern, err = newPattern(text, variables)
	return err
}

func readNumber(o *operand, text string, _ bool) (err error) {
	if o.number, err = strconv.ParseFloat(text, 64); err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	return nil
}

func readInstant(o *operand, text string, _ bool) (err error) {
	o.instant, err = parseInstant(text)
	return err
}

func parseInstant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if layout == "2006" && len(text) != 4 {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is not an instant, as 2026-12-31T23:59:59Z or seconds since 1970 are", text)
}

func readNetwork(o *operand, text string, _ bool) (err error) {
	if o.network, err = netip.ParsePrefix(text); err == nil {
		return nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("%q is not an address or a range of addresses, as 203.0.113.0/24 is", text)
	}
	o.network = netip.PrefixFrom(address, address.BitLen())
	return nil
}

func readTruth(o *operand, text string, _ bool) error {
	switch strings.ToLower(text) {
	case "true", "false":
		o.truth = strings.EqualFold(text, "true")
		return nil
	}
	return fmt.Errorf("%q is neither true nor false", text)
}

func readBinary(o *operand, text string, _ bool) error {
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return errors.New("binary values are given in base64")
	}
	o.pattern = pattern{text: text}
	return nil
}

func numeric(holds func(have, want float64) bool) kind {
	return kind{readNumber, func(o operand, value string, _ Facts) bool {
		have, err := strconv.ParseFloat(value, 64)
		return err == nil && holds(have, o.number)
	}}
}

func date(holds func(have, want time.Time) bool) kind {
	return kind{readInstant, func(o operand, value string, _ Facts) bool {
		have, err := parseInstant(value)
		return err == nil && holds(have, o.instant)
	}}
}

func matchesARN(o operand, value string, facts Facts) bool {
	parts, ok := o.pattern.resolve(facts)
	if !ok {
		return false
	}
	// Wildcards of one of the six parts do not reach into the next.
	want, have := splitParts(parts), strings.SplitN(value, ":", 6)
	if len(have) != 6 || len(want) != 6 {
		return false
	}
	for n := range want {
		if !matchParts(want[n], have[n], false) {
			return false
		}
	}
	return true
}

// splitParts cuts a pattern at its first five colons.
func splitParts(parts []part) [][]part {
	fields := [][]part{nil}
	for _, v := range parts {
		for v.wildcard == 0 && len(fields) < 6 {
			before, after, found := strings.Cut(v.literal, ":")
			if !found {
				break
			}
			last := len(fields) - 1
			fields[last] = append(fields[last], part{literal: before})
			fields = append(fields, nil)
			v.literal = after
		}
		fields[len(fields)-1] = append(fields[len(fields)-1], v)
	}
	return fields
}

func inNetwork(o operand, value string, _ Facts) bool {
	address, err := netip.ParseAddr(value)
	return err == nil && o.network.Contains(address.Unmap())
}

var (
	stringEquals = kind{readPattern, func(o operand, v string, f Facts) bool { return o.pattern.equals(v, f, false) }}
	stringFold   = kind{readPattern, func(o operand, v string, f Facts) bool { return o.pattern.equals(v, f, true) }}
	stringLike   = kind{readPattern, func(o operand, v string, f Facts) bool { return o.pattern.matches(v, f, false) }}
	arnLike      = kind{readPattern, matchesARN}
)

// kinds are the operators that are not negated, by their names.
var kinds = map[string]kind{
	"StringEquals": stringEquals, "StringEqualsIgnoreCase": stringFold, "StringLike": stringLike,
	"ArnEquals": arnLike, "ArnLike": arnLike,
	"NumericEquals":            numeric(func(a, b float64) bool { return a == b }),
	"NumericLessThan":          numeric(func(a, b float64) bool { return a < b }),
	"NumericLessThanEquals":    numeric(func(a, b float64) bool { return a <= b }),
	"NumericGreaterThan":       numeric(func(a, b float64) bool { return a > b }),
	"NumericGreaterThanEquals": numeric(func(a, b float64) bool { return a >= b }),
	"DateEquals":               date(func(a, b time.Time) bool { return a.Equal(b) }),
	"DateLessThan":             date(func(a, b time.Time) bool { return a.Before(b) }),
	"DateLessThanEquals":       date(func(a, b time.Time) bool { return !a.After(b) }),
	"DateGreaterThan":          date(func(a, b time.Time) bool { return a.After(b) }),
	"DateGreaterThanEquals":    date(func(a, b time.Time) bool { return !a.Before(b) }),
	"Bool": {readTruth, func(o operand, v string, _ Facts) bool {
		return strings.EqualFold(v, strconv.FormatBool(o.truth))
	}},
	"BinaryEquals": {readBinary, func(o operand, v string, _ Facts) bool { return o.pattern.text == v }},
	"IpAddress":    {readNetwork, inNetwork},
	"Null":         {readTruth, nil},
}

// negations are the operators that hold where another one does not.
var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike",
	"NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals", "NotIpAddress": "IpAddress",
}

// parseOperator reads a name such as ForAnyValue:StringLikeIfExists.
func parseOperator(name string) (operator, kind, error) {
	o := operator{name: name}
	base := name
	if set, rest, found := strings.Cut(name, ":"); found {
		if set != allValues && set != anyValue {
			return o, kind{}, fmt.Errorf("%q is not a set operator; there are %s and %s", set, allValues, anyValue)
		}
		o.set, base = set, rest
	}
	base, o.ifExists = strings.CutSuffix(base, "IfExists")
	if positive, ok := negations[base]; ok {
		o.negated, base = true, positive
	}
	k, ok := kinds[base]
	o.null = base == "Null"
	if !ok || o.null && (o.ifExists || o.set != "") {
		return o, k, fmt.Errorf("there is no condition operator %q", name)
	}
	o.compare = k.compare
	return o, k, nil
}

// holds reports whether a request meets the condition.
func (c condition) holds(facts Facts) bool {
	values := facts(c.key)
	if c.operator.null {
		for _, v := range c.values {
			if v.truth == (len(values) == 0) {
				return true
			}
		}
		return false
	}
	if len(values) == 0 {
		return c.operator.ifExists || c.operator.set == allValues || c.operator.negated && c.operator.set == ""
	}
	if c.operator.set == allValues || c.operator.negated && c.operator.set == "" {
		for _, value := range values {
			if !c.meets(value, facts) {
				return false
			}
		}
		return true
	}
	for _, value := range values {
		if c.meets(value, facts) {
			return true
		}
	}
	return false
}

// meets holds one value of the request against all of the policy: one of them
// must match, or none if the operator is negated.
func (c condition) meets(value string, facts Facts) bool {
	for _, want := range c.values {
		if c.operator.compare(want, value, facts) {
			return !c.operator.negated
		}
	}
	return c.operator.negated
}
