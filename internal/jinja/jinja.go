// Package jinja renders Jinja2 templates the way Python's Jinja2 3.1 does with
// its default whitespace options, automatic escaping off, a sandbox, and a
// strict undefined that stays undefined through lookups: same output byte for
// byte, including how Python prints numbers, lists and dicts.
//
// It hides a lexer, a parser, a resolver of names to slots, and an evaluator
// with Python's values. Proton's own filters (proton_cfn_*) and hyphenated
// names below inputs and outputs are part of the dialect; include, import,
// extends and block are not, since a template is one file.
//
// It never reads a file or the network, never reaches a Go value by
// reflection, never changes the variables it is given, and never runs without
// bounds: a hostile template ends in an *Error.
package jinja

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Template is a parsed template. It is immutable; any number of goroutines may
// render it at once.
type Template struct {
	prog *program
	body []stmt
}

// Expression is a parsed single expression, as it would stand between {{ and }}.
type Expression struct {
	prog *program
	expr expr
}

// program is what rendering needs beside the tree.
type program struct {
	name    string
	source  string
	slots   int    // size of the outermost frame
	loads   []load // how to fill it before the body runs
	textual int    // bytes of literal text, to size the output
}

// Error says where a template is wrong and why, both for templates that do not
// parse and for templates that stop while rendering.
type Error struct {
	Name    string // the name given to Parse
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string

	cause error
}

// Unwrap returns the context's error where rendering was cancelled, else nil.
func (e *Error) Unwrap() error { return e.cause }

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
}

// Parse compiles a template. The error, if any, is an *Error.
func Parse(name, source string) (t *Template, err error) {
	defer recoverError(name, &err)
	prog := &program{name: name, source: normalizeSource(source)}
	p := newParser(prog, lexRoot)
	body := p.parseTemplate()
	prog.textual = p.textual
	resolveTemplate(prog, body)
	return &Template{prog: prog, body: body}, nil
}

// ParseExpression compiles one expression. The error, if any, is an *Error.
func ParseExpression(name, source string) (e *Expression, err error) {
	defer recoverError(name, &err)
	prog := &program{name: name, source: normalizeSource(source)}
	p := newParser(prog, lexVariable)
	x := p.parseWholeExpression()
	resolveExpression(prog, x)
	return &Expression{prog: prog, expr: x}, nil
}

// Render produces the template's output with vars as its global names.
//
// Values may be nil, bool, int, int64, *big.Int, float64, string, []any, *Map
// and map[string]any; they are read, never changed. A *Error says what went
// wrong in the template; when ctx is cancelled it wraps the context's error.
func (t *Template) Render(ctx context.Context, vars *Map, l Limits) (out string, err error) {
	out, _, err = t.render(ctx, vars, l)
	return out, err
}

// render also says whether an object was printed that has no text of its own.
func (t *Template) render(ctx context.Context, vars *Map, l Limits) (out string, opaque bool, err error) {
	defer recoverError(t.prog.name, &err)
	r := newRun(ctx, t.prog, vars, l)
	r.out.buf = make([]byte, 0, t.prog.textual+t.prog.textual/4+64)
	r.execAll(t.body)
	return string(r.out.buf), r.opaque, nil
}

// Eval computes the expression. Lists and tuples come back as []any, dicts as
// *Map (keys that are not strings printed as Python prints them). An undefined
// result is an error.
func (e *Expression) Eval(ctx context.Context, vars *Map, l Limits) (v any, err error) {
	defer recoverError(e.prog.name, &err)
	r := newRun(ctx, e.prog, vars, l)
	return r.export(e.expr.eval(r), 0), nil
}

// recoverError turns the panic by which the parser and the evaluator give up
// into an error. Failing by panic keeps several hundred operations readable,
// each of which may raise as Python's do; nothing panics past this line.
func recoverError(name string, err *error) {
	switch x := recover().(type) {
	case nil:
	case *Error:
		*err = x
	default:
		*err = &Error{Name: name, Line: 1, Column: 1, Message: fmt.Sprintf("%s: %v", internalError, x)}
	}
}

// internalError starts the message of an error that is a fault of this package.
const internalError = "internal error"

// errorAt builds the error for a byte offset of the normalized source.
func (p *program) errorAt(pos int, message string) *Error {
	pos = max(0, min(pos, len(p.source)))
	before := p.source[:pos]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Name:    p.name,
		Line:    1 + strings.Count(before, "\n"),
		Column:  1 + utf8.RuneCountInString(before[start:]),
		Message: message,
	}
}

// normalizeSource makes every line break a line feed and drops the last one.
func normalizeSource(s string) string {
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.ReplaceAll(s, "\r", "\n")
	}
	return strings.TrimSuffix(s, "\n")
}
