package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// parser turns tokens into statements; parse_expr.go has the expressions.
type parser struct {
	prog    *program
	toks    []token
	i       int
	depth   int
	textual int

	tags []openTag // for messages about missing end tags
	ends [][]string

	hyphens hyphenState
}

type openTag struct {
	name string
	pos  int
}

func newParser(prog *program, mode lexMode) *parser {
	return &parser{prog: prog, toks: lex(prog, mode)}
}

func (p *parser) failf(pos int, format string, args ...any) {
	panic(p.prog.errorAt(pos, fmt.Sprintf(format, args...)))
}

func (p *parser) cur() *token { return &p.toks[p.i] }

func (p *parser) look() *token { return &p.toks[min(p.i+1, len(p.toks)-1)] }

func (p *parser) next() *token {
	t := &p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) isOp(op string) bool {
	t := &p.toks[p.i]
	return t.kind == tokOperator && t.text == op
}

func (p *parser) isName(name string) bool {
	t := &p.toks[p.i]
	return t.kind == tokName && t.text == name
}

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expectOp(op string) *token {
	if !p.isOp(op) {
		p.failf(p.cur().pos, "expected token '%s', got '%s'", op, p.cur().describe())
	}
	return p.next()
}

func (p *parser) expectKind(kind tokenKind) *token {
	if p.cur().kind != kind {
		p.failf(p.cur().pos, "expected token '%s', got '%s'", token{kind: kind, text: "name"}.describe(), p.cur().describe())
	}
	return p.next()
}

func (p *parser) expectName(name string) *token {
	if !p.isName(name) {
		p.failf(p.cur().pos, "expected token '%s', got '%s'", name, p.cur().describe())
	}
	return p.next()
}

// nest guards against templates that are nested too deeply to handle.
func (p *parser) nest() {
	if p.depth++; p.depth > maxParseDepth {
		p.failf(p.cur().pos, "the template is nested more than %d deep", maxParseDepth)
	}
}

func (p *parser) parseTemplate() []stmt {
	return p.parseBody(nil)
}

func (p *parser) parseWholeExpression() expr {
	x := p.parseTuple(tupleOptions{withCond: true})
	if p.cur().kind != tokEOF {
		p.failf(p.cur().pos, "chunk after expression: unexpected '%s'", p.cur().describe())
	}
	return x
}

// parseBody reads statements up to one of the end tags, leaving it current.
func (p *parser) parseBody(ends []string) []stmt {
	p.nest()
	defer func() { p.depth-- }()
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []stmt
	for {
		t := p.cur()
		switch t.kind {
		case tokEOF:
			if ends != nil {
				p.failTag("", t.pos)
			}
			return body
		case tokData:
			p.next()
			p.textual += len(t.text)
			body = append(body, &textStmt{t.text})
		case tokVariableBegin:
			p.next()
			pos := p.cur().pos
			x := p.parseTuple(tupleOptions{withCond: true})
			p.expectKind(tokVariableEnd)
			body = append(body, &outputStmt{at(pos), x})
		case tokBlockBegin:
			p.next()
			if p.cur().kind == tokName && slices.Contains(ends, p.cur().text) {
				return body
			}
			body = append(body, p.parseStatement()...)
			p.expectKind(tokBlockEnd)
		default:
			p.failf(t.pos, "unexpected '%s'", t.describe())
		}
	}
}

// parseStatements reads the rest of an opening tag and the body behind it; drop
// also takes the word of the end tag.
func (p *parser) parseStatements(drop bool, ends ...string) []stmt {
	p.skipOp(":")
	p.expectKind(tokBlockEnd)
	body := p.parseBody(ends)
	if drop {
		p.next()
	}
	return body
}

// failTag reports an unknown tag, or with no name the end of the template.
func (p *parser) failTag(name string, pos int) {
	var b strings.Builder
	if name == "" {
		b.WriteString("Unexpected end of template.")
	} else {
		fmt.Fprintf(&b, "Encountered unknown tag '%s'.", name)
	}
	if n := len(p.ends); n > 0 {
		looking := "'" + strings.Join(p.ends[n-1], "' or '") + "'"
		if name != "" && slices.ContainsFunc(p.ends, func(e []string) bool { return slices.Contains(e, name) }) {
			fmt.Fprintf(&b, " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for %s.", looking)
		} else {
			fmt.Fprintf(&b, " Jinja was looking for the following tags: %s.", looking)
		}
	}
	if n := len(p.tags); n > 0 {
		open := p.tags[n-1]
		fmt.Fprintf(&b, " The innermost block that needs to be closed is '%s', opened in line %d.", open.name, p.prog.errorAt(open.pos, "").Line)
	}
	p.failf(pos, "%s", b.String())
}

func (p *parser) parseStatement() []stmt {
	t := p.cur()
	if t.kind != tokName {
		p.failf(t.pos, "tag name expected, got '%s'", t.describe())
	}
	switch t.text {
	case "include", "import", "from", "extends", "block", "autoescape":
		p.failf(t.pos, "the tag '%s' is not supported: a template is one file and cannot refer to others", t.text)
	}
	p.tags = append(p.tags, openTag{t.text, t.pos})
	p.next()
	body := p.parseTag(t)
	p.tags = p.tags[:len(p.tags)-1]
	return body
}

func (p *parser) parseTag(t *token) []stmt {
	var parse func(int) stmt
	switch t.text {
	case "set":
		parse = p.parseSet
	case "for":
		parse = p.parseFor
	case "if":
		parse = p.parseIf
	case "with":
		parse = p.parseWith
	case "macro":
		parse = p.parseMacro
	case "call":
		parse = p.parseCallBlock
	case "filter":
		parse = p.parseFilterBlock
	case "print":
		return p.parsePrint()
	default:
		p.tags = p.tags[:len(p.tags)-1]
		p.failTag(t.text, t.pos)
	}
	return []stmt{parse(t.pos)}
}

