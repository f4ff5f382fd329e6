package stack_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

func TestRegistryKeepsItsSchemasOverARestart(t *testing.T) {
	stacktest.NeedServers(t)
	registry, err := stack.StartRegistry(t.Context(), stack.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
	register := func() (id int) {
		t.Helper()
		body := bytes.NewReader([]byte(`{"schema":"\"string\""}`))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, registry.URL()+"/subjects/s-value/versions", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct{ ID int }
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.ID == 0 {
			t.Fatalf("%s: got %+v, %v", response.Status, answer, err)
		}
		return answer.ID
	}
	before := register()
	if err := registry.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := register(); after != before {
		t.Errorf("the same schema has id %d after the restart, %d before", after, before)
	}
}
