package awsjson_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hadronhq/hadron/internal/awsjson"
)

// script answers with one color after the other; an empty one is a ConflictException.
type script struct{ colors []Color }

func (s *script) Make(context.Context, *MakeInput) (*MakeOutput, error) {
	c := s.colors[0]
	if len(s.colors) > 1 {
		s.colors = s.colors[1:]
	}
	switch c {
	case "":
		return nil, &awsjson.Error{Code: "ConflictException"}
	case "absent":
		return &MakeOutput{}, nil
	case "broken":
		return nil, errDisk
	}
	return &MakeOutput{Made: &MakeInput{Color: &c}}, nil
}

func TestWait(t *testing.T) {
	t.Parallel()
	w := awsjson.Waiter[MakeInput]{
		Name: "Made", Operation: &operations[0], Delay: 5 * time.Second, MaxAttempts: 4,
		Acceptors: []awsjson.Acceptor{
			{Success: true, Path: []string{"made", "color"}, Expected: "GREEN"},
			{Success: false, Path: []string{"made", "color"}, Expected: "RED"},
			{Success: true, Error: "ConflictException"},
		},
	}
	for _, c := range []struct {
		name   string
		colors []Color
		took   time.Duration
		want   string // part of the error; empty for success
	}{
		{"at once", []Color{"GREEN"}, 0, ""},
		{"after a while", []Color{"absent", "BLUE", "GREEN"}, 10 * time.Second, ""},
		{"an expected error", []Color{"BLUE", ""}, 5 * time.Second, ""},
		{"a failure", []Color{"BLUE", "RED"}, 5 * time.Second, "wait until Made: color is RED"},
		{"another error", []Color{"BLUE", "broken"}, 5 * time.Second, "disk on fire"},
		{"never", []Color{"BLUE"}, 15 * time.Second, "not reached after 4 attempts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := w.Wait(t.Context(), &script{c.colors}, &MakeInput{})
				if took := time.Since(began); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := awsjson.Waiter[MakeInput]{Name: "Made", Operation: &operations[0], MaxAttempts: 1000}.Every(time.Second)
		if err := w.Wait(ctx, &script{[]Color{"BLUE"}}, &MakeInput{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPagesFollowsTokensAndStopsAtAnError(t *testing.T) {
	t.Parallel()
	pages := map[string][]int{"": {1, 2}, "b": nil, "c": {3}}
	next := map[string]*string{"": ptr("b"), "b": ptr("c"), "c": nil}
	page := func(token *string) ([]int, *string, error) {
		key := ""
		if token != nil {
			key = *token
		}
		return pages[key], next[key], nil
	}
	var got []int
	for n, err := range awsjson.Pages(page) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if want := []int{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	calls := 0
	for _, err := range awsjson.Pages(func(*string) ([]int, *string, error) { calls++; return nil, nil, errDisk }) {
		if !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("asked %d times after an error", calls)
	}
}
