package jinja

import (
	"math"
	"math/big"
	"sync"
)

// powPrecision are the bits that powers are computed with: those of the result,
// of its exponent, and more than enough to round it correctly.
const powPrecision = 256

func (r *run) floatPow(x, y float64) any {
	if x == 0 && y < 0 {
		r.failf("0.0 cannot be raised to a negative power")
	}
	if x < 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) && y != math.Trunc(y) {
		r.failf("a negative number to a fractional power is a complex number, which templates do not have")
	}
	r.work(powPrecision / 2)
	p := pow(x, y)
	if math.IsInf(p, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		r.failf("Numerical result out of range")
	}
	return p
}

// pow is math.Pow, but always correctly rounded.
func pow(x, y float64) float64 {
	p := math.Pow(x, y)
	if p == 0 || math.IsInf(p, 0) || math.IsNaN(p) || math.Abs(x) == 1 || y == 0 || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return p
	}
	exact := bigExp(new(big.Float).Mul(bigFloat(y), bigLog(bigFloat(math.Abs(x)))))
	// In two steps, so that a result in the middle between two floats is seen to be there.
	f, _ := exact.SetPrec(powPrecision / 2).Float64()
	return math.Copysign(f, p)
}

func bigFloat(f float64) *big.Float { return new(big.Float).SetPrec(powPrecision).SetFloat64(f) }

var bigLog2 = sync.OnceValue(func() *big.Float {
	return logSeries(new(big.Float).Quo(bigFloat(1), bigFloat(3)))
})

// bigLog is the natural logarithm of x > 0.
func bigLog(x *big.Float) *big.Float {
	m := new(big.Float)
	exponent := x.MantExp(m)
	if m.Cmp(bigFloat(math.Sqrt2/2)) < 0 {
		m.SetMantExp(m, 1)
		exponent--
	}
	z := new(big.Float).Quo(new(big.Float).Sub(m, bigFloat(1)), new(big.Float).Add(m, bigFloat(1)))
	log := new(big.Float).Mul(bigFloat(float64(exponent)), bigLog2())
	return log.Add(log, logSeries(z))
}

// logSeries is the logarithm of (1+z)/(1-z), for a small z.
func logSeries(z *big.Float) *big.Float {
	sum := bigFloat(0)
	square := new(big.Float).Mul(z, z)
	power := bigFloat(2)
	power.Mul(power, z)
	for n := 1; power.Sign() != 0 && (sum.Sign() == 0 || power.MantExp(nil) > sum.MantExp(nil)-powPrecision); n += 2 {
		sum.Add(sum, new(big.Float).Quo(power, bigFloat(float64(n))))
		power.Mul(power, square)
	}
	return sum
}

// bigExp is e to the power of x, which must be in the range of floats.
func bigExp(x *big.Float) *big.Float {
	f, _ := x.Float64()
	exponent := math.Round(f / math.Ln2)
	rest := new(big.Float).Sub(x, new(big.Float).Mul(bigFloat(exponent), bigLog2()))
	const halvings = 8
	rest.SetMantExp(rest, -halvings)
	sum, term := bigFloat(1), bigFloat(1)
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > -powPrecision; n++ {
		term.Mul(term, rest)
		term.Quo(term, bigFloat(float64(n)))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(exponent))
}
