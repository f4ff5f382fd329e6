package config

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/goccy/go-yaml"

	"penstock/schema"
)

// YAML renders every key with the value in force; secrets are stars. What it
// renders can be loaded again once the secrets are put back.
func (c *Config) YAML() ([]byte, error) {
	table := yaml.CustomMarshaler(func(t schema.TableName) ([]byte, error) {
		if t == (schema.TableName{}) {
			return []byte(`""`), nil
		}
		return yaml.Marshal(FormatTable(t))
	})
	return yaml.MarshalWithOptions(c, table, yaml.IndentSequence(true))
}

// FormatTable writes a table's name so that [ParseTable] reads it back.
func FormatTable(t schema.TableName) string { return quote(t.Schema) + "." + quote(t.Name) }

func quote(name string) string {
	if strings.ContainsAny(name, `."`) || strings.TrimSpace(name) != name {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}

// JSON renders what YAML does, as JSON.
func (c *Config) JSON() ([]byte, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	compact, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, compact, "", "  ")
	return indented.Bytes(), err
}
