package plan

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrOverflow says that a number does not fit into its type.
var ErrOverflow = errors.New("number out of range")

// strict1 applies f to a value that is not NULL; of NULL it is NULL.
func strict1(gives Type, x node, f func(Value) (Value, error)) node {
	eval := x.eval
	return node{typ: gives, notNull: x.notNull, eval: func(row Row) (Value, error) {
		v, err := eval(row)
		if err != nil || v.IsNull() {
			return Value{}, err
		}
		return f(v)
	}}
}

// strict2 is strict1 for two values.
func strict2(gives Type, x, y node, f func(a, b Value) (Value, error)) node {
	left, right := x.eval, y.eval
	return node{typ: gives, notNull: x.notNull && y.notNull, eval: func(row Row) (Value, error) {
		a, err := left(row)
		if err != nil || a.IsNull() {
			return Value{}, err
		}
		b, err := right(row)
		if err != nil || b.IsNull() {
			return Value{}, err
		}
		return f(a, b)
	}}
}

// logic is and, or or: what decides alone decides, also beside NULL.
func logic(decides bool, x, y node) node {
	left, right := x.eval, y.eval
	return node{typ: Bool, notNull: x.notNull && y.notNull, eval: func(row Row) (Value, error) {
		a, err := left(row)
		if err != nil || !a.IsNull() && a.Bool() == decides {
			return a, err
		}
		b, err := right(row)
		if err != nil || !b.IsNull() && b.Bool() == decides {
			return b, err
		}
		if a.IsNull() {
			return a, nil
		}
		return b, nil
	}}
}

// comparison compares values of one type, and integers with doubles; with nil it
// asks for NULL.
func comparison(operator string, x, y node) (node, bool) {
	if x.typ == 0 || y.typ == 0 {
		if operator != "==" && operator != "!=" || x.typ == y.typ {
			return node{}, false
		}
		asked := x.eval
		if x.typ == 0 {
			asked = y.eval
		}
		return node{typ: Bool, notNull: true, eval: func(row Row) (Value, error) {
			v, err := asked(row)
			return BoolOf(v.IsNull() == (operator == "==")), err
		}}, true
	}
	typ, ok := unify(&x, &y)
	if !ok || (typ == Bool || typ == UUID) && operator != "==" && operator != "!=" {
		return node{}, false
	}
	holds := map[string]func(c int) bool{
		"==": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
		">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[operator]
	return strict2(Bool, x, y, func(a, b Value) (Value, error) { return BoolOf(holds(compare(a, b))), nil }), true
}

// compare orders two values of one type; a NaN is above all numbers and equal to
// itself, as in Postgres.
func compare(a, b Value) int {
	switch a.kind {
	case Float:
		x, y := a.Float(), b.Float()
		switch {
		case x < y || !math.IsNaN(x) && math.IsNaN(y):
			return -1
		case x > y || math.IsNaN(x) && !math.IsNaN(y):
			return 1
		}
		return 0
	case Text, UUID:
		return strings.Compare(a.text, b.text)
	default:
		switch {
		case a.num < b.num:
			return -1
		case a.num > b.num:
			return 1
		}
		return 0
	}
}

func textTest(operator string, x, y node) node {
	test := map[string]func(s, part string) bool{
		"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
	}[operator]
	return strict2(Bool, x, y, func(a, b Value) (Value, error) { return BoolOf(test(a.text, b.text)), nil })
}

// arithmetic is the four operations and the remainder; + also joins texts.
func arithmetic(operator string, x, y node) (node, bool) {
	number := func(t Type) bool { return t == Int || t == Float }
	switch {
	case x.typ == Text && y.typ == Text && operator == "+":
		return strict2(Text, x, y, func(a, b Value) (Value, error) { return TextOf(a.text + b.text), nil }), true
	case !number(x.typ) || !number(y.typ):
		return node{}, false
	case operator == "/":
		out := strict2(Float, toFloatIfInt(x), toFloatIfInt(y), func(a, b Value) (Value, error) {
			if b.Float() == 0 {
				return Value{}, nil
			}
			return finite(a.Float()/b.Float(), a.Float(), b.Float())
		})
		out.notNull = false
		return out, true
	case operator == "%":
		out := strict2(Int, x, y, func(a, b Value) (Value, error) {
			switch b.num {
			case 0:
				return Value{}, nil
			case -1:
				return IntOf(0), nil // of the least integer, too
			}
			return IntOf(a.num % b.num), nil
		})
		out.notNull = false
		return out, x.typ == Int && y.typ == Int
	case x.typ == Int && y.typ == Int:
		f := map[string]func(a, b int64) (Value, error){"+": addInt, "-": subInt, "*": mulInt}[operator]
		return strict2(Int, x, y, func(a, b Value) (Value, error) { return f(a.num, b.num) }), true
	}
	f := map[string]func(a, b float64) float64{
		"+": func(a, b float64) float64 { return a + b },
		"-": func(a, b float64) float64 { return a - b },
		"*": func(a, b float64) float64 { return a * b },
	}[operator]
	return strict2(Float, toFloatIfInt(x), toFloatIfInt(y), func(a, b Value) (Value, error) {
		return finite(f(a.Float(), b.Float()), a.Float(), b.Float())
	}), true
}

func toFloatIfInt(n node) node {
	if n.typ == Int {
		return toFloat(n)
	}
	return n
}

// finite is a result, or an error if finite numbers made an infinite one.
func finite(result, a, b float64) (Value, error) {
	if math.IsInf(result, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return Value{}, ErrOverflow
	}
	return FloatOf(result), nil
}

func addInt(a, b int64) (Value, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return Value{}, ErrOverflow
	}
	return IntOf(sum), nil
}

