package format_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	twmb "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/fault"
)

// header takes a record of Confluent's wire format apart.
func header(t *testing.T, record []byte) (id int, rest []byte) {
	t.Helper()
	id, rest, err := new(sr.ConfluentHeader).DecodeID(record)
	if err != nil {
		t.Fatalf("%v\n%x", err, record)
	}
	return id, rest
}

func TestAvroIsReadByWhatIsRegistered(t *testing.T) {
	known := startRegistry(t)
	e := compile(t, format.Format{Kind: format.Avro, Registry: known.open(t)}, table(nil))
	want := map[string]int{" srv.public.orders-value": 1, " srv.public.orders-key": 2}
	if diff := cmp.Diff(want, known.subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	read := func(t *testing.T, record []byte) map[string]any {
		t.Helper()
		id, rest := header(t, record)
		s, err := twmb.Parse(known.schema(t, id))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if left, err := s.Decode(rest, &got); err != nil || len(left) != 0 {
			t.Fatalf("%v, %d bytes are left", err, len(left))
		}
		return got
	}
	row := func(note string) map[string]any {
		return map[string]any{"note": note, "id": int64(7), "paid": true, "ratio": 0.5, "at": "2025-08-25T16:13:40.436907Z"}
	}
	deleted := map[string]any{"note": nil, "id": int64(7), "paid": false, "ratio": 0.0, "at": "1970-01-01T00:00:00Z"}
	rows := map[string][2]any{
		"create": {nil, row("seven")}, "update": {nil, row("a \"quote\"\n")}, "delete": {deleted, nil}, "truncate": {nil, nil},
	}
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			got := read(t, value(t, e, c))
			if diff := cmp.Diff(rows[c.name], [2]any{got["before"], got["after"]}); diff != "" {
				t.Errorf("before and after (-want +got):\n%s", diff)
			}
			source, _ := got["source"].(map[string]any)
			if got["op"] != string(rune(c.image.Op)) || source["lsn"] != int64(26000000) || got["ts_us"] != int64(nowMicros) {
				t.Errorf("got %v", got)
			}
			if c.row == nil {
				return
			}
			if diff := cmp.Diff(map[string]any{"id": int64(7)}, read(t, []byte(key(t, e, c.row)))); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProtobufIsReadByWhatIsRegistered(t *testing.T) {
	known := startRegistry(t)
	e := compile(t, format.Format{Kind: format.Protobuf, Registry: known.open(t)}, table(nil))
	want := map[string]int{"PROTOBUF srv.public.orders-value": 1, "PROTOBUF srv.public.orders-key": 2}
	if diff := cmp.Diff(want, known.subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	read := func(t *testing.T, record []byte) *dynamicpb.Message {
		t.Helper()
		id, rest := header(t, record)
		path, rest, err := new(sr.ConfluentHeader).DecodeIndex(rest, 1)
		if err != nil || !cmp.Equal(path, []int{0}) {
			t.Fatalf("got message %v, %v, want the first", path, err)
		}
		file, err := protodesc.NewFile(parseProto(t, known.schema(t, id)), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, known.schema(t, id))
		}
		m := dynamicpb.NewMessage(file.Messages().Get(0))
		if err := proto.Unmarshal(rest, m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	row := func(note string) map[string]any {
		return map[string]any{"note": note, "id": int64(7), "paid": true, "ratio": 0.5, "at": "2025-08-25T16:13:40.436907Z"}
	}
	deleted := map[string]any{"id": int64(7), "paid": false, "ratio": 0.0, "at": "1970-01-01T00:00:00Z"} // Debezium's zeros; the NULL is not there
	rows := map[string][2]map[string]any{
		"create": {nil, row("seven")}, "update": {nil, row("a \"quote\"\n")}, "delete": {deleted, nil}, "truncate": {nil, nil},
	}
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			got := read(t, value(t, e, c))
			if diff := cmp.Diff(rows[c.name], [2]map[string]any{fields(message(got, "before")), fields(message(got, "after"))}); diff != "" {
				t.Errorf("before and after (-want +got):\n%s", diff)
			}
			source := fields(message(got, "source"))
			if fields(got)["op"] != string(rune(c.image.Op)) || source["lsn"] != int64(26000000) || fields(got)["ts_us"] != int64(nowMicros) {
				t.Errorf("got %v", got)
			}
			if c.row == nil {
				return
			}
			if diff := cmp.Diff(map[string]any{"id": int64(7)}, fields(read(t, []byte(key(t, e, c.row))))); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
		})
	}
}

// message is a field's message, nil when it is not there.
func message(m protoreflect.Message, name protoreflect.Name) protoreflect.Message {
	if f := m.Descriptor().Fields().ByName(name); f != nil && m.Has(f) {
		return m.Get(f).Message()
	}
	return nil
}

// fields are a message's fields that are there, but for messages; nil of none.
func fields(m protoreflect.Message) map[string]any {
	if m == nil {
		return nil
	}
	all := map[string]any{}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() == nil {
			all[string(f.Name())] = v.Interface()
		}
		return true
	})
	return all
}

// TestRegistryThatRefuses: the error is the registry's, with its kind.
func TestRegistryThatRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		kind   fault.Kind
	}{
		{"a schema that is not compatible", http.StatusConflict, fault.Refused},
		{"while it is down", http.StatusServiceUnavailable, fault.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"error_code":409,"message":"no"}`, c.status)
			}))
			defer server.Close()
			r, err := registry.Open(registry.Config{URLs: []string{server.URL}, AutoRegister: true})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for _, k := range []format.Kind{format.Avro, format.Protobuf} {
				f := format.Format{Kind: k, Registry: r}
				_, err := f.Compile(t.Context(), table(nil))
				if _, ok := errors.AsType[*fault.Error](err); !ok || fault.KindOf(err) != c.kind {
					t.Errorf("%s: got %v, want a fault of kind %d", k, err, c.kind)
				}
			}
		})
	}
}
