package registry_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"penstock/cdc/registry"
	"penstock/internal/fault"
)

func open(t *testing.T, c registry.Config) *registry.Registry {
	t.Helper()
	r, err := registry.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func avroOf(text string) registry.Schema { return registry.Schema{Record: "a.B", Text: text} }

func mustID(t *testing.T, r *registry.Registry, topic string, s registry.Schema) int {
	t.Helper()
	id, err := r.ID(t.Context(), topic, false, s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSchemaIsRegisteredOnce(t *testing.T) {
	f := startFake(t)
	r := open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true})
	one, other := mustID(t, r, "t", avroOf(`"int"`)), mustID(t, r, "t", avroOf(`"long"`))
	if one == other {
		t.Errorf("two schemas have id %d", one)
	}
	if again := mustID(t, r, "t", avroOf(`"int"`)); again != one {
		t.Errorf("the schema has id %d and then %d", one, again)
	}
	want := []string{"POST /subjects/t-value/versions", "POST /subjects/t-value/versions"}
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSchemasAreToldApart(t *testing.T) {
	f := startFake(t)
	r := open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true})
	seen := map[int]bool{}
	for _, s := range []registry.Schema{
		{Kind: registry.Avro, Text: "x"}, {Kind: registry.JSON, Text: "x"}, {Kind: registry.Protobuf, Text: "x"},
		{Kind: registry.Avro, Text: "xy"},
	} {
		seen[mustID(t, r, "t", s)] = true
	}
	if len(seen) != 4 {
		t.Errorf("four schemas have %d ids", len(seen))
	}
	before := len(f.asked())
	mustID(t, r, "u", registry.Schema{Kind: registry.Avro, Text: "x"}) // the id is the same, the subject is not
	if got := f.asked()[before:]; !slices.Equal(got, []string{"POST /subjects/u-value/versions"}) {
		t.Errorf("got %q", got)
	}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		name   string
		naming registry.Naming
		isKey  bool
		record string
		want   string // of the request; empty for a fault
	}{
		{"unsaid, value", "", false, "a.B", "/subjects/srv.t-value/versions"},
		{"unsaid, key", "", true, "", "/subjects/srv.t-key/versions"},
		{"topic", registry.Topic, false, "", "/subjects/srv.t-value/versions"},
		{"record", registry.Record, true, "a.B", "/subjects/a.B/versions"},
		{"topic and record", registry.TopicRecord, false, "a.B", "/subjects/srv.t-a.B/versions"},
		{"record without name", registry.Record, false, "", ""},
		{"topic and record without name", registry.TopicRecord, true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			r := open(t, registry.Config{URLs: []string{f.URL}, SubjectNaming: c.naming, AutoRegister: true})
			_, err := r.ID(t.Context(), "srv.t", c.isKey, registry.Schema{Record: c.record, Text: `"int"`})
			if c.want == "" {
				if fault.KindOf(err) != fault.Usage || len(f.asked()) != 0 {
					t.Errorf("got %v after %q", err, f.asked())
				}
				return
			}
			if got := f.asked(); err != nil || !slices.Equal(got, []string{"POST " + c.want}) {
				t.Errorf("got %q, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestNotRegisteredIsRefused(t *testing.T) {
	f := startFake(t)
	r := open(t, registry.Config{URLs: []string{f.URL}, Normalize: true})
	_, err := r.ID(t.Context(), "t", false, avroOf(`"int"`))
	wantFault(t, err, fault.Refused, "subject t-value at "+f.URL, "is not registered", "auto-register")

	mustID(t, open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true}), "t", avroOf(`"long"`))
	_, err = r.ID(t.Context(), "t", false, avroOf(`"int"`))
	wantFault(t, err, fault.Refused, "is not registered", "40403")
	mustID(t, r, "t", avroOf(`"long"`))

	if got, want := f.asked()[0], "POST /subjects/t-value?normalize=true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReferencesAreKnownByTheirVersions(t *testing.T) {
	f := startFake(t)
	s := registry.Schema{Kind: registry.Protobuf, Text: "main", References: []registry.Reference{
		{Name: "google/type/date.proto", Text: "date"}, {Name: "x.proto", Subject: "other", Text: "x"},
	}}
	id := mustID(t, open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true}), "t", s)
	if found := mustID(t, open(t, registry.Config{URLs: []string{f.URL}}), "t", s); found != id {
		t.Errorf("registered with id %d, found with %d", id, found)
	}
	for _, subject := range []string{"google/type/date.proto", "other", "t-value"} {
		if len(f.subjects[subject]) != 1 {
			t.Errorf("subject %s has %d versions", subject, len(f.subjects[subject]))
		}
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, parts ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind {
		t.Fatalf("got %v, want a fault of kind %d", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}

func TestAnswersAreExplained(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken func(http.ResponseWriter, *http.Request) bool
		text   string
		kind   fault.Kind
		parts  []string
	}{
		{"not compatible", nil, "incompatible", fault.Refused, []string{"subject t-value", "not compatible", "reader type STRING", "/config/t-value", "NONE"}},
		{"invalid", nil, "invalid", fault.Refused, []string{"does not take the schema", "invalid Avro schema", "42201"}},
		{"user unknown", answer(401, `{"error_code":401,"message":"who?"}`), "x", fault.Usage, []string{"user and password", "who?"}},
		{"not allowed", answer(403, ""), "x", fault.Usage, []string{"user and password"}},
		{"not a registry", answer(404, "<html>nothing here</html>"), "x", fault.Usage, []string{"no address of a schema registry", "nothing here"}},
		{"a page", answer(200, "<html>welcome</html>"), "x", fault.Usage, []string{"not a schema registry's"}},
		{"another JSON", answer(200, `[1]`), "x", fault.Usage, []string{"not a schema registry's"}},
		{"no id", answer(200, `{}`), "x", fault.Usage, []string{"no id"}},
		{"an id that is too large", answer(200, `{"id":4294967296}`), "x", fault.Usage, []string{"4294967296"}},
		{"too many requests", answer(429, ""), "x", fault.Unreachable, []string{"429"}},
		{"its store is down", answer(500, `{"error_code":50001,"message":"Error in the backend data store"}`), "x", fault.Unreachable, []string{"backend data store (50001)"}},
		{"a gateway", answer(502, "<html>bad gateway</html>"), "x", fault.Unreachable, []string{"502"}},
		{"something else", answer(418, ""), "x", fault.Runtime, []string{"418"}},
		{"a long answer", answer(500, strings.Repeat("\xff", 20<<20)), "x", fault.Unreachable, []string{"500", "..."}},
		{"a long schema", answer(200, strings.Repeat(" ", 20<<20)), "x", fault.Usage, []string{"not a schema registry's"}},
		{"the connection ends", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "x", fault.Unreachable, []string{"does not answer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			f.breakWith(c.broken)
			r := open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true})
			_, err := r.ID(t.Context(), "t", false, avroOf(c.text))
			wantFault(t, err, c.kind, append(c.parts, f.URL)...)
			if n := len(err.Error()); n > 10_000 {
				t.Errorf("the error has %d bytes", n)
			}
		})
	}
}

