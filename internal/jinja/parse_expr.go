package jinja

import (
	"slices"
	"strings"
)

func (p *parser) parseExpression(withCond bool) expr {
	p.nest()
	defer func() { p.depth-- }()
	if withCond {
		return p.parseCond()
	}
	return p.parseOr()
}

func (p *parser) parseCond() expr {
	x := p.parseOr()
	for n := 0; p.isName("if"); n++ {
		pos := p.link(n)
		c := &condExpr{at: at(pos), then: x, test: p.parseOr()}
		if p.skipName("else") {
			p.nest()
			c.otherwise = p.parseCond()
			p.depth--
		}
		x = c
	}
	return x
}

// chain bounds operators in a row, each of which makes the tree higher.
func (p *parser) chain(n int) {
	if n > maxTreeDepth {
		p.failf(p.cur().pos, "more than %d operations in a row; use set to name parts of them", maxTreeDepth)
	}
}

// link takes the n-th operator of a chain and returns its position.
func (p *parser) link(n int) int {
	p.chain(n)
	return p.next().pos
}

func (p *parser) parseOr() expr {
	left := p.parseAnd()
	for n := 0; p.isName("or"); n++ {
		pos := p.link(n)
		left = &logicExpr{at(pos), true, left, p.parseAnd()}
	}
	return left
}

func (p *parser) parseAnd() expr {
	left := p.parseNot()
	for n := 0; p.isName("and"); n++ {
		pos := p.link(n)
		left = &logicExpr{at(pos), false, left, p.parseNot()}
	}
	return left
}

func (p *parser) parseNot() expr {
	if p.isName("not") {
		pos := p.next().pos
		p.nest()
		x := &notExpr{at(pos), p.parseNot()}
		p.depth--
		return x
	}
	return p.parseCompare()
}

var compareOperators = map[string]compareOp{
	"==": opEq, "!=": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe,
}

func (p *parser) parseCompare() expr {
	first := p.parseAdditive()
	var rest []comparison
	for {
		t := p.cur()
		if t.kind != tokOperator && t.kind != tokName {
			break
		}
		if op, ok := compareOperators[t.text]; ok && t.kind == tokOperator {
			p.next()
			rest = append(rest, comparison{op, t.pos, p.parseAdditive()})
		} else if p.skipName("in") {
			rest = append(rest, comparison{opIn, t.pos, p.parseAdditive()})
		} else if p.isName("not") && p.look().kind == tokName && p.look().text == "in" {
			p.next()
			p.next()
			rest = append(rest, comparison{opNotIn, t.pos, p.parseAdditive()})
		} else {
			break
		}
	}
	if rest == nil {
		return first
	}
	return &compareExpr{at(rest[0].pos), first, rest}
}

func (p *parser) parseSum() expr {
	left := p.parseConcat()
	for n := 0; p.isOp("+") || p.isOp("-"); n++ {
		op := operator(p.cur().text)
		left = &binaryExpr{at(p.link(n)), op, left, p.parseConcat()}
	}
	return left
}

func (p *parser) parseConcat() expr {
	first := p.parseProduct()
	if !p.isOp("~") {
		return first
	}
	c := &concatExpr{at(p.cur().pos), []expr{first}}
	for p.skipOp("~") {
		c.parts = append(c.parts, p.parseProduct())
	}
	return c
}

func (p *parser) parseProduct() expr {
	left := p.parsePower()
	for n := 0; p.isOp("*") || p.isOp("/") || p.isOp("//") || p.isOp("%"); n++ {
		op := operator(p.cur().text)
		left = &binaryExpr{at(p.link(n)), op, left, p.parsePower()}
	}
	return left
}

func (p *parser) parsePower() expr {
	left := p.parseUnary(true)
	for n := 0; p.isOp("**"); n++ {
		left = &binaryExpr{at(p.link(n)), opPow, left, p.parseUnary(true)}
	}
	return left
}

func (p *parser) parseUnary(withFilter bool) expr {
	var x expr
	if p.isOp("-") || p.isOp("+") {
		t := p.next()
		p.nest()
		x = &unaryExpr{at(t.pos), t.text[0], p.parseUnary(false)}
		p.depth--
	} else {
		x = p.parsePrimary(false)
	}
	x = p.parsePostfix(x)
	if withFilter {
		x = p.parseFilterChain(x)
	}
	return x
}

