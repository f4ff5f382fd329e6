package registry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake speaks the part of the registry's protocol that the client uses: register a
// schema, look one up, and refuse what is marked as not compatible.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	subjects map[string][]string // the schemas in the order of their versions; guarded by mu, as all below
	ids      map[string]int
	requests []string                                          // METHOD path?query
	broken   func(w http.ResponseWriter, r *http.Request) bool // answers in place of the registry
}

func newFake(t *testing.T) *fake {
	f := &fake{subjects: map[string][]string{}, ids: map[string]int{}}
	f.Server = httptest.NewUnstartedServer(f)
	t.Cleanup(f.Server.Close)
	return f
}

func startFake(t *testing.T) *fake {
	f := newFake(t)
	f.Start()
	return f
}

// breakWith has every request answered by answer, until it is nil.
func (f *fake) breakWith(answer func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = answer
}

func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	broken := f.broken
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	f.mu.Unlock()
	if broken != nil && broken(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var body struct {
		Schema     string
		SchemaType string
		References []struct {
			Name, Subject string
			Version       int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, "no JSON")
		return
	}
	for _, ref := range body.References {
		if ref.Version < 1 || ref.Version > len(f.subjects[ref.Subject]) {
			refuse(w, http.StatusUnprocessableEntity, 42201, "no version of "+ref.Subject)
			return
		}
	}
	subject, register := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/subjects/"), "/versions")
	version := slices.Index(f.subjects[subject], body.Schema) + 1
	switch {
	case register && strings.Contains(body.Schema, "invalid"):
		refuse(w, http.StatusUnprocessableEntity, 42201, "Input schema is an invalid Avro schema")
	case register && version == 0 && strings.Contains(body.Schema, "incompatible"):
		refuse(w, http.StatusConflict, 409, "Schema being registered is incompatible: reader type STRING")
	case register && version == 0:
		f.subjects[subject] = append(f.subjects[subject], body.Schema)
		version = len(f.subjects[subject])
		fallthrough
	case register || version > 0:
		kind := body.SchemaType + body.Schema
		if f.ids[kind] == 0 {
			f.ids[kind] = len(f.ids) + 1
		}
		fmt.Fprintf(w, `{"subject":%q,"version":%d,"id":%d}`, subject, version, f.ids[kind])
	case len(f.subjects[subject]) == 0:
		refuse(w, http.StatusNotFound, 40401, "Subject not found.")
	default:
		refuse(w, http.StatusNotFound, 40403, "Schema not found")
	}
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error_code":%d,"message":%q}`, code, message)
}

// hang never answers. It returns when the client has given up, which a server only
// notices behind the request's body.
func hang(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// answer answers every request alike.
func answer(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}
