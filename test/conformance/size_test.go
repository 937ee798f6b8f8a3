package conformance

import (
	"bytes"
	"os"
	"testing"
)

// TestProgramHoldsWhatItCallsAlone: one call of reflection's MethodByName that
// can be reached, and the linker keeps every method of every type, which made
// the program a third larger. Templates of text/template make one.
func TestProgramHoldsWhatItCallsAlone(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(program, []byte("internal/forge.(*Forges).Remote")) {
		t.Fatal("the program does not name its functions: this test sees nothing")
	}
	for _, name := range []string{"text/template.(*state).evalField", "html/template.(*Template).Execute"} {
		if bytes.Contains(program, []byte(name)) {
			t.Errorf("%s can be reached: \"go build -ldflags=-dumpdep\" says by what", name)
		}
	}
}
