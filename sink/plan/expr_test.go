package plan

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// exprColumns are the columns that the expressions of these tests name.
func exprPlan(t *testing.T) (*builder, Row) {
	t.Helper()
	b := newBuilder(&Declaration{
		Stream: Side{Join: "i", Columns: []Column{
			{Name: "i", Type: Int, NotNull: true}, {Name: "n", Type: Int}, {Name: "f", Type: Float}, {Name: "s", Type: Text, NotNull: true}, {Name: "b", Type: Bool}, {Name: "t", Type: Time, NotNull: true}, {Name: "u", Type: UUID, NotNull: true}, {Name: "max", Type: Int, NotNull: true},
			{Name: "odd name", Type: Text},
		}},
		Key:    []string{"i"},
		Lookup: Side{Join: "k", Columns: []Column{{Name: "k", Type: Int, NotNull: true}, {Name: "x", Type: Float, NotNull: true}, {Name: "s", Type: Text}}},
	})
	b.sides()
	if len(b.problems) > 0 {
		t.Fatal(b.problems)
	}
	row := b.plan.NewRow()
	u, err := UUIDOf("11111111-aaaa-1111-1111-111111111111")
	if err != nil {
		t.Fatal(err)
	}
	copy(row, []Value{
		IntOf(7), {}, FloatOf(2.5), TextOf("Äbc"), {}, TimeOf(1_756_138_420_436_907), u, IntOf(math.MaxInt64), TextOf("odd"), IntOf(7), FloatOf(0.5), {},
	})
	return b, row
}

func TestExpressionsAreSQLs(t *testing.T) {
	b, row := exprPlan(t)
	null := Value{}
	for text, want := range map[string]Value{
		// Numbers.
		"stream.i + 1": IntOf(8), "stream.i - 10": IntOf(-3), "-stream.i": IntOf(-7), "stream.i * 2.0": FloatOf(14), "1 + 2 * 3": IntOf(7),
		"stream.i / 2": FloatOf(3.5), "stream.i % 4": IntOf(3), "-7 % 4": IntOf(-3), "stream.f - 1": FloatOf(1.5),
		"stream.i / 0": null, "stream.i % 0": null, "stream.f / 0.0": null, "1 + stream.i / 0": null, "coalesce(stream.i / 0, 1)": FloatOf(1),
		"abs(-3)": IntOf(3), "abs(-2.5)": FloatOf(2.5), "floor(2.7)": FloatOf(2), "ceil(2.2)": FloatOf(3), "round(2.5)": FloatOf(2), "round(3.5)": FloatOf(4),
		"int(2.9)": IntOf(2), "int(-2.9)": IntOf(-2), `int("12")`: IntOf(12), "float(stream.i)": FloatOf(7), `float("1e3")`: FloatOf(1000),
		// NULL.
		"stream.n": null, "stream.n + 1": null, "-stream.n": null, "stream.n == 1": null, "stream.n != 1": null, "not stream.b": null, "lower(lookup.s)": null,
		"stream.n == nil": BoolOf(true), "nil != stream.n": BoolOf(false), "stream.i != nil": BoolOf(true),
		"stream.n ?? 5": IntOf(5), "coalesce(stream.n, lookup.x, 1)": FloatOf(0.5), "coalesce(stream.n, nil)": null,
		"stream.b and false": BoolOf(false), "false && stream.b": BoolOf(false), "stream.b and true": null,
		"stream.b or true": BoolOf(true), "true || stream.b": BoolOf(true), "stream.b or false": null,
		"stream.b ? 1 : 2": IntOf(2), "stream.i > 5 ? stream.n : 2": null, "stream.i > 5 ? 1 : 2.5": FloatOf(1),
		"stream.n in [1, 2]": null, "stream.i in [1, 7]": BoolOf(true), "stream.i not in [1, 7]": BoolOf(false), "stream.i in [1, stream.n]": null,
		// Comparisons.
		"stream.i == 7.0": BoolOf(true), "stream.i < 7": BoolOf(false), "stream.i >= 7": BoolOf(true), `stream.s > "A"`: BoolOf(true), `stream.s == "Äbc"`: BoolOf(true),
		"stream.u == stream.u": BoolOf(true), "stream.t <= stream.t": BoolOf(true), "true == (stream.i == 7)": BoolOf(true),
		// Texts and times.
		`stream.s + "!"`: TextOf("Äbc!"), "upper(stream.s)": TextOf("ÄBC"), "lower(stream.s)": TextOf("äbc"), "len(stream.s)": IntOf(3), `trim(" a ")`: TextOf("a"),
		`stream.s contains "b"`: BoolOf(true), `stream.s startsWith "b"`: BoolOf(false), `stream.s endsWith "c"`: BoolOf(true), "string(stream.i)": TextOf("7"),
		"string(2.5)": TextOf("2.5"), "string(true)": TextOf("true"), "day(stream.t)": TextOf("2025-08-25"), "micros(stream.t)": IntOf(1_756_138_420_436_907),
		`stream["odd name"]`: TextOf("odd"), "stream.i | abs()": IntOf(7), `lookup.x > 0.1 and stream.s != "x"`: BoolOf(true),
	} {
		e, problem := compileExpr(text, b)
		if problem != nil {
			t.Errorf("%s: %v", text, problem)
			continue
		}
		got, err := e.Eval(row)
		if err != nil || got != want {
			t.Errorf("%s: got %s %q, %v, want %s %q", text, got.Type(), got, err, want.Type(), want)
		}
		if !got.IsNull() && got.Type() != e.Type {
			t.Errorf("%s: is %s, said to be %s", text, got.Type(), e.Type)
		}
		if got.IsNull() && e.NotNull {
			t.Errorf("%s: is NULL, said never to be", text)
		}
	}
}

