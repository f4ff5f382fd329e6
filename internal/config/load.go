package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"penstock/internal/fault"
	"penstock/schema/debezium"
)

// maxSize is far above any configuration, and below what would make the YAML
// parser's recursion dangerous.
const maxSize = 1 << 20

// Load reads the file at path, then takes the environment (as os.Environ gives
// it) and the overrides, fills what is derived, and validates for the roles, or
// for all of them when none is named. Everything found wrong is reported at
// once, as joined [Problem]s.
func Load(path string, env []string, overrides []Override, roles ...Role) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault.Error{
			Kind: fault.Usage, Where: path, What: "configuration file cannot be read", Err: err,
			Fix: "name the file with --config, or see penstock run --help for the smallest one",
		}
	}
	return Parse(path, data, env, overrides, roles...)
}

// Parse is Load for a file already read; name is what messages call it.
func Parse(name string, data []byte, env []string, overrides []Override, roles ...Role) (*Config, error) {
	cfg := Default()
	cfg.file, cfg.origins, cfg.given, cfg.failed = name, map[string]origin{}, map[string]bool{}, map[string]bool{}
	d := &decoder{cfg: cfg, env: environment(env), anchors: map[string]ast.Node{}}

	root, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	if root != nil {
		d.decode(root, reflect.ValueOf(cfg).Elem(), "")
	}
	problems := slices.Concat(d.problems, cfg.applyEnvironment(d.env), cfg.applyOverrides(overrides))
	cfg.derive()
	if err := errors.Join(append(problems, cfg.Validate(roles...))...); err != nil {
		return nil, err
	}
	return cfg, nil
}

// parse returns the root of the file's one document, nil when it is empty.
func parse(name string, data []byte) (ast.Node, error) {
	at := origin{label: name}
	if len(data) > maxSize {
		return nil, newProblem("", at, fault.Error{What: fmt.Sprintf("the file has %d bytes, more than a configuration may have (%d)", len(data), maxSize),
			Fix: "name the configuration with --config, if this is none; tables can be captured by patterns: source.matching"})
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxProblem(at, err)
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.DirectiveType:
		case root != nil:
			token := doc.Body.GetToken()
			at.line, at.column = token.Position.Line, token.Position.Column
			return nil, newProblem("", at, fault.Error{What: "a second YAML document", Fix: "keep one document in the file"})
		default:
			root = doc.Body
		}
	}
	return root, nil
}

// syntaxProblem words what the YAML parser found. It shows no excerpt: where
// the syntax is broken nobody knows which text is a secret.
func syntaxProblem(at origin, err error) error {
	f := fault.Error{What: "not YAML: " + err.Error(), Fix: syntaxFix("")}
	if e := yaml.Error(nil); errors.As(err, &e) {
		f.What = "not YAML: " + strings.ReplaceAll(e.GetMessage(), "\t", `\t`)
		if token := e.GetToken(); token != nil {
			at.line, at.column = token.Position.Line, token.Position.Column
		}
		f.Fix = syntaxFix(e.GetMessage())
	}
	return newProblem("", at, f)
}

// syntaxFix tells what mends what the YAML parser says, as far as its words tell.
func syntaxFix(message string) string {
	for _, known := range []struct{ part, fix string }{
		{"must be specified", `between { and } put a value such as "${VAR}" in double quotes`},
		{"\t", "indent with spaces"},
		{"tab character", "indent with spaces"},
		{"mapping value is not allowed", `let the keys of a section begin in one column, here and on the next line; put a value with ": " in it in double quotes`},
		{"value is not allowed", "let the keys of a section begin in one column, right of the section's own, also those above"},
		{"non-map value", `write KEY: VALUE, with a space after the colon; let what goes on from the line above begin right of its key`},
		{"key name", `write KEY: VALUE, with a space after the colon`},
		{"end character", "close the quote that is opened here"},
		{"end token", "close the bracket that is opened here"},
		{"corresponding to", "open the bracket, or put the value in double quotes"},
		{"reserved character", "put the value in double quotes"},
		{"directive", "put the value in double quotes"},
		{"alias", "put the value in double quotes, if it is to begin with *"},
	} {
		if strings.Contains(message, known.part) {
			return known.fix
		}
	}
	return "look at the indentation and the quotes there and in the line before"
}

// derive fills the values whose default depends on others.
func (c *Config) derive() {
	setDefault(&c.Source.Name, c.Source.Slot)
	setDefault(&c.Kafka.TransactionalID, "penstock."+c.Source.Name)
	setDefault(&c.Kafka.HeartbeatTopic, debezium.HeartbeatTopic(c.Source.Name))
	c.Records.derive(c.given)
	for name, p := range c.Pipelines {
		setDefault(&p.Topic, "penstock."+name+".input")
		setDefault(&p.Group, "penstock."+name)
		setDefault(&p.OnError, OnErrorStop)
		p.applyPreset()
		if !p.Declared() && !c.given["pipelines."+name+".totals"] {
			p.Totals = true
		}
		c.Pipelines[name] = p
	}
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// environment makes a map of os.Environ's list.
func environment(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, pair := range list {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}
