package pgtext

import "math"

// Interval is an interval's three parts. Each has its own sign, and none becomes
// another: a month has no number of days, nor a day one of hours. All are 0 when
// it is infinite.
type Interval struct {
	Months, Days int32
	Micros       int64
	Infinity     Infinity
}

// intervalUnits are the words of IntervalStyle postgres in their order. Plurals
// have an s.
func intervalUnits() [unitCount]string { return [...]string{"year", "mon", "day"} }

const unitCount = 3

// ParseInterval reads an interval, such as -1 years -2 mons +3 days -04:05:06.789
// or 00:00:00.
func ParseInterval(text []byte) (Interval, error) {
	r := reader{kind: "interval", text: text}
	if inf := r.infinity(); inf != 0 {
		return Interval{Infinity: inf}, r.end()
	}
	var amounts [unitCount]int64
	next := 0 // the first unit that may still come
	for {
		negative, n, err := r.amount()
		if err != nil {
			return Interval{}, err
		}
		if r.peek() == ':' {
			return r.lastPart(amounts, negative, n)
		}
		unit, err := r.unit(next)
		if err != nil {
			return Interval{}, err
		}
		if negative {
			n = -n
		}
		amounts[unit] = n
		next = unit + 1
		if r.done() {
			return r.interval(amounts, 0)
		}
		if !r.skip(' ') {
			return Interval{}, r.fail("no space between two parts")
		}
	}
}

// amount reads a sign, if there is one, and a number.
func (r *reader) amount() (negative bool, n int64, err error) {
	negative = r.peek() == '-'
	if !r.skip('-') {
		r.skip('+')
	}
	n, err = r.number(1, 10)
	return negative, n, err
}

// unit reads a space and a unit that is not before the one with index next.
func (r *reader) unit(next int) (int, error) {
	if !r.skip(' ') {
		return 0, r.fail("no space before the unit")
	}
	for u := next; u < unitCount; u++ {
		if r.skipWord(intervalUnits()[u]) {
			r.skip('s')
			return u, nil
		}
	}
	return 0, r.fail("neither year, mon nor day, in this order")
}

// lastPart reads the rest of the time, whose hours may be many.
func (r *reader) lastPart(amounts [unitCount]int64, negative bool, hours int64) (Interval, error) {
	rest, err := r.minutesAndSeconds()
	if err != nil {
		return Interval{}, err
	}
	if err := r.end(); err != nil {
		return Interval{}, err
	}
	micros := uint64(hours)*microsPerHour + uint64(rest)
	switch {
	case hours > math.MaxInt64/microsPerHour: // the sum may have wrapped
	case negative && micros <= -math.MinInt64:
		return r.interval(amounts, int64(-micros))
	case !negative && micros <= math.MaxInt64:
		return r.interval(amounts, int64(micros))
	}
	return Interval{}, r.failAt(0, "the time is out of range")
}

func (r *reader) interval(amounts [unitCount]int64, micros int64) (Interval, error) {
	months, days := 12*amounts[0]+amounts[1], amounts[2]
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return Interval{}, r.failAt(0, "months or days are out of range")
	}
	return Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}
