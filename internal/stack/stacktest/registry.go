package stacktest

import (
	"os"
	"testing"

	"penstock/internal/stack"
)

// Registry returns the URL of a schema registry that speaks Confluent's protocol: the one that PENSTOCK_REGISTRY names, else
// a private native one that ends with the test. With -short the test is skipped.
func Registry(t testing.TB) (url string) {
	t.Helper()
	NeedServers(t)
	if url := os.Getenv("PENSTOCK_REGISTRY"); url != "" {
		return url
	}
	registry, err := stack.StartRegistry(t.Context(), stack.Options{}, nil)
	if err != nil {
		t.Fatalf("private schema registry: %v", err)
	}
	t.Cleanup(func() {
		if err := registry.Close(); err != nil {
			t.Errorf("close private schema registry: %v", err)
		}
	})
	return registry.URL()
}
