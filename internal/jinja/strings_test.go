package jinja

import "testing"

func TestTitleWordsAsPythonDoes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "àÉß": "Àéß", "ß ßa": "Ss Ssa", "they're x2y": "They'Re X2Y"} {
		if got := titleWords(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
