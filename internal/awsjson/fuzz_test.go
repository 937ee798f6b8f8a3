package awsjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/awsjson"
)

// FuzzDecode: no body makes the decoder panic; what it refuses is a SerializationException;
// what it accepts can be validated, and written and read again without a difference.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"name":"a","count":1,"flag":true,"when":1605152585.405,"color":"RED"}`,
		`{"keys":["a","\ud83d\ude00"],"nodes":[{"value":"b","children":[{}]}],"source":{"file":"x"}}`,
		`{"x":{"y":[1,2,{"z":"]"}]},"name":null,"name":"c"}`, `{"when":-62135596800,"count":1e2}`,
		`{"keys":[null]}`, `{"node":[]}`, `[{}]`, `{"text":"\ud800"}`, `{"\u006eame":"a"}`,
		strings.Repeat(`{"node":`, 3) + `{}` + strings.Repeat(`}`, 3), strings.Repeat(`{"a":[`, 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := new(MakeInput)
		if err := awsjson.Decode(body, &shapes[makeInput], in); err != nil {
			if e, ok := errors.AsType[*awsjson.Error](err); !ok || e.Code != "SerializationException" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		_ = awsjson.Validate(&shapes[makeInput], in)
		written, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		again := new(MakeInput)
		if err := awsjson.Decode(written, &shapes[makeInput], again); err != nil {
			t.Fatalf("cannot read %s: %v", written, err)
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Errorf("%s: -before +after:\n%s", written, diff)
		}
	})
}

func TestTimestampsAreMillisecondsOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.UnixMilli(1605152585405), "1605152585.405"},
		{time.Unix(1605152585, 999999), "1605152585.000"},
		{time.UnixMilli(7), "0.007"},
		{time.UnixMilli(-1500), "-1.500"},
		{time.Date(2026, 11, 23, 1, 2, 3, 4e6, time.FixedZone("", 3600)), "1795392123.004"},
	} {
		got, err := json.Marshal(&awsjson.Timestamp{Time: c.at})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.at, got, err, c.want)
		}
		var back awsjson.Timestamp
		if err := json.Unmarshal(got, &back); err != nil || back.UnixMilli() != c.at.UnixMilli() || back.Location() != time.UTC {
			t.Errorf("%s: read back %s, %v", c.at, back, err)
		}
	}
}