func (p *parser) parseSet(pos int) stmt {
	target := p.parseTarget(nil, true)
	if p.skipOp("=") {
		return &setStmt{at(pos), target, p.parseTuple(tupleOptions{withCond: true})}
	}
	s := &setBlockStmt{at: at(pos), target: target}
	if p.isOp("|") {
		s.filter = p.parseFilters(&capturedExpr{at(pos)}).(*filterExpr)
	}
	s.body = p.parseStatements(true, "endset")
	return s
}

func (p *parser) parseFor(pos int) stmt {
	s := &forStmt{at: at(pos)}
	start := p.i
	s.target = p.parseTarget([]string{"in"}, false)
	targetEnd := p.i
	p.expectName("in")
	s.iter = p.parseTuple(tupleOptions{ends: []string{"recursive"}})
	if p.skipName("if") {
		// The filter has a scope of its own, so it gets a target of its own.
		back := p.i
		p.i = start
		s.test = &loopTest{target: p.parseTarget([]string{"in"}, false)}
		if p.i != targetEnd {
			p.failf(pos, "invalid loop target")
		}
		p.i = back
		s.filter = p.parseExpression(true)
	}
	s.recursive = p.skipName("recursive")
	s.body = p.parseStatements(false, "endfor", "else")
	if p.next().text == "else" {
		s.otherwise = p.parseStatements(true, "endfor")
	}
	return s
}

func (p *parser) parseIf(int) stmt {
	s := &ifStmt{}
	for {
		test := p.parseTuple(tupleOptions{})
		body := p.parseStatements(false, "elif", "else", "endif")
		s.branches = append(s.branches, ifBranch{test, body})
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.otherwise = p.parseStatements(true, "endif")
		}
		return s
	}
}

func (p *parser) parseWith(pos int) stmt {
	s := &withStmt{at: at(pos)}
	for p.cur().kind != tokBlockEnd {
		if len(s.targets) > 0 {
			p.expectOp(",")
		}
		target := p.parseTarget(nil, false)
		setUse(target, useParam)
		s.targets = append(s.targets, target)
		p.expectOp("=")
		s.values = append(s.values, p.parseExpression(true))
	}
	s.body = p.parseStatements(true, "endwith")
	return s
}

func (p *parser) parsePrint() []stmt {
	var out []stmt
	for p.cur().kind != tokBlockEnd {
		if len(out) > 0 {
			p.expectOp(",")
		}
		pos := p.cur().pos
		out = append(out, &outputStmt{at(pos), p.parseExpression(true)})
	}
	return out
}

// parseSignature reads the parameters of a macro or a call block.
func (p *parser) parseSignature(m *macroDef) {
	p.expectOp("(")
	for !p.isOp(")") {
		if len(m.params) > 0 {
			p.expectOp(",")
		}
		param := p.parseNameTarget()
		param.store = useParam
		if slices.ContainsFunc(m.params, func(q *nameExpr) bool { return q.name == param.name }) {
			p.failf(param.position(), "duplicate argument '%s'", param.name)
		}
		if p.skipOp("=") {
			m.defaults = append(m.defaults, p.parseExpression(true))
		} else if len(m.defaults) > 0 {
			p.failf(p.cur().pos, "non-default argument follows default argument")
		}
		m.params = append(m.params, param)
	}
	p.expectOp(")")
}

func (p *parser) parseMacro(pos int) stmt {
	target := p.parseNameTarget()
	m := &macroDef{at: at(pos), name: target.name}
	p.parseSignature(m)
	m.body = p.parseStatements(true, "endmacro")
	return &macroStmt{at(pos), m, target}
}

func (p *parser) parseCallBlock(pos int) stmt {
	m := &macroDef{at: at(pos)}
	if p.isOp("(") {
		p.parseSignature(m)
	}
	call, ok := p.parseExpression(true).(*callExpr)
	if !ok {
		p.failf(pos, "expected call")
	}
	m.body = p.parseStatements(true, "endcall")
	return &callBlockStmt{at(pos), m, call}
}

func (p *parser) parseFilterBlock(pos int) stmt {
	f := p.parseFilter(&capturedExpr{at(pos)})
	if p.isOp("|") {
		f = p.parseFilters(f).(*filterExpr)
	}
	return &filterBlockStmt{at: at(pos), filter: f, body: p.parseStatements(true, "endfilter")}
}

// parseTarget reads what may stand on the left of an assignment.
func (p *parser) parseTarget(ends []string, namespace bool) expr {
	pos := p.cur().pos
	target := p.parseTuple(tupleOptions{simplified: true, ends: ends, namespace: namespace})
	p.checkTarget(target, pos)
	setUse(target, useStore)
	return target
}

func (p *parser) parseNameTarget() *nameExpr {
	t := p.expectKind(tokName)
	if reservedNames[t.text] {
		p.failf(t.pos, "can't assign to '%s'", t.text)
	}
	return &nameExpr{at: at(t.pos), name: t.text, store: useStore}
}

var reservedNames = map[string]bool{
	"true": true, "false": true, "none": true, "True": true, "False": true, "None": true,
}

func (p *parser) checkTarget(x expr, pos int) {
	switch x := x.(type) {
	case *nameExpr, *nsExpr:
	case *tupleExpr:
		for _, item := range x.items {
			p.checkTarget(item, pos)
		}
	default:
		p.failf(pos, "can't assign to this; expected a name, or names separated by commas")
	}
}

func setUse(x expr, use nameUse) {
	switch x := x.(type) {
	case *nameExpr:
		x.store = use
	case *tupleExpr:
		for _, item := range x.items {
			setUse(item, use)
		}
	}
}