func (p *parser) parsePrimary(namespace bool) expr {
	t := p.cur()
	pos := at(t.pos)
	switch t.kind {
	case tokName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constExpr{pos, true}
		case "false", "False":
			return &constExpr{pos, false}
		case "none", "None":
			return &constExpr{pos, nil}
		}
		name := &nameExpr{at: pos, name: t.text}
		if namespace && p.skipOp(".") {
			return &nsExpr{pos, name, p.expectKind(tokName).text}
		}
		return name
	case tokString:
		p.next()
		if p.cur().kind != tokString {
			return &constExpr{pos, t.text}
		}
		var b strings.Builder
		b.WriteString(t.text)
		for p.cur().kind == tokString {
			b.WriteString(p.next().text)
		}
		return &constExpr{pos, b.String()}
	case tokInteger, tokFloat:
		p.next()
		return &constExpr{pos, t.number}
	case tokOperator:
		switch t.text {
		case "(":
			p.next()
			x := p.parseTuple(tupleOptions{withCond: true, parens: true})
			p.expectOp(")")
			return x
		case "[":
			return p.parseList()
		case "{":
			return p.parseDict()
		}
	}
	p.failf(t.pos, "unexpected '%s'", t.describe())
	return nil
}

// tupleOptions say where a tuple without parentheses stands.
type tupleOptions struct {
	simplified bool     // only names and the like: an assignment's left side
	withCond   bool     // a conditional expression may stand in it
	parens     bool     // inside parentheses, where it may be empty
	namespace  bool     // ns.attr may stand in it
	ends       []string // words that end it
}

func (p *parser) parseTuple(o tupleOptions) expr {
	p.nest()
	defer func() { p.depth-- }()
	start := p.cur().pos
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.tupleEnds(o.ends) {
			break
		}
		if o.simplified {
			items = append(items, p.parsePrimary(o.namespace))
		} else {
			items = append(items, p.parseExpression(o.withCond))
		}
		if !p.isOp(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !o.parens {
			p.failf(p.cur().pos, "Expected an expression, got '%s'", p.cur().describe())
		}
	}
	return &tupleExpr{at(start), items}
}

func (p *parser) tupleEnds(ends []string) bool {
	t := p.cur()
	switch t.kind {
	case tokVariableEnd, tokBlockEnd:
		return true
	case tokOperator:
		return t.text == ")"
	case tokName:
		return slices.Contains(ends, t.text)
	}
	return false
}

func (p *parser) parseList() expr {
	x := &listExpr{at: at(p.expectOp("[").pos)}
	for !p.isOp("]") {
		if len(x.items) > 0 {
			p.expectOp(",")
			if p.isOp("]") {
				break
			}
		}
		x.items = append(x.items, p.parseExpression(true))
	}
	p.expectOp("]")
	return x
}

func (p *parser) parseDict() expr {
	x := &dictExpr{at: at(p.expectOp("{").pos)}
	for !p.isOp("}") {
		if len(x.keys) > 0 {
			p.expectOp(",")
			if p.isOp("}") {
				break
			}
		}
		x.keys = append(x.keys, p.parseExpression(true))
		p.expectOp(":")
		x.values = append(x.values, p.parseExpression(true))
	}
	p.expectOp("}")
	return x
}

func (p *parser) parsePostfix(x expr) expr {
	for n := 0; ; n++ {
		p.chain(n)
		switch {
		case p.isOp("."):
			x = p.parseDot(x)
		case p.isOp("["):
			x = p.parseBrackets(x)
		case p.isOp("("):
			x = p.parseCall(x)
		default:
			return x
		}
	}
}

func (p *parser) parseFilterChain(x expr) expr {
	for n := 0; ; n++ {
		p.chain(n)
		switch {
		case p.isOp("|"):
			x = p.parseFilters(x)
		case p.isName("is"):
			x = p.parseTest(x)
		case p.isOp("("):
			x = p.parseCall(x)
		default:
			return x
		}
	}
}

