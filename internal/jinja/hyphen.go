package jinja

import "strings"

// Proton's documentation writes environment.outputs.my-output, which Jinja
// reads as a subtraction. Below inputs and outputs such a text has several
// readings; the parser keeps them all and the evaluator takes the one whose
// name is the longest that exists.

// maxReadings bounds how often one expression is read again.
const maxReadings = 200

// maxHyphens bounds the hyphens in one name.
const maxHyphens = 16

type hyphenState struct {
	chosen   map[int]int // token index to the number of hyphens in the name
	pending  *hyphenated // the first name met that is not decided yet
	readings int
	level    int
}

// hyphenated is a name with hyphens whose extent is not decided.
type hyphenated struct {
	token int
	base  expr
	names []string // longest first; the last has no hyphen
}

// hyphenated returns the name that starts at token t behind base, with as many
// hyphenated parts as have been decided for it, at first all.
func (p *parser) hyphenated(base expr, t *token) string {
	src := p.prog.source
	if t.end+1 >= len(src) || src[t.end] != '-' || !isWordByte(src[t.end+1]) {
		return t.text
	}
	if !isPath(base) || !belowInputs(base) {
		return t.text
	}
	names := p.hyphenNames(t)
	if len(names) == 1 {
		return t.text
	}
	if n, ok := p.hyphens.chosen[p.i]; ok {
		return names[n]
	}
	if p.hyphens.pending == nil {
		p.hyphens.pending = &hyphenated{token: p.i, base: base, names: names}
	}
	return names[0]
}

// hyphenNames lists the names that could start at t and end where a token ends.
func (p *parser) hyphenNames(t *token) []string {
	src := p.prog.source
	names := []string{t.text}
	end, next := t.end, p.i
	for end+1 < len(src) && src[end] == '-' && isWordByte(src[end+1]) && len(names) <= maxHyphens {
		for end++; end < len(src) && isWordByte(src[end]); end++ {
		}
		for next < len(p.toks)-1 && p.toks[next].end < end {
			next++
		}
		if p.toks[next].end != end {
			break
		}
		names = append([]string{src[t.pos:end]}, names...)
	}
	return names
}

// parseAdditive reads sums; where a hyphenated name makes the text ambiguous it
// reads them once for each meaning.
func (p *parser) parseAdditive() expr {
	outer := p.hyphens.pending
	p.hyphens.pending = nil
	start := p.i
	x := p.parseSum()
	if h := p.hyphens.pending; h != nil {
		x = p.parseReadings(h, start)
	}
	p.hyphens.pending = outer
	return x
}

func (p *parser) parseReadings(h *hyphenated, start int) expr {
	hs := &p.hyphens
	if hs.chosen == nil {
		hs.chosen = map[int]int{}
	}
	if hs.level == 0 {
		hs.readings = 0
	}
	hs.level++
	choice := &choiceExpr{at: at(h.base.position()), base: h.base}
	end := 0
	for n, name := range h.names {
		if hs.readings++; hs.readings > maxReadings {
			p.failf(p.toks[h.token].pos, "too many hyphenated names in one expression; write ['%s'] instead", h.names[0])
		}
		hs.chosen[h.token] = n
		p.i = start
		hs.pending = nil
		x, err := p.try()
		if n == 0 {
			if err != nil {
				panic(err)
			}
			end = p.i
		} else if err != nil || p.i != end {
			continue
		}
		choice.options = append(choice.options, hyphenOption{name, x})
	}
	delete(hs.chosen, h.token)
	hs.level--
	p.i = end
	return choice
}

// try reads a sum again, handing back the error if it cannot be read.
func (p *parser) try() (x expr, err *Error) {
	depth, level := p.depth, p.hyphens.level
	defer func() {
		if e := recover(); e != nil {
			var ok bool
			if err, ok = e.(*Error); !ok {
				panic(e)
			}
			p.depth, p.hyphens.level = depth, level
		}
	}()
	return p.parseAdditive(), nil
}

// isPath reports whether x only looks things up, so that evaluating it twice
// does no harm.
func isPath(x expr) bool {
	switch x := x.(type) {
	case *nameExpr, *constExpr:
		return true
	case *attrExpr:
		return isPath(x.base)
	case *itemExpr:
		return isPath(x.base) && isPath(x.key)
	}
	return false
}

func belowInputs(x expr) bool {
	name := ""
	var base expr
	switch x := x.(type) {
	case *nameExpr:
		name = x.name
	case *attrExpr:
		name, base = x.name, x.base
	case *itemExpr:
		base = x.base
		if c, ok := x.key.(*constExpr); ok {
			name, _ = c.value.(string)
		}
	}
	if name == "inputs" || name == "outputs" {
		return true
	}
	return base != nil && belowInputs(base)
}

func (x *choiceExpr) eval(r *run) any {
	if d, ok := x.base.eval(r).(*dict); ok {
		for i := range x.options {
			if d.has(x.options[i].key) {
				return x.options[i].expr.eval(r)
			}
		}
	}
	return x.fallback().eval(r)
}

// fallback is the reading to blame when none of the names exists: the whole
// name, unless what follows the first hyphen is a number.
func (x *choiceExpr) fallback() expr {
	first, last := x.options[0], x.options[len(x.options)-1]
	rest := strings.TrimPrefix(first.key, last.key)
	if strings.Trim(rest, "-0123456789") == "" {
		return last.expr
	}
	return first.expr
}
