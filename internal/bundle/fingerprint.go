package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/hadronhq/hadron/internal/schema"
)

// Fingerprint identifies what the spec says of an instance: specs that say the
// same in another layout or order have the same.
func (i InstanceSpec) Fingerprint() string { return fingerprint(i.Environment, i.values) }

// PipelineFingerprint identifies what the spec says of the pipeline.
func (s *ServiceSpec) PipelineFingerprint() string { return fingerprint("", s.pipeline) }

func fingerprint(name string, values *schema.Node) string {
	sum := sha256.New()
	sum.Write([]byte(name + "\x00"))
	if !values.IsNull() {
		sum.Write(sorted(values.Value()))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// sorted is a value as JSON with the keys in order.
func sorted(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // not a value of a spec
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var plain any
	if d.Decode(&plain) != nil {
		return text
	}
	text, _ = json.Marshal(plain)
	return text
}
