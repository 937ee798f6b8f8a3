package jinja

// expr is a compiled expression. Everything that can be decided before
// rendering (slots, filters, constants) is decided in the node.
type expr interface {
	eval(r *run) any
	position() int
}

// stmt is a compiled statement.
type stmt interface {
	exec(r *run)
}

// at is the byte offset a node is blamed at.
type at int

func (a at) position() int { return int(a) }

type (
	constExpr struct {
		at
		value any
	}
	// nameExpr is a variable: its slot, and how many frames out it lives.
	nameExpr struct {
		at
		name  string
		store nameUse
		slot  int
		hops  int
	}
	// nsExpr is ns.attr as the target of a set.
	nsExpr struct {
		at
		ns   *nameExpr
		attr string
	}
	tupleExpr struct {
		at
		items []expr
	}
	listExpr struct {
		at
		items []expr
	}
	dictExpr struct {
		at
		keys, values []expr
	}
	attrExpr struct {
		at
		base expr
		name string
	}
	itemExpr struct {
		at
		base, key expr
	}
	sliceExpr struct {
		at
		parts [3]expr // start, stop, step; nil when left out
	}
	callExpr struct {
		at
		fn   expr
		args callArgs
	}
	// filterExpr has no value when it heads a filter block or a set block.
	filterExpr struct {
		at
		value expr
		name  string
		args  callArgs
		fn    *builtin
	}
	testExpr struct {
		at
		value   expr
		name    string
		args    callArgs
		fn      *builtin
		negated bool
	}
	unaryExpr struct {
		at
		op      byte // '-' or '+'
		operand expr
	}
	notExpr struct {
		at
		operand expr
	}
	binaryExpr struct {
		at
		op          operator
		left, right expr
	}
	logicExpr struct {
		at
		or          bool
		left, right expr
	}
	concatExpr struct {
		at
		parts []expr
	}
	compareExpr struct {
		at
		first expr
		rest  []comparison
	}
	condExpr struct {
		at
		test, then, otherwise expr // otherwise may be nil
	}
	// choiceExpr decides at run time how far a hyphenated name reaches.
	choiceExpr struct {
		at
		base    expr
		options []hyphenOption
	}
)

// nameUse says what a mention of a name does.
type nameUse uint8

const (
	useLoad nameUse = iota
	useStore
	useParam
)

type comparison struct {
	op    compareOp
	pos   int
	right expr
}

type hyphenOption struct {
	key  string
	expr expr
}

type keywordArg struct {
	name  string
	value expr
}

type callArgs struct {
	pos      []expr
	named    []keywordArg
	star     expr // *args
	starstar expr // **kwargs
}

func (a *callArgs) empty() bool {
	return len(a.pos) == 0 && len(a.named) == 0 && a.star == nil && a.starstar == nil
}

type (
	textStmt struct {
		text string
	}
	outputStmt struct {
		at
		expr expr
	}
	ifStmt struct {
		branches  []ifBranch
		otherwise []stmt
	}
	ifBranch struct {
		test expr
		body []stmt
	}
	forStmt struct {
		at
		target    expr
		iter      expr
		filter    expr // may be nil
		recursive bool
		body      []stmt
		otherwise []stmt

		useLoop   bool
		loopSlot  int
		loads     []load // of the body, for each turn
		elseLoads []load
		test      *loopTest
		frameSize int // of the frame a recursive loop gets
	}
	// loopTest is a filter's own scope: the target again, in its own slots.
	loopTest struct {
		target expr
		loads  []load
	}
	setStmt struct {
		at
		target, value expr
	}
	setBlockStmt struct {
		at
		target expr
		filter *filterExpr // may be nil
		body   []stmt
		loads  []load
	}
	withStmt struct {
		at
		targets, values []expr
		body            []stmt
		loads           []load
	}
	filterBlockStmt struct {
		at
		filter *filterExpr
		body   []stmt
		loads  []load
	}
	macroStmt struct {
		at
		macro  *macroDef
		target *nameExpr
	}
	callBlockStmt struct {
		at
		macro *macroDef
		call  *callExpr
	}
)

// macroDef is the compiled body of a macro or of a call block.
type macroDef struct {
	at
	name     string // empty for a call block
	params   []*nameExpr
	defaults []expr // for the last len(defaults) parameters
	body     []stmt

	usesCaller, usesKwargs, usesVarargs bool
	callerSlot, kwargsSlot, varargsSlot int
	frameSize                           int
	loads                               []load
	explicitCaller                      bool
}

func (textStmt) position() int { return 0 }

// capturedExpr stands for the text a block has captured, at the foot of its
// filter chain.
type capturedExpr struct{ at }
