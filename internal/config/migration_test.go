package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"penstock/internal/config"
)

// TestMigrationNamesKeysThatAreThere: docs/migration.md tells whoever comes from
// another connector which key to set; each has to be one.
func TestMigrationNamesKeysThatAreThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted, section := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile(`^(source|kafka|records|registry)\.`)
	keys := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, found := range quoted.FindAllStringSubmatch(cells[2], -1) {
			key, _, _ := strings.Cut(found[1], ":")
			if !section.MatchString(key) {
				continue
			}
			keys++
			path := strings.ReplaceAll(key, "<table>", "public.t")
			_, err := config.Parse("penstock.yaml", nil, nil, []config.Override{{Key: path, Value: "1", Origin: "docs"}})
			if err == nil || strings.Contains(err.Error(), "unknown key") {
				t.Errorf("docs/migration.md: %s: %v", key, err)
			}
		}
	}
	if keys < 20 {
		t.Errorf("%d keys found in docs/migration.md, want at least 20", keys)
	}
}
