package plan

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock/schema"
)

func TestImagesAreRead(t *testing.T) {
	b, want := exprPlan(t)
	got, err := b.plan.DecodeStream(json.RawMessage(` { "zebra" : {"a":["}",1]} , "f":2.5,"i":7, "n" : null,"s":"\u00c4bc","b":null,"t":"2025-08-25T16:13:40.436907Z",` +
		`"u":"11111111-AAAA-1111-1111-111111111111","max":9223372036854775807,"odd name":"odd"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.plan.streams {
		if got[i] != want[i] {
			t.Errorf("slot %s: got %q, want %q", b.plan.Slots[i].Name, got[i], want[i])
		}
	}
}

func TestImagesThatAreRefused(t *testing.T) {
	b, _ := exprPlan(t)
	const sound = `{"i":7,"n":1,"f":2.5,"s":"x","b":true,"t":"2025-08-25T16:13:40Z","u":"11111111-aaaa-1111-1111-111111111111","max":1,"odd name":"x"}`
	if _, err := b.plan.DecodeStream(json.RawMessage(sound)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, replacement, says string }{
		{`"i":7`, `"i":null`, "column i is null"},
		{`"i":7,`, ``, "column i is missing"},
		{`"i":7`, `"i":"7"`, "column i: json: cannot unmarshal string"},
		{`"i":7`, `"i":9223372036854775808`, "column i: json: cannot unmarshal number"},
		{`"f":2.5`, `"f":"big"`, `column f: "big" is no number`},
		{`"s":"x"`, `"s":5`, "column s: json: cannot unmarshal number"},
		{`"b":true`, `"b":"t"`, "column b: json: cannot unmarshal string"},
		{`2025-08-25T16:13:40Z`, `infinity`, `column t: "infinity" is no time that the stores can hold`},
		{`2025-08-25T16:13:40Z`, `0044-03-15 00:00:00 BC`, `column t: "0044-03-15 00:00:00 BC" is no time`},
		{`11111111-aaaa`, `11111111aaaa-`, "column u: uuid"},
		{sound, `[]`, "the image is no JSON object"},
		{sound, `"x"`, "the image is no JSON object"},
	} {
		image := strings.Replace(sound, c.old, c.replacement, 1)
		if _, err := b.plan.DecodeStream(json.RawMessage(image)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", image, err, c.says)
		}
	}
}

func TestFloatsWithoutANumberInJSON(t *testing.T) {
	for text, want := range map[string]float64{`"NaN"`: math.NaN(), `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1), "1e3": 1000} {
		if got, err := decodeValue(&Slot{Type: Float}, []byte(text)); err != nil || got != FloatOf(want) {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}

func TestTheZeroUUIDIsKept(t *testing.T) {
	p := Engagement(schema.TableName{}, schema.TableName{}, "")
	const zero = `"00000000-0000-0000-0000-000000000000"`
	event := `{"id":1,"content_id":` + zero + `,"user_id":null,"event_type":null,"event_ts":"2025-08-25T16:13:40Z","duration_ms":null,"device":null,"raw_payload":null}`
	if _, err := p.DecodeStream(json.RawMessage(event)); err == nil || !strings.Contains(err.Error(), "column content_id: the zero uuid") {
		t.Errorf("an event: %v", err)
	}
	if _, err := p.DecodeLookupKey(json.RawMessage(`{"id":` + zero + `}`)); err == nil || !strings.Contains(err.Error(), "column id: the zero uuid") {
		t.Errorf("a content: %v", err)
	}
}

// FuzzScanObject: what encoding/json takes for an object is scanned to the same
// members, and nothing makes it panic.
func FuzzScanObject(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[{"c":"}"}],"d":"\"\\","":null}`, `{}`, ` { "a" : "\u00e4" } `, `{"a":{"b":{}},"a":2}`, `{"a`, `{"a":`, `[1]`, `{"ä":"\ud83d"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]string{}
		err := scanObject(data, func(name, value []byte) error {
			got[string(name)] = string(value)
			return nil
		})
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil || !utf8.Valid(data) {
			return // it never comes here
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: got %v, %v", data, got, err)
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Errorf("%s: member %q is %s, want %s", data, name, got[name], value)
			}
		}
	})
}
