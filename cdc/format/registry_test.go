package format_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"penstock/cdc/format"
	"penstock/cdc/registry"
)

// schemas is a registry that takes every schema: its id is its place, from 1.
type schemas struct {
	*httptest.Server

	mu       sync.Mutex
	known    []string // guarded by mu, as all below
	subjects map[string]int
}

func startRegistry(t testing.TB) *schemas {
	t.Helper()
	s := &schemas{subjects: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP registers a schema under a subject.
func (s *schemas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Schema, SchemaType string }
	subject, register := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/subjects/"), "/versions")
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !register {
		http.Error(w, `{"error_code":42201,"message":"no schema"}`, http.StatusUnprocessableEntity)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := slices.Index(s.known, body.Schema) + 1
	if id == 0 {
		s.known = append(s.known, body.Schema)
		id = len(s.known)
	}
	s.subjects[body.SchemaType+" "+subject] = id
	fmt.Fprintf(w, `{"id":%d}`, id)
}

// schema is the text that an id stands for.
func (s *schemas) schema(t testing.TB, id int) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > len(s.known) {
		t.Fatalf("the registry knows no schema %d", id)
	}
	return s.known[id-1]
}

func (s *schemas) open(t testing.TB) *registry.Registry {
	t.Helper()
	r, err := registry.Open(registry.Config{URLs: []string{s.URL}, AutoRegister: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

type namedFormat struct {
	name string
	format.Format
}

// everyFormat has each kind, and Debezium with its schemas.
func everyFormat(t testing.TB) []namedFormat {
	t.Helper()
	r := startRegistry(t).open(t)
	all := []namedFormat{{"debezium with schemas", format.Format{Schemas: true}}}
	for i, name := range format.Names() {
		all = append(all, namedFormat{name, format.Format{Kind: format.Kind(i), Registry: r}})
	}
	return all
}