func TestRecoveryIsNoticed(t *testing.T) {
	f := startFake(t)
	r := open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true})
	f.breakWith(answer(503, "starting"))
	_, err := r.ID(t.Context(), "t", false, avroOf("x"))
	wantFault(t, err, fault.Unreachable, "starting")
	f.breakWith(nil)
	mustID(t, r, "t", avroOf("x"))
}

func TestAnotherNodeIsAsked(t *testing.T) {
	down, up := startFake(t), startFake(t)
	down.breakWith(answer(500, "no leader"))
	gone := startFake(t)
	gone.Close()
	r := open(t, registry.Config{URLs: []string{gone.URL, down.URL + "/", up.URL}, AutoRegister: true})
	mustID(t, r, "t", avroOf("x"))
	mustID(t, r, "t", avroOf("y"))
	if n := len(down.asked()); n != 1 {
		t.Errorf("the node that is down was asked %d times: the one that answers is to be asked first", n)
	}
	up.breakWith(answer(401, "who?"))
	_, err := r.ID(t.Context(), "t", false, avroOf("z"))
	wantFault(t, err, fault.Usage, "who?")
	if n := len(down.asked()); n != 1 {
		t.Errorf("a refusal was taken to another node")
	}
}

func TestSlowRegistryIsUnreachable(t *testing.T) {
	f := startFake(t)
	f.breakWith(hang)
	r := open(t, registry.Config{URLs: []string{f.URL}, AutoRegister: true, Timeout: 50 * time.Millisecond})
	_, err := r.ID(t.Context(), "t", false, avroOf("x"))
	wantFault(t, err, fault.Unreachable, "does not answer")
}