func subInt(a, b int64) (Value, error) {
	difference := a - b
	if (difference < a) != (b > 0) && b != 0 {
		return Value{}, ErrOverflow
	}
	return IntOf(difference), nil
}

func mulInt(a, b int64) (Value, error) {
	if a == 0 || b == 0 {
		return IntOf(0), nil
	}
	product := a * b
	if product/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		return Value{}, ErrOverflow
	}
	return IntOf(product), nil
}

// function is one variant of a function of one value, which is not NULL.
type function struct {
	takes, gives Type
	apply        func(Value) (Value, error)
}

// functions are those that an expression may call, but for coalesce.
var functions = map[string][]function{ //nolint:gochecknoglobals // a table that nobody writes to
	"abs": {
		{Int, Int, func(v Value) (Value, error) {
			if v.num < 0 {
				return subInt(0, v.num)
			}
			return v, nil
		}},
		ofFloat(math.Abs),
	},
	"floor": {ofFloat(math.Floor)},
	"ceil":  {ofFloat(math.Ceil)},
	"round": {ofFloat(math.RoundToEven)}, // as Postgres does
	"lower": {ofText(strings.ToLower)},
	"upper": {ofText(strings.ToUpper)},
	"trim":  {ofText(func(s string) string { return strings.Trim(s, " ") })},
	"len":   {{Text, Int, func(v Value) (Value, error) { return IntOf(int64(utf8.RuneCountInString(v.text))), nil }}},
	"int": {
		{Float, Int, func(v Value) (Value, error) {
			f := math.Trunc(v.Float())
			if !(f >= -1<<63 && f < 1<<63) {
				return Value{}, ErrOverflow
			}
			return IntOf(int64(f)), nil
		}},
		{Text, Int, func(v Value) (Value, error) {
			n, err := strconv.ParseInt(v.text, 10, 64)
			return IntOf(n), err
		}},
		{Int, Int, same},
	},
	"float": {
		{Int, Float, func(v Value) (Value, error) { return FloatOf(float64(v.num)), nil }},
		{Text, Float, func(v Value) (Value, error) {
			f, err := strconv.ParseFloat(v.text, 64)
			return FloatOf(f), err
		}},
		{Float, Float, same},
	},
	"string": {{Int, Text, printed}, {Bool, Text, printed}, {Float, Text, printed}, {UUID, Text, printed}, {Time, Text, printed}, {Text, Text, same}},
	"micros": {{Time, Int, func(v Value) (Value, error) { return IntOf(v.num), nil }}},
	"day":    {{Time, Text, func(v Value) (Value, error) { return TextOf(time.UnixMicro(v.num).UTC().Format(time.DateOnly)), nil }}},
}

func same(v Value) (Value, error) { return v, nil }

func printed(v Value) (Value, error) { return TextOf(v.String()), nil }

func ofFloat(f func(float64) float64) function {
	return function{Float, Float, func(v Value) (Value, error) { return FloatOf(f(v.Float())), nil }}
}

func ofText(f func(string) string) function {
	return function{Text, Text, func(v Value) (Value, error) { return TextOf(f(v.text)), nil }}
}

func functionNames() []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func takes(variants []function) string {
	list := make([]string, len(variants))
	for i, f := range variants {
		list[i] = fmt.Sprintf("(%s)", f.takes)
	}
	return strings.Join(list, ", ")
}