func TestExpressionsThatFailOnARow(t *testing.T) {
	b, row := exprPlan(t)
	for text, says := range map[string]string{
		"stream.max + 1": "out of range", "stream.max * 2": "out of range", "-stream.max - 2": "out of range", "abs(-stream.max - 1)": "out of range",
		"1e308 * 10": "out of range", "1e308 / 0.01": "out of range", "int(1e19)": "out of range", "int(stream.s)": "invalid syntax", "float(stream.s)": "invalid syntax",
		"stream.i > 1 and int(stream.s) > 1": "invalid syntax",
	} {
		e, problem := compileExpr(text, b)
		if problem != nil {
			t.Errorf("%s: %v", text, problem)
			continue
		}
		if v, err := e.Eval(row); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %q, %v, want an error that says %q", text, v, err, says)
		}
	}
	if e, _ := compileExpr("stream.max + 1", b); e != nil {
		if _, err := e.Eval(row); !errors.Is(err, ErrOverflow) {
			t.Errorf("got %v", err)
		}
	}
}

func TestExpressionsThatDoNotType(t *testing.T) {
	b, _ := exprPlan(t)
	for text, want := range map[string]struct {
		offset int
		says   string
	}{
		"stream.i + stream.s":      {9, "operator + does not take bigint and text"},
		"stream.zebra":             {0, "unknown column stream.zebra"},
		"1 + other.x":              {4, `unknown table "other"`},
		"quantity > 1":             {0, `unknown name "quantity"`},
		"stream.i and true":        {9, "operator and does not take bigint and boolean"},
		"stream.i ? 1 : 2":         {0, "the condition is bigint, not boolean"},
		`stream.b ? 1 : "x"`:       {15, "one branch is bigint, the other text"},
		"upper(stream.i)":          {0, "upper does not take (bigint)"},
		"zebra(1)":                 {0, `unknown function "zebra"`},
		"stream.i in [1, \"x\"]":   {16, "bigint is looked for among text"},
		"stream.i in stream.s":     {9, "in needs a list"},
		"nil":                      {0, "it is always NULL"},
		"nil == nil":               {4, "operator == does not take null and null"},
		"stream.n > nil":           {9, "operator > does not take bigint and null"},
		"stream.u < stream.u":      {9, "operator < does not take uuid and uuid"},
		"stream.s ?? 1":            {9, "text and bigint have no type in common"},
		"stream.i ** 2":            {9, "operator ** is not known here"},
		"1 +":                      {2, "unexpected token EOF"},
		"":                         {0, "unexpected token EOF"},
		"[1, 2]":                   {0, "this is nothing that an expression may be here"},
		"let x = 1; x":             {4, "this is nothing that an expression may be here"},
		"stream.f % 2":             {9, "operator % does not take double precision and bigint"},
		"-stream.s":                {0, "operator - does not take text"},
		"map([1], # + 1)":          {4, "this is nothing"},
		"99999999999999999999 > 1": {21, "invalid integer literal"},
	} {
		e, problem := compileExpr(text, b)
		if problem == nil {
			t.Errorf("%s: was taken, as %s", text, e.Type)
			continue
		}
		if !strings.Contains(problem.What, want.says) || problem.Offset != want.offset || problem.Fix == "" {
			t.Errorf("%s: got %q at %d (fix %q), want %q at %d", text, problem.What, problem.Offset, problem.Fix, want.says, want.offset)
		}
	}
}

// FuzzExpr: whatever is written is refused, or has the type that was said.
func FuzzExpr(f *testing.F) {
	for _, seed := range []string{"stream.i / stream.n", "coalesce(stream.n, 1) ?? 2", `stream.s in ["a"] ? lookup.x : -1`, "((", "stream.i | abs()", "abs(", "not not stream.b", "1..3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, row := exprPlan(t)
		e, problem := compileExpr(text, b)
		if problem != nil {
			return
		}
		v, err := e.Eval(row)
		if err == nil && !v.IsNull() && v.Type() != e.Type || err == nil && v.IsNull() && e.NotNull {
			t.Errorf("%q is %s (not null %v), and was %s", text, e.Type, e.NotNull, v.Type())
		}
	})
}
