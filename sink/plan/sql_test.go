package plan

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestExpressionsEqualPostgres computes each expression and its SQL over random rows.
func TestExpressionsEqualPostgres(t *testing.T) {
	db, err := pgx.Connect(t.Context(), stacktest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	b := newBuilder(&Declaration{
		Stream: Side{Join: "i", Columns: []Column{
			{Name: "i", Type: Int}, {Name: "k", Type: Int}, {Name: "f", Type: Float}, {Name: "g", Type: Float}, {Name: "b", Type: Bool}, {Name: "c", Type: Bool}, {Name: "s", Type: Text}, {Name: "z", Type: Text},
			{Name: "t", Type: Time}, {Name: "u", Type: Time},
		}},
		Key: []string{"i"}, Lookup: Side{Join: "id", Columns: []Column{{Name: "id", Type: Int, NotNull: true}}},
	})
	b.sides()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rows, values := randomRows(t, b.plan, rand.New(rand.NewPCG(seed, 0)), 300)
	for expression, sql := range map[string]string{
		"stream.i + stream.k": "i + k", "stream.i - stream.f": "i - f", "stream.i * stream.f": "i * f", "stream.f + stream.g": "f + g", "-stream.i": "-i", "-stream.f": "-f",
		"stream.i / stream.k": "i::float8 / nullif(k, 0)", "stream.f / stream.g": "f / nullif(g, 0)", "stream.i % stream.k": "i % nullif(k, 0)",
		"stream.i == stream.k": "i = k", "stream.i != stream.k": "i <> k", "stream.i < stream.f": "i < f", "stream.f >= stream.g": "f >= g", "stream.b == stream.c": "b = c",
		"stream.s < stream.z": `s COLLATE "C" < z COLLATE "C"`, "stream.s == stream.z": "s = z", "stream.t > stream.u": "t > u", "stream.t <= stream.u": "t <= u",
		"stream.b and stream.c": "b AND c", "stream.b or stream.c": "b OR c", "not stream.b": "NOT b", "stream.b || stream.i > 1 && stream.f < 2": "b OR i > 1 AND f < 2",
		"not (stream.b and stream.c) or stream.i == 7": "NOT (b AND c) OR i = 7", "stream.b ? stream.i : stream.k": "CASE WHEN b THEN i ELSE k END",
		"stream.b ? stream.i : stream.f": "CASE WHEN b THEN i ELSE f END", "stream.i ?? 5": "coalesce(i, 5)", "coalesce(stream.i, stream.k, 1.5)": "coalesce(i, k, 1.5::float8)",
		"coalesce(stream.i / stream.k, -1)": "coalesce(i::float8 / nullif(k, 0), -1)", "stream.i in [7, stream.k]": "i IN (7, k)", "stream.i not in [7, stream.k]": "i NOT IN (7, k)",
		"stream.i == nil": "i IS NULL", "stream.s != nil": "s IS NOT NULL", "stream.s + stream.z": "s || z", "stream.s contains stream.z": "position(z IN s) > 0",
		"stream.s startsWith stream.z": "starts_with(s, z)", "stream.s endsWith stream.z": "right(s, length(z)) = z", "upper(stream.s)": "upper(s)", "lower(stream.s)": "lower(s)",
		"trim(stream.s)": "trim(s)", "len(stream.s)": "length(s)", "abs(stream.i)": "abs(i)", "abs(stream.f)": "abs(f)", "floor(stream.f)": "floor(f)", "ceil(stream.f)": "ceil(f)",
		"round(stream.f)": "round(f)", "int(stream.f)": "trunc(f)::bigint", "float(stream.i)": "i::float8", "string(stream.i)": "i::text", "string(stream.b)": "b::text",
		"micros(stream.t)": "(extract(epoch FROM t) * 1000000)::bigint", "day(stream.t)": "to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD')", "len(stream.s + 'Äö')": "length(s || 'Äö')",
	} {
		e, problem := compileExpr(expression, b)
		if problem != nil {
			t.Errorf("%s: %v", expression, problem)
			continue
		}
		found, err := db.Query(t.Context(), "SELECT ("+sql+")::text FROM (VALUES "+values+") r (n, i, k, f, g, b, c, s, z, t, u) ORDER BY n")
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		want, err := pgx.CollectRows(found, pgx.RowTo[*string])
		if err != nil || len(want) != len(rows) {
			t.Fatalf("%s: %d rows, %v", sql, len(want), err)
		}
		for i, row := range rows {
			got, err := e.Eval(row)
			if err != nil || !equalsText(got, want[i]) {
				t.Errorf("%s of %v: got %q (NULL %v), %v, Postgres has %s", expression, row, got, got.IsNull(), err, printedText(want[i]))
				break
			}
		}
	}
}

// TestNativesEqualPostgres reads what the input topic has of real and of timestamp, and
// what Postgres prints of them, and holds both against Postgres' casts.
func TestNativesEqualPostgres(t *testing.T) {
	db, err := pgx.Connect(t.Context(), stacktest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	rows, err := db.Query(t.Context(), `SELECT 'Real', to_json(r)::text, r::text, r::float8::text FROM (SELECT (random() * 10 ^ (n % 30 - 10))::real AS r FROM generate_series(1, 500) n
		UNION ALL VALUES (0.1::real), ('NaN'), ('-Infinity'), (3.4028235e38), (1e-45)) reals
		UNION ALL SELECT 'Local', to_json(t::text)::text, t::text, (extract(epoch FROM t) * 1000000)::bigint::text FROM (SELECT timestamp '0001-01-01' + random() * interval '9998 years' AS t
		FROM generate_series(1, 500) UNION ALL VALUES (timestamp '2025-08-25 16:13:40.436907'), ('1969-12-31 23:59:59.999999')) times`)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var native, image, text, want string
	_, err = pgx.ForEachRow(rows, []any{&native, &image, &text, &want}, func() error {
		seen++
		slot := Slot{Type: Float, Native: Real}
		if native == "Local" {
			slot = Slot{Type: Time, Native: Local}
		}
		got, err := decodeValue(&slot, []byte(image))
		if err != nil {
			return err
		}
		if read, err := readValue(&slot, []byte(text)); err != nil || read != got {
			t.Errorf("%s %s: read as %v (%v), the record's is %v", native, text, read, err, got)
		}
		if slot.Type == Time && strconv.FormatInt(got.Int(), 10) != want {
			t.Errorf("%s %s: got %d, Postgres has %s", native, image, got.Int(), want)
		}
		if number, err := strconv.ParseFloat(want, 64); slot.Type == Float && (err != nil || FloatOf(number) != got) {
			t.Errorf("%s %s: got %v, Postgres has %s (%v)", native, image, got.Float(), want, err)
		}
		return nil
	})
	if err != nil || seen != 1007 {
		t.Errorf("%d rows, %v", seen, err)
	}
}

// randomRows are rows, and the same as VALUES.
func randomRows(t *testing.T, p *Plan, random *rand.Rand, count int) (rows []Row, values string) {
	t.Helper()
	some := map[Type][]Value{
		Int: {IntOf(7), IntOf(0), IntOf(-3), IntOf(2)}, Float: {FloatOf(2.5), FloatOf(0), FloatOf(-1.5), FloatOf(3.5), FloatOf(1e20)}, Bool: {BoolOf(true), BoolOf(false)},
		Text: {TextOf(""), TextOf(" aBc "), TextOf("b"), TextOf("Bc ")}, Time: {TimeOf(1_756_138_420_436_907), TimeOf(-1), TimeOf(1_756_166_399_999_999)},
	}
	casts := map[Type]string{Int: "bigint", Float: "float8", Bool: "boolean", Text: "text", Time: "timestamptz"}
	var list []string
	for n := range count {
		row, texts := p.NewRow(), []string{strconv.Itoa(n)}
		for slot := range p.streams {
			kind := p.Slots[slot].Type
			text := "NULL::" + casts[kind]
			if pick := random.IntN(len(some[kind]) + 1); pick < len(some[kind]) {
				row[slot] = some[kind][pick]
				if kind == Float && row[slot].Float() == 1e20 && p.Slots[slot].Name == "stream.f" {
					row[slot] = FloatOf(4.5) // int(1e20) would fail
				}
				text = "'" + row[slot].String() + "'::" + casts[kind]
				if kind == Time {
					text = "'" + row[slot].String() + "+00'::timestamptz"
				}
			}
			texts = append(texts, text)
		}
		rows, list = append(rows, row), append(list, "("+strings.Join(texts, ", ")+")")
	}
	return rows, strings.Join(list, ", ")
}

func equalsText(got Value, want *string) bool {
	switch {
	case want == nil || got.IsNull():
		return want == nil && got.IsNull()
	case got.Type() == Float:
		f, err := strconv.ParseFloat(*want, 64)
		return err == nil && f == got.Float()
	default:
		return got.String() == *want
	}
}

func printedText(s *string) string {
	if s == nil {
		return "NULL"
	}
	return fmt.Sprintf("%q", *s)
}
