package auth

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

type keySet map[string]Key

func (k keySet) Key(_ context.Context, id, _ string) (Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

// BenchmarkVerify is a call of the API as a client sends it.
func BenchmarkVerify(b *testing.B) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	body := []byte(`{"name":"billing"}`)
	r, err := http.NewRequest("POST", "http://127.0.0.1:8080/", strings.NewReader(string(body)))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AwsProton20200720.GetService")
	r.Header.Set("User-Agent", "Boto3/1.43.11 md/Botocore#1.43.11")
	if err := Sign(r, body, "AKIDEXAMPLE", "secret", "", "eu-west-1", "proton", now); err != nil {
		b.Fatal(err)
	}
	v := &Verifier{Keys: keySet{"AKIDEXAMPLE": {Secret: "secret", AccountID: "000000000000"}}, Now: func() time.Time { return now }}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body, "proton"); err != nil {
			b.Fatal(err)
		}
	}
}
