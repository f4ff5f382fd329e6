package config

import (
	"fmt"
	"os"
	"strings"

	"penstock/internal/fault"
)

// expand replaces ${VAR}, ${VAR:-default} and ${file:/path} in s. A default may
// hold further references, and is also taken when the variable is
// empty. $${ stands for ${ itself. The error is a *fault.Error.
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
			return "", &fault.Error{What: "${ has no closing brace", Fix: "close it, as in ${VAR}; or write $${ for the two characters themselves"}
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
			return "", &fault.Error{What: "${" + ref + "}", Err: err, Fix: "create the file, such that the user of penstock may read it, or name another"}
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	name, fallback, hasFallback := strings.Cut(ref, ":-")
	if !isVariable(name) {
		return "", &fault.Error{
			What: fmt.Sprintf("${%s} is neither ${VAR}, ${VAR:-default} nor ${file:/path}", ref),
			Fix:  "a variable's name has letters, digits and _; write $${ for the two characters themselves",
		}
	}
	value, set := env[name]
	switch {
	case hasFallback && value == "":
		return expand(fallback, env)
	case !set:
		return "", &fault.Error{What: "environment variable " + name + " is not set", Fix: "set it, or give a default as in ${VAR:-default}"}
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