func (p *parser) parseDot(x expr) expr {
	p.next()
	t := p.cur()
	switch t.kind {
	case tokName:
		name := p.hyphenated(x, t)
		p.next()
		for p.cur().kind != tokEOF && p.cur().pos < t.pos+len(name) {
			p.next()
		}
		return &attrExpr{at(x.position()), x, name}
	case tokInteger:
		p.next()
		return &itemExpr{at(x.position()), x, &constExpr{at(t.pos), t.number}}
	}
	p.failf(t.pos, "expected name or number, got '%s'", t.describe())
	return nil
}

func (p *parser) parseBrackets(x expr) expr {
	open := p.next()
	var keys []expr
	for !p.isOp("]") {
		if len(keys) > 0 {
			p.expectOp(",")
		}
		keys = append(keys, p.parseSubscript())
	}
	p.expectOp("]")
	if len(keys) == 1 {
		return &itemExpr{at(x.position()), x, keys[0]}
	}
	return &itemExpr{at(x.position()), x, &tupleExpr{at(open.pos), keys}}
}

func (p *parser) parseSubscript() expr {
	pos := at(p.cur().pos)
	s := &sliceExpr{at: pos}
	if !p.isOp(":") {
		x := p.parseExpression(true)
		if !p.isOp(":") {
			return x
		}
		s.parts[0] = x
	}
	p.next()
	ends := func() bool { return p.isOp("]") || p.isOp(",") }
	if !p.isOp(":") && !ends() {
		s.parts[1] = p.parseExpression(true)
	}
	if p.skipOp(":") && !ends() {
		s.parts[2] = p.parseExpression(true)
	}
	return s
}

func (p *parser) parseCallArgs() callArgs {
	open := p.expectOp("(")
	var a callArgs
	ensure := func(ok bool) {
		if !ok {
			p.failf(open.pos, "invalid syntax for function call expression")
		}
	}
	for first := true; !p.isOp(")"); first = false {
		if !first {
			p.expectOp(",")
			if p.isOp(")") {
				break
			}
		}
		switch {
		case p.isOp("*"):
			ensure(a.star == nil && a.starstar == nil)
			p.next()
			a.star = p.parseExpression(true)
		case p.isOp("**"):
			ensure(a.starstar == nil)
			p.next()
			a.starstar = p.parseExpression(true)
		case p.cur().kind == tokName && p.look().kind == tokOperator && p.look().text == "=":
			ensure(a.starstar == nil)
			t := p.next()
			p.next()
			if slices.ContainsFunc(a.named, func(k keywordArg) bool { return k.name == t.text }) {
				p.failf(t.pos, "keyword argument repeated: %s", t.text)
			}
			a.named = append(a.named, keywordArg{t.text, p.parseExpression(true)})
		default:
			ensure(a.star == nil && a.starstar == nil && len(a.named) == 0)
			a.pos = append(a.pos, p.parseExpression(true))
		}
	}
	p.expectOp(")")
	return a
}

func (p *parser) parseCall(fn expr) expr {
	return &callExpr{at(fn.position()), fn, p.parseCallArgs()}
}

func (p *parser) parseFilters(x expr) expr {
	for n := 0; p.skipOp("|"); n++ {
		p.chain(n)
		x = p.parseFilter(x)
	}
	return x
}

func (p *parser) dottedName() (string, int) {
	t := p.expectKind(tokName)
	name := t.text
	for p.skipOp(".") {
		name += "." + p.expectKind(tokName).text
	}
	return name, t.pos
}

func (p *parser) parseFilter(x expr) *filterExpr {
	name, pos := p.dottedName()
	f := &filterExpr{at: at(pos), value: x, name: name}
	if p.isOp("(") {
		f.args = p.parseCallArgs()
	}
	return f
}

func (p *parser) parseTest(x expr) expr {
	p.next()
	t := &testExpr{value: x, negated: p.skipName("not")}
	var pos int
	t.name, pos = p.dottedName()
	t.at = at(pos)
	c := p.cur()
	switch {
	case p.isOp("("):
		t.args = p.parseCallArgs()
	case c.kind == tokName && !slices.Contains([]string{"else", "or", "and"}, c.text),
		c.kind == tokString, c.kind == tokInteger, c.kind == tokFloat,
		p.isOp("["), p.isOp("{"):
		if p.isName("is") {
			p.failf(c.pos, "You cannot chain multiple tests with is")
		}
		t.args.pos = []expr{p.parsePostfix(p.parsePrimary(false))}
	}
	return t
}
