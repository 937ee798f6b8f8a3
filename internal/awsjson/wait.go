package awsjson

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"
)

// Waiter polls an operation with input I until what it answers is accepted.
type Waiter[I any] struct {
	Name        string
	Operation   *Operation
	Delay       time.Duration // between two polls
	MaxAttempts int
	Acceptors   []Acceptor // the first that matches decides
}

// Acceptor decides about one answer of a waiter's operation: an error by its code, an
// output by the string found at Path.
type Acceptor struct {
	Success  bool
	Error    string   // exception that matches; empty when Path is set
	Path     []string // member names from the output down to a string
	Expected string   // the value at Path that matches
}

// Every gives the same waiter with another delay between polls.
func (w Waiter[I]) Every(delay time.Duration) Waiter[I] {
	w.Delay = delay
	return w
}

// Wait polls client, which must implement the operation's service, until an acceptor
// matches. It returns an error for a failure acceptor, for an error that no acceptor
// names (as is), when the attempts are used up, and when ctx ends.
func (w Waiter[I]) Wait(ctx context.Context, client any, in *I) error {
	for attempt := range w.MaxAttempts {
		if attempt > 0 {
			if err := sleep(ctx, w.Delay); err != nil {
				return fmt.Errorf("wait until %s: %w", w.Name, err)
			}
		}
		out, err := w.Operation.Method.Invoke(ctx, client, in)
		switch a := w.match(out, err); {
		case a != nil && a.Success:
			return nil
		case err != nil:
			return err
		case a != nil:
			return fmt.Errorf("wait until %s: %s is %s", w.Name, a.Path[len(a.Path)-1], a.Expected)
		}
	}
	return fmt.Errorf("wait until %s: not reached after %d attempts", w.Name, w.MaxAttempts)
}

// match finds the first acceptor for an answer.
func (w *Waiter[I]) match(out any, err error) *Acceptor {
	for i := range w.Acceptors {
		a := &w.Acceptors[i]
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok && a.Error != "" && e.Code == a.Error {
				return a
			}
			continue
		}
		if a.Path == nil {
			continue
		}
		if got, ok := w.Operation.Output.lookup(out, a.Path); ok && got == a.Expected {
			return a
		}
	}
	return nil
}

// lookup gives the string at path in the structure that root points to.
func (s *Shape) lookup(root any, path []string) (string, bool) {
	v := reflect.ValueOf(root)
	for _, name := range path {
		if s.Kind != Structure || v.IsNil() {
			return "", false
		}
		i := s.member(name)
		if i < 0 {
			return "", false
		}
		s, v = s.Members[i].Shape, v.Elem().Field(i)
	}
	if s.Kind != String || v.IsNil() {
		return "", false
	}
	return v.Elem().String(), true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Pages yields the elements of all pages. page fetches the one that token names, nil for
// the first, and gives the token of the next one. An error is yielded once, last.
func Pages[T any](page func(token *string) (elements []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var token *string
		for {
			elements, next, err := page(token)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, e := range elements {
				if !yield(e, nil) {
					return
				}
			}
			if next == nil || *next == "" {
				return
			}
			token = next
		}
	}
}
