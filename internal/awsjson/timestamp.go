package awsjson

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Timestamp is an instant. On the wire it is the number of seconds since 1970 in UTC with
// a fraction of milliseconds, 1605152585.405; anything finer is cut off.
type Timestamp struct{ time.Time }

// The first instant of the year 1, which is the zero time and so left out of JSON, and the
// last second of the year 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// MarshalJSON writes the number of seconds.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	ms := t.UnixMilli()
	b := make([]byte, 0, 20)
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	f := ms % 1000
	return append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10)), nil
}

// UnmarshalJSON reads a number of seconds, rounded to milliseconds; null changes nothing.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || seconds < minSeconds+1 || seconds > maxSeconds {
		return fmt.Errorf("timestamp %.40q is not a number of seconds between the years 1 and 9999", b)
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}
