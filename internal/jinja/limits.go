package jinja

import "context"

// Limits bound one rendering. A field that is zero takes its default.
type Limits struct {
	Steps  int // statements, loop turns, calls and items handled; default 2,000,000
	Depth  int // macros and recursive loops inside each other; default 200
	Output int // bytes written; default 1 MiB
	Memory int // bytes of all strings, lists and dicts ever built; default 32 MiB
}

// DefaultLimits are generous for any real template and harmless to a server.
func DefaultLimits() Limits {
	return Limits{Steps: 2_000_000, Depth: 200, Output: 1 << 20, Memory: 32 << 20}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	if l.Steps == 0 {
		l.Steps = d.Steps
	}
	if l.Depth == 0 {
		l.Depth = d.Depth
	}
	if l.Output == 0 {
		l.Output = d.Output
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	// More nesting than this could use up the goroutine's stack.
	l.Depth = min(l.Depth, 1000)
	return l
}

const (
	// maxParseDepth bounds brackets and blocks inside each other.
	maxParseDepth = 200
	// maxTreeDepth bounds the height of the syntax tree, so that Depth calls
	// of the highest template fit on a stack.
	maxTreeDepth = 250
	// maxValueDepth bounds walks over lists and dicts inside each other.
	maxValueDepth = 300
	// maxRange is the longest range, as in Python's sandbox.
	maxRange = 100_000
	// maxIntBits bounds integers near the 4300 digits that Python prints.
	maxIntBits = 14_300
	// itemBytes is what one list item or dict entry is taken to cost.
	itemBytes = 32
	// checkEvery is how many steps pass between looks at the context.
	checkEvery = 1 << 10
	// scanBytes is how much text one step may look through.
	scanBytes = 64
)

// step pays for one unit of work.
func (r *run) step() {
	r.steps--
	if r.steps&(checkEvery-1) == 0 {
		r.checkSteps()
	}
}

// work pays for n units of work done at once.
func (r *run) work(n int) {
	if n <= 0 {
		return
	}
	before := r.steps
	r.steps -= n
	if r.steps < 0 || before/checkEvery != r.steps/checkEvery {
		r.checkSteps()
	}
}

func (r *run) checkSteps() {
	if r.steps <= 0 {
		r.failf("the template takes more than %d steps", r.limits.Steps)
	}
	if err := context.Cause(r.ctx); err != nil {
		e := r.prog.errorAt(r.pos, "rendering was stopped: "+err.Error())
		e.cause = err
		panic(e)
	}
}

// alloc pays for n bytes of a value about to be built.
func (r *run) alloc(n int) {
	if n < 0 || n > r.memory {
		r.failf("the template builds more than %d bytes of values", r.limits.Memory)
	}
	r.memory -= n
}

// allocItems pays for n list items or dict entries about to be built.
func (r *run) allocItems(n int) {
	if n < 0 || n > r.memory/itemBytes {
		r.failf("the template builds more than %d bytes of values", r.limits.Memory)
	}
	r.memory -= n * itemBytes
	r.work(n)
}

// scan pays for looking through n bytes of text.
func (r *run) scan(n int) { r.work(n / scanBytes) }

// enter goes one call deeper; the caller must undo it with r.depth--.
func (r *run) enter() {
	if r.depth++; r.depth > r.limits.Depth {
		r.failf("macros or recursive loops are nested more than %d deep", r.limits.Depth)
	}
}
