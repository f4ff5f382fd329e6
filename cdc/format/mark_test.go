package format_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

func boundary() *debezium.Boundary {
	return &debezium.Boundary{
		End: true, Source: schema.Source{CommitLSN: 0x16_B374D848, XID: 571, CommitTime: 1756138420436907},
		Counts: []debezium.Count{{Collection: "public.a", Events: 2}, {Collection: `public.b"`, Events: 3}},
	}
}

// TestMarks: in every format of JSON, and with the inline schema where that is asked for.
func TestMarks(t *testing.T) {
	const want = `{"status":"END","id":"571:97500059720","event_count":5,"data_collections":[` +
		`{"data_collection":"public.a","event_count":2},{"data_collection":"public.b\"","event_count":3}],"ts_ms":1756138420436}`
	const key = `{"id":"571:97500059720"}`
	for _, f := range everyFormat(t) {
		t.Run(f.name, func(t *testing.T) {
			e, err := f.CompileMarks(t.Context(), "srv.transaction")
			if err != nil {
				t.Fatal(err)
			}
			gotKey, gotValue := e.AppendKey(nil, boundary()), e.AppendValue(nil, boundary())
			switch {
			case f.Schemas:
				wantSchema(t, gotKey, "io.debezium.connector.common.TransactionMetadataKey")
				wantSchema(t, gotValue, "io.debezium.connector.common.TransactionMetadataValue")
				if !bytes.HasSuffix(gotKey, []byte(key+"}")) || !bytes.HasSuffix(gotValue, []byte(want+"}")) {
					t.Errorf("got %s %s", gotKey, gotValue)
				}
			case f.Kind == format.Avro || f.Kind == format.Protobuf:
				if _, rest := header(t, gotValue); !bytes.Contains(rest, []byte(`public.b"`)) || !bytes.Contains(rest, []byte("END")) {
					t.Errorf("got %q", gotValue)
				}
				if _, rest := header(t, gotKey); !bytes.Contains(rest, []byte("571:97500059720")) {
					t.Errorf("got key %q", gotKey)
				}
			default:
				if string(gotKey) != key || string(gotValue) != want {
					t.Errorf("got %s %s", gotKey, gotValue)
				}
			}
		})
	}
}

func wantSchema(t *testing.T, r []byte, name string) {
	t.Helper()
	var wrapped struct{ Schema struct{ Name string } }
	if err := json.Unmarshal(r, &wrapped); err != nil || wrapped.Schema.Name != name {
		t.Errorf("got %s, %v, want schema %s", r, err, name)
	}
}

func TestHeartbeats(t *testing.T) {
	for _, f := range everyFormat(t) {
		t.Run(f.name, func(t *testing.T) {
			e, err := f.CompileHeartbeats(t.Context(), "beats", "srv")
			if err != nil {
				t.Fatal(err)
			}
			key, value := e.AppendKey(nil), e.AppendValue(nil, 1756138420436907)
			switch {
			case f.Kind == format.Avro || f.Kind == format.Protobuf:
				if _, rest := header(t, key); !bytes.Contains(rest, []byte("srv")) {
					t.Errorf("got key %q", key)
				}
				if _, rest := header(t, value); len(rest) == 0 {
					t.Errorf("got value %q", value)
				}
			case !bytes.Contains(key, []byte(`{"serverName":"srv"}`)) || !bytes.Contains(value, []byte(`{"ts_ms":1756138420436}`)):
				t.Errorf("got %s %s", key, value)
			}
		})
	}
}