func TestEndOfTheContextIsNoFault(t *testing.T) {
	f := startFake(t)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		cancel(stopped)
		return hang(w, r)
	})
	r := open(t, registry.Config{URLs: []string{f.URL, f.URL}, AutoRegister: true})
	if _, err := r.ID(ctx, "t", false, avroOf("x")); !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name   string
		config registry.Config
		want   string
	}{
		{"none", registry.Config{}, ""},
		{"user and password", registry.Config{Username: "u", Password: "p"}, "Basic dTpw"},
		{"token", registry.Config{Token: "abc"}, "Bearer abc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			f.breakWith(func(_ http.ResponseWriter, r *http.Request) bool {
				if got := r.Header.Get("Authorization"); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				return false
			})
			c.config.URLs, c.config.AutoRegister = []string{f.URL}, true
			mustID(t, open(t, c.config), "t", avroOf("x"))
		})
	}
}

func TestTLS(t *testing.T) {
	f := newFake(t)
	f.StartTLS()
	trusted := x509.NewCertPool()
	trusted.AddCert(f.Certificate())
	config := registry.Config{URLs: []string{f.URL}, AutoRegister: true, TLS: &tls.Config{RootCAs: trusted}}
	mustID(t, open(t, config), "t", avroOf("x"))
	config.TLS = nil
	_, err := open(t, config).ID(t.Context(), "t", false, avroOf("x"))
	wantFault(t, err, fault.Usage, "certificate is not trusted")
}

func TestConfigurationIsChecked(t *testing.T) {
	const ok = "http://registry:8081"
	for _, c := range []struct {
		name   string
		config registry.Config
		want   []string
	}{
		{"nothing", registry.Config{}, []string{"has no address"}},
		{"no scheme", registry.Config{URLs: []string{"registry:8081"}}, []string{"registry:8081", "no http:// or https:// address"}},
		{"no host", registry.Config{URLs: []string{"http:///x"}}, []string{"no http:// or https:// address"}},
		{"no URL", registry.Config{URLs: []string{"http://u:secret@h:p"}}, []string{"no URL"}},
		{"a password in the address", registry.Config{URLs: []string{"https://u:secret@h"}}, []string{"u:xxxxx@h", "by their own settings"}},
		{"a query", registry.Config{URLs: []string{ok + "?x=1"}}, []string{"more than a path"}},
		{"two logins", registry.Config{URLs: []string{ok}, Username: "u", Token: "t"}, []string{"both a token and a user"}},
		{"another naming", registry.Config{URLs: []string{ok}, SubjectNaming: "x"}, []string{"naming x", "topic_record"}},
		{"a negative timeout", registry.Config{URLs: []string{ok}, Timeout: -1}, []string{"negative"}},
		{"two at once", registry.Config{SubjectNaming: "x"}, []string{"has no address", "naming x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registry.Open(c.config)
			wantFault(t, err, fault.Usage, c.want...)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

func TestWireFormat(t *testing.T) {
	if got, want := registry.AppendHeader([]byte("x"), 0x01020304), []byte("x\x00\x01\x02\x03\x04"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	for _, c := range []struct {
		name    string
		indexes []int
		want    string
	}{
		{"the first message", []int{0}, "\x00"},
		{"the second message", []int{1}, "\x02\x02"},
		{"a nested message", []int{0, 2}, "\x04\x00\x04"},
		{"far away", []int{1000}, "\x02\xd0\x0f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := registry.AppendMessageIndexes(registry.AppendHeader(nil, 7), c.indexes)
			if want := "\x00\x00\x00\x00\x07" + c.want; string(got) != want {
				t.Errorf("got %x, want %x", got, want)
			}
			var header sr.ConfluentHeader
			id, rest, err := header.DecodeID(got)
			if err != nil || id != 7 {
				t.Fatalf("read back id %d, %v", id, err)
			}
			if indexes, rest, err := header.DecodeIndex(rest, 10); err != nil || len(rest) != 0 || !slices.Equal(indexes, c.indexes) {
				t.Errorf("read back %v, %d bytes left, %v", indexes, len(rest), err)
			}
		})
	}
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = registry.AppendMessageIndexes(registry.AppendHeader(dst[:0], 7), []int{0}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKindsAreCalledAsInTheProtocol(t *testing.T) {
	for kind, want := range map[registry.Kind]string{registry.Avro: "AVRO", registry.Protobuf: "PROTOBUF", registry.JSON: "JSON"} {
		if kind.String() != want {
			t.Errorf("got %s, want %s", kind, want)
		}
	}
}
