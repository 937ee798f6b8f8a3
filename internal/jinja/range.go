package jinja

import (
	"math"
	"math/big"
	"strconv"
)

// rangeValue is Python's range. Its bounds are integers of any size; how many
// they hold is bounded by maxRange.
type rangeValue struct {
	start, stop, step any
	length            int64
	first, by         int64 // start and step, unless wide
	wide              bool  // some of its items do not fit an int64
}

func globalRange(r *run, args []any, kw []kwarg) any {
	if len(kw) > 0 {
		r.failf("range() takes no keyword arguments")
	}
	if len(args) < 1 || len(args) > 3 {
		r.failf("range expected 1 to 3 arguments, got %d", len(args))
	}
	var n [3]*big.Int
	for i, a := range args {
		r.refuse(a)
		v, ok := number(a)
		if _, isFloat := v.(float64); !ok || isFloat {
			r.failf("'%s' object cannot be interpreted as an integer", typeName(a))
		}
		n[i] = toBig(v)
	}
	start, stop, step := n[0], n[1], n[2]
	if len(args) == 1 {
		start, stop = new(big.Int), start
	}
	if step == nil {
		step = big.NewInt(1)
	}
	if step.Sign() == 0 {
		r.failf("range() arg 3 must not be zero")
	}
	v := newRange(start, stop, step)
	if v.length > maxRange {
		r.failf("Range too big. Ranges of more than %d items are not allowed.", maxRange)
	}
	return v
}

// newRange makes a range; one that is longer than an int64 says has the largest.
func newRange(start, stop, step *big.Int) *rangeValue {
	v := &rangeValue{start: smallest(start), stop: smallest(stop), step: smallest(step)}
	// The span, rounded up to a whole number of steps.
	span := new(big.Int).Sub(stop, start)
	if n := new(big.Int).Add(span, step); span.Sign() == step.Sign() {
		n.Sub(n, big.NewInt(int64(step.Sign()))).Quo(n, step)
		v.length = 1<<63 - 1
		if n.IsInt64() {
			v.length = n.Int64()
		}
	}
	v.wide = !start.IsInt64() || !step.IsInt64() || !v.end(max(v.length-1, 0)).IsInt64()
	if !v.wide {
		v.first, v.by = start.Int64(), step.Int64()
	}
	return v
}

// end is where the item i stands, or would.
func (v *rangeValue) end(i int64) *big.Int {
	n := new(big.Int).Mul(toBig(v.step), big.NewInt(i))
	return n.Add(n, toBig(v.start))
}

func (v *rangeValue) at(i int64) any {
	if v.wide {
		return smallest(v.end(i))
	}
	return v.first + i*v.by
}

func (v *rangeValue) iterate() iterator {
	i := int64(0)
	return func() (any, bool) {
		if i >= v.length {
			return nil, false
		}
		i++
		return v.at(i - 1), true
	}
}

// cut is a slice of the range, which is a range.
func (v *rangeValue) cut(start, stop, step int) *rangeValue {
	return newRange(v.end(int64(start)), v.end(int64(stop)), new(big.Int).Mul(toBig(v.step), big.NewInt(int64(step))))
}

func (v *rangeValue) equals(o *rangeValue) bool {
	switch {
	case v.length != o.length:
		return false
	case v.length == 0:
		return true
	}
	return v.end(0).Cmp(o.end(0)) == 0 && (v.length == 1 || v.end(1).Cmp(o.end(1)) == 0)
}

// key is the same for ranges that are equal.
func (v *rangeValue) key() tupleKey {
	key := "range "
	for i := range min(v.length, 2) {
		key += v.end(i).String() + " "
	}
	return tupleKey(key + strconv.FormatInt(v.length, 10))
}

// has reports whether the number n is an item.
func (v *rangeValue) has(n any) bool {
	if f, ok := n.(float64); ok {
		if f != math.Trunc(f) || math.IsInf(f, 0) {
			return false
		}
		n, _ = big.NewFloat(f).Int(nil)
	}
	k, rest := new(big.Int), new(big.Int)
	k.QuoRem(k.Sub(toBig(n), toBig(v.start)), toBig(v.step), rest)
	return rest.Sign() == 0 && k.Sign() >= 0 && k.Cmp(big.NewInt(v.length)) < 0
}

// smallest brings an integer back to int64 where it fits.
func smallest(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}
