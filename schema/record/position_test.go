package record_test

import (
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/record"
)

func TestPositionRoundTrip(t *testing.T) {
	want := schema.Position{
		SystemID: "7432", Timeline: 2, Database: "streaming_db", Slot: "engagement", EndLSN: 0x16_B374D848, Version: 1756138420436907,
	}
	value, err := record.AppendPosition(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"system_id":"7432","timeline":2,"database":"streaming_db","slot":"engagement",` +
		`"end_lsn":"16/B374D848","version":1756138420436907}`
	if string(value) != text {
		t.Errorf("got  %s\nwant %s", value, text)
	}
	got, err := record.ParsePosition(value)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestPositionOfAnOpenCommit(t *testing.T) {
	want := schema.Position{
		SystemID: "7432", Timeline: 2, Database: "streaming_db", Slot: "engagement", EndLSN: 0x16_B374D848, Version: 1756138420436907,
		Open: schema.OpenCommit{FinalLSN: 0x16_B374D900, XID: 771, N: 10_000, Hash: "00ef46db3751d8e9"},
	}
	value, err := record.AppendPosition(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if open := `"open":{"final_lsn":"16/B374D900","xid":771,"n":10000,"hash":"00ef46db3751d8e9"}`; !strings.Contains(string(value), open) {
		t.Errorf("got %s, want %s in it", value, open)
	}
	got, err := record.ParsePosition(value)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestPositionRefuses(t *testing.T) {
	cases := []struct{ name, value, want string }{
		{"empty", ``, "EOF"},
		{"a newer program's field", `{"system_id":"1","slot":"s","end_lsn":"0/1","chunks":{}}`, `unknown field "chunks"`},
		{"an open commit without a count", `{"system_id":"1","slot":"s","end_lsn":"0/1","open":{"final_lsn":"0/2","hash":"00"}}`, "open needs"},
		{"an open commit below the position", `{"system_id":"1","slot":"s","end_lsn":"0/3","open":{"final_lsn":"0/2","n":1,"hash":"00"}}`, "open needs"},
		{"no log position", `{"system_id":"1","slot":"s"}`, "end_lsn"},
		{"bad LSN", `{"system_id":"1","slot":"s","end_lsn":"x"}`, "lsn"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := record.ParsePosition([]byte(c.value))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestCoordinates(t *testing.T) {
	headers := map[string]string{
		record.HeaderLSN: "16/B374D848", record.HeaderSeq: "3", record.HeaderXID: "771", record.HeaderVersion: "1756138420436907",
	}
	lookup := func(key string) ([]byte, bool) { v, ok := headers[key]; return []byte(v), ok }
	got, err := record.ParseCoordinates(lookup)
	want := record.Coordinates{LSN: 0x16_B374D848, Seq: 3, XID: 771, Version: 1756138420436907}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	for key, bad := range map[string]string{
		record.HeaderLSN: "x", record.HeaderSeq: "-1", record.HeaderXID: "4294967296", record.HeaderVersion: "1e3",
	} {
		t.Run(key, func(t *testing.T) {
			good := headers[key]
			defer func() { headers[key] = good }()
			headers[key] = bad
			if _, err := record.ParseCoordinates(lookup); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("value %q: got %v, want an error that names the header", bad, err)
			}
			delete(headers, key)
			if _, err := record.ParseCoordinates(lookup); err == nil || !strings.Contains(err.Error(), key+" is missing") {
				t.Errorf("missing: got %v, want an error that names the header", err)
			}
		})
	}
}
