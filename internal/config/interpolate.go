package config

import (
	"fmt"
	"os"
	"strings"
)

// unsetError is the name of a variable that has neither value nor default.
type unsetError string

// Error names the variable.
func (e unsetError) Error() string { return "environment variable " + string(e) + " is not set" }

// expand replaces ${VAR}, ${VAR:-default} and ${file:/path} in s. A default may
// hold further references, and is also taken when the variable is
// empty. $${ stands for ${ itself.
func expand(s string, env map[string]string) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		n := closing(s[i+2:])
		if n < 0 {
			return "", fmt.Errorf("${ has no closing brace")
		}
		value, err := reference(s[i+2:i+2+n], env)
		if err != nil {
			return "", err
		}
		out.WriteString(s[:i] + value)
		s = s[i+2+n+1:]
	}
}

// closing returns the index of the brace that ends a reference, or -1.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '{' && i > 0 && s[i-1] == '$':
			depth++
		case s[i] == '}' && depth == 0:
			return i
		case s[i] == '}':
			depth--
		}
	}
	return -1
}

// reference returns what the text between the braces stands for.
func reference(ref string, env map[string]string) (string, error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", ref, err)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	name, fallback, hasFallback := strings.Cut(ref, ":-")
	if !isVariable(name) {
		return "", fmt.Errorf("${%s} is neither ${VAR}, ${VAR:-default} nor ${file:/path}", ref)
	}
	value, set := env[name]
	switch {
	case hasFallback && value == "":
		return expand(fallback, env)
	case !set:
		return "", unsetError(name)
	}
	return value, nil
}

func isVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
