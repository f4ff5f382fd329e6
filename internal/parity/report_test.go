package parity_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"penstock/internal/parity"
	"penstock/internal/parity/golden"
)

// judge compares one record of the table of types, in which Penstock has ours and Debezium has 1.
func judge(t *testing.T, ours, justified string) *parity.Report {
	t.Helper()
	justifications, err := parity.ParseJustifications(justified)
	if err != nil {
		t.Fatal(err)
	}
	value := func(a string) []golden.Record {
		r, err := golden.NewRecord("types.public.types", []byte(`{"id":1}`), []byte(`{"op":"c","after":{"id":1,"a":`+a+`}}`), nil, false)
		if err != nil {
			t.Fatal(err)
		}
		return []golden.Record{r}
	}
	p := parity.Pass{Name: "types", Content: parity.Types}
	report := parity.NewReport(justifications)
	report.Expect("column", "a")
	report.Add(p, map[string]int{"column a": 1}, parity.Compare(p, value(ours), value("1")))
	report.Complete()
	return report
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name, ours, justified string
		failed                bool
		says                  string
	}{
		{"equal", "1", "", false, "column   a                            equal (1 records)"},
		{"a planted difference", "2", "", true, "column   a                            DIFFERS in 1 fields, unjustified"},
		{"the difference justified", "2", "types public.types value value.after.a : it is better", false, "column   a                            differs: it is better"},
		{"the difference justified by a pattern", "2", "* *.types value value.*.a : it is better", false, "differs: it is better"},
		{"a pattern that stops at dots", "2", "* *.types value value.* : it is better", true, "DIFFERS in 1 fields"},
		{"a pattern that does not", "2", "** ** ** value.** : it is better", false, "differs: it is better"},
		{"another kind justified", "2", "types public.types spelling value.after.a : it is better", true, "DIFFERS in 1 fields"},
		{"another column justified", "2", "types public.types value value.after.b : it is better", true, "STALE: line 1"},
		{"the difference justified for what Debezium has", "2", "types public.types value value.after.a =1 : it is better", false, "differs: it is better"},
		{"the difference justified for something else", "2", "types public.types value value.after.a =2 : it is better", true, "DIFFERS in 1 fields"},
		{"a line that goes on", "2", "types public.types value\n  value.after.a : it is\n  better", false, "differs: it is better"},
		{"one of several that is stale", "2", "types public.types value value.after.{a,\n  b} : it is better", true, "STALE: line 1 of the justified differences fits none: types public.types value value.after.b"},
		{"a stale justification", "1", "\n# why\ntypes public.types value value.after.a : it is better", true, "STALE: line 3 of the justified differences fits none: types public.types value value.after.a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := judge(t, c.ours, c.justified)
			var text bytes.Buffer
			report.Write(&text)
			if report.Failed() != c.failed || !strings.Contains(text.String(), c.says) {
				t.Errorf("got failed %t, want %t, and %q in\n%s", report.Failed(), c.failed, c.says, &text)
			}
		})
	}
}

func TestWhatWasNotComparedFails(t *testing.T) {
	p := parity.Pass{Name: "shapes", Content: parity.Shapes}
	for _, c := range []struct {
		name string
		do   func(*parity.Report)
		says string
	}{
		{"a shape that nothing was heard of", func(r *parity.Report) { r.Expect("shape", "x") }, "NOTHING was compared"},
		{"a pass that was refused", func(r *parity.Report) { r.Refuse(p, []string{"x.*"}, errors.New("no answer")) }, "shapes x.*: refused: no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := parity.NewReport(nil)
			c.do(report)
			var text bytes.Buffer
			report.Write(&text)
			if !report.Failed() || !strings.Contains(text.String(), c.says) {
				t.Errorf("got failed %t, want true, and %q in\n%s", report.Failed(), c.says, &text)
			}
		})
	}
}

// TestOwnHeadersAreNoShapes: a header that one of the two has on every record does
// not keep a shape from being equal.
func TestOwnHeadersAreNoShapes(t *testing.T) {
	p := parity.Pass{Name: "shapes", Content: parity.Shapes}
	record := func(header string) []golden.Record {
		r, err := golden.NewRecord("shapes.x.t", []byte(`1`), []byte(`{"op":"c"}`), []golden.Header{{Key: header, Value: "1"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		return []golden.Record{r}
	}
	for _, c := range []struct{ name, ours, theirs, says string }{
		{"its own", "penstock.seq", "__debezium.context.taskId", "shape    x                            equal (1 records)"},
		{"a key's", "penstock.seq", "__debezium.newkey", "shape    x                            DIFFERS in 1 fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := parity.NewReport(nil)
			report.Add(p, map[string]int{"shape x": 1}, parity.Compare(p, record(c.ours), record(c.theirs)))
			var text bytes.Buffer
			report.Write(&text)
			for _, want := range []string{c.says, "envelope headers                      DIFFERS"} {
				if !strings.Contains(text.String(), want) {
					t.Errorf("want %q in\n%s", want, &text)
				}
			}
		})
	}
}

func TestBadJustifications(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"without a reason", "a b value c"},
		{"with an empty reason", "a b value c : "},
		{"with a broken letter", "a\xff b value c : why"},
		{"with a field too few", "a b value : why"},
		{"with a field too many", "a b value c d : why"},
		{"that goes on with nothing", "  a b value c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if all, err := parity.ParseJustifications(c.text); err == nil {
				t.Errorf("got %v, want an error", all)
			}
		})
	}
}

func TestOwnJustificationsCanBeRead(t *testing.T) {
	if _, err := parity.LoadJustifications(); err != nil {
		t.Error(err)
	}
}
