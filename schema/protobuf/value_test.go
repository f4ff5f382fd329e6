package protobuf_test

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

// decode reads what the codec wrote by the schema's own text, and checks that it
// is written as every Protobuf library does: writing it again gives the same bytes.
func decode(t testing.TB, c *protobuf.Codec, v connect.Value) protoreflect.Message {
	t.Helper()
	wire := c.Append([]byte("before"), v)
	if !bytes.HasPrefix(wire, []byte("before")) {
		t.Fatalf("Append overwrote what was there: %q", wire)
	}
	wire = wire[len("before"):]
	m := dynamicpb.NewMessage(load(t, c))
	if err := proto.Unmarshal(wire, m); err != nil {
		t.Fatalf("read % x: %v\n%s", wire, err, c.Schema())
	}
	if again, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil || !bytes.Equal(again, wire) {
		t.Errorf("got % x, another library writes % x, %v\n%s", wire, again, err, c.Schema())
	}
	return m
}

// same compares a decoded message with the struct (or entry) it was made from.
func same(t testing.TB, path string, schemas []*connect.Schema, values []connect.Value, m protoreflect.Message) {
	t.Helper()
	fields := m.Descriptor().Fields()
	if len(m.GetUnknown()) > 0 || fields.Len() != len(schemas) {
		t.Fatalf("%s: got %d fields and % x besides, want %d", path, fields.Len(), m.GetUnknown(), len(schemas))
	}
	for i, s := range schemas {
		f := fields.Get(i)
		at := path + "." + string(f.Name())
		if int(f.Number()) != i+1 {
			t.Errorf("%s: got number %d, want %d", at, f.Number(), i+1)
		}
		v := values[i]
		if v.Form == connect.Null && s.Default != nil && !s.Optional && !f.HasPresence() {
			v = *s.Default
		}
		got := m.Get(f)
		switch s.Kind {
		case connect.Array:
			list := got.List()
			if list.Len() != len(v.List) {
				t.Fatalf("%s: got %d items, want %d", at, list.Len(), len(v.List))
			}
			for j, item := range v.List {
				if s.Elem.Kind == connect.Array || s.Elem.Kind == connect.Map {
					same(t, at, []*connect.Schema{s.Elem}, []connect.Value{item}, list.Get(j).Message())
					continue
				}
				sameItem(t, at, s.Elem, item, list.Get(j), item.Form != connect.Null)
			}
		case connect.Map:
			list := got.List()
			if 2*list.Len() != len(v.List) {
				t.Fatalf("%s: got %d entries, want %d", at, list.Len(), len(v.List)/2)
			}
			for j := range list.Len() {
				same(t, at, []*connect.Schema{s.Key, s.Elem}, v.List[2*j:2*j+2], list.Get(j).Message())
			}
		default:
			sameItem(t, at, s, v, got, m.Has(f))
		}
	}
}

// sameItem compares one item; present is whether the reader found one at all.
func sameItem(t testing.TB, path string, s *connect.Schema, v connect.Value, got protoreflect.Value, present bool) {
	t.Helper()
	ok := false
	number := func(name string) int64 {
		m := got.Message()
		f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if f.Kind() == protoreflect.Uint32Kind {
			return int64(m.Get(f).Uint())
		}
		return m.Get(f).Int()
	}
	isMessage := s.Kind == connect.Struct || strings.HasPrefix(s.Name, "org.apache.")
	if isMessage && v.Form == connect.Null {
		if present {
			t.Errorf("%s: got %v, want nothing", path, got)
		}
		return
	}
	switch {
	case isMessage && !present:
	case s.Name == decimalName:
		m := got.Message()
		raw := m.Get(m.Descriptor().Fields().ByName("value")).Bytes()
		unscaled := signed(v.Bytes)
		ok = signed(raw).Cmp(unscaled) == 0 && len(raw) == max(1, shortestLen(unscaled)) &&
			number("precision") == int64(len(new(big.Int).Abs(unscaled).String())) && number("scale") == scaleOf(s)
	case s.Name == dateName:
		ok = [3]int64{number("year"), number("month"), number("day")} == wantDate(v.Int)
	case s.Name == timeName:
		ok = ((number("hours")*60+number("minutes"))*60+number("seconds"))*1e9+number("nanos") == v.Int%86_400_000*1e6
	case s.Name == timestampName:
		ok = number("seconds")*1000+number("nanos")/1e6 == v.Int && number("nanos") >= 0 && number("nanos") < 1e9
	default:
		ok = samePlain(t, path, s, v, got)
	}
	if !ok {
		t.Errorf("%s: got %v (present: %v), want %+v of %s", path, got, present, v, s.Kind)
	}
}

func samePlain(t testing.TB, path string, s *connect.Schema, v connect.Value, got protoreflect.Value) bool {
	t.Helper()
	switch s.Kind {
	case connect.Boolean:
		return got.Bool() == (v.Int != 0)
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return got.Int() == v.Int
	case connect.Float32:
		return math.Float32bits(float32(got.Float())) == math.Float32bits(float32(v.Float))
	case connect.Float64:
		return math.Float64bits(got.Float()) == math.Float64bits(v.Float)
	case connect.String:
		return got.String() == string([]rune(string(v.Bytes))) // U+FFFD for every wrong byte
	case connect.Bytes:
		return bytes.Equal(got.Bytes(), v.Bytes)
	case connect.Struct:
		schemas := make([]*connect.Schema, len(s.Fields))
		for i := range s.Fields {
			schemas[i] = s.Fields[i].Schema
		}
		same(t, path, schemas, v.List, got.Message())
	}
	return true
}

// signed reads a two's complement integer.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// raw writes one, by trying lengths.
func raw(n *big.Int) []byte {
	for size := 1; ; size++ {
		limit := new(big.Int).Lsh(big.NewInt(1), uint(8*size-1))
		if n.Cmp(limit) < 0 && n.Cmp(new(big.Int).Neg(limit)) >= 0 {
			mod := new(big.Int).Mod(n, new(big.Int).Lsh(limit, 1))
			return mod.FillBytes(make([]byte, size))
		}
	}
}

func shortestLen(n *big.Int) int {
	if n.Sign() < 0 {
		n = new(big.Int).Not(n)
	}
	return n.BitLen()/8 + 1
}

const (
	decimalName   = "org.apache.kafka.connect.data.Decimal"
	dateName      = "org.apache.kafka.connect.data.Date"
	timeName      = "org.apache.kafka.connect.data.Time"
	timestampName = "org.apache.kafka.connect.data.Timestamp"
)

func scaleOf(s *connect.Schema) int64 {
	i := slices.IndexFunc(s.Parameters, func(p connect.Parameter) bool { return p.Key == "scale" })
	n, ok := new(big.Int).SetString(s.Parameters[i].Value, 10)
	if !ok {
		return -1
	}
	return n.Int64()
}

// wantDate walks year by year from 1970, in the calendar that was in force: the
// Julian one, whose 1970-01-01 was 13 days later, before 1582-10-15.
func wantDate(days int64) [3]int64 {
	julian := days < -141427
	if julian {
		days -= 13
	}
	length := func(y int64) int64 {
		if y%4 == 0 && (julian || y%100 != 0 || y%400 == 0) {
			return 366
		}
		return 365
	}
	year := int64(1970)
	for ; days < 0; days += length(year) {
		year--
	}
	for ; days >= length(year); year++ {
		days -= length(year)
	}
	month := int64(1)
	for _, n := range []int64{31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30} {
		if days < n {
			break
		}
		days -= n
		month++
	}
	return [3]int64{year, month, days + 1}
}
