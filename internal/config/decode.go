package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"penstock/internal/fault"
)

// decoder fills a Config from a YAML tree. It goes on after a problem, so that
// one run tells everything that is wrong with a file.
type decoder struct {
	cfg      *Config
	env      map[string]string
	anchors  map[string]ast.Node
	problems []error
}

func (d *decoder) place(n ast.Node) origin {
	p := n.GetToken().Position
	return origin{label: d.cfg.file, line: p.Line, column: p.Column}
}

// complain records a problem of the value at path. secret keeps the text out
// of the excerpt.
func (d *decoder) complain(path string, n ast.Node, secret bool, f fault.Error) {
	at := d.place(n)
	p := newProblem(path, at, f)
	if token := n.GetToken(); !secret && !strings.Contains(token.Value, "\n") {
		p.Excerpt = excerpt(at, token.Value, "")
	}
	d.cfg.failed[path] = true
	d.problems = append(d.problems, p)
}

// decode fills v from the node at path.
func (d *decoder) decode(n ast.Node, v reflect.Value, path string) {
	n = d.resolve(n, path)
	if n == nil || n.Type() == ast.NullType {
		return
	}
	d.cfg.given[path] = true
	switch {
	case isScalar(v.Type()):
		d.scalar(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path)
	default:
		d.structure(n, v, path)
	}
}

// resolve follows anchors, aliases and tags to the node with the value.
func (d *decoder) resolve(n ast.Node, path string) ast.Node {
	for range 16 { // an anchor may name itself
		switch t := n.(type) {
		case *ast.AnchorNode:
			d.anchors[t.Name.String()] = t.Value
			n = t.Value
		case *ast.AliasNode:
			target, ok := d.anchors[t.Value.String()]
			if !ok {
				d.complain(path, t.Value, false, fault.Error{
					What: fmt.Sprintf("alias *%s has no anchor", t.Value), Fix: fmt.Sprintf("name the value &%s where it stands first, above", t.Value),
				})
				return nil
			}
			n = target
		case *ast.TagNode:
			n = t.Value
		default:
			return n
		}
	}
	d.complain(path, n, true, fault.Error{What: "alias that stands for itself", Fix: "write the value in its place"})
	return nil
}

// scalarText returns the text of a scalar with its references replaced.
func (d *decoder) scalarText(n ast.Node, path string, secret bool) (string, bool) {
	var text string
	switch t := n.(type) {
	case *ast.StringNode:
		text = t.Value
	case *ast.LiteralNode:
		text = t.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text = n.GetToken().Value
	default:
		address, ok := addressText(n)
		if !ok {
			d.complain(path, n, true, fault.Error{
				What: "want one value, not " + kindOf(n), Fix: "write a single value there, in quotes if it has other signs than letters and digits",
			})
			return "", false
		}
		text = address
	}
	expanded, err := expand(text, d.env)
	if err != nil {
		d.complain(path, n, secret, faultOf(err))
		return "", false
	}
	return expanded, true
}

// addressText returns the text of host:port, which the YAML parser takes for a
// key and its value when it stands in a list between braces.
func addressText(n ast.Node) (string, bool) {
	mapping, ok := n.(*ast.MappingNode)
	if !ok || len(mapping.Values) != 1 {
		return "", false
	}
	key, value := mapping.Values[0].Key.GetToken(), mapping.Values[0].Value.GetToken()
	adjacent := key.Position.Line == value.Position.Line &&
		key.Position.Column+len([]rune(key.Value))+len(":") == value.Position.Column
	return key.Value + ":" + value.Value, adjacent
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	at := d.place(n)
	switch t := n.(type) {
	case *ast.StringNode:
		at.quoted = t.Token.Type == token.SingleQuoteType || t.Token.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		at.folded = true
	}
	d.cfg.origins[path] = at
	secret := isSecret(v.Type())
	text, ok := d.scalarText(n, path, secret)
	if !ok {
		return
	}
	if err := setScalar(v, text); err != nil {
		d.complain(path, n, secret, faultOf(err))
	}
}

// list fills a slice from a sequence, or from one comma-separated text.
func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		text, ok := d.scalarText(n, path, false)
		if !ok {
			return
		}
		if err := setList(v, text); err != nil {
			d.complain(path, n, false, faultOf(err))
		}
		return
	}
	list := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, element := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		if element.Type() == ast.NullType {
			d.complain(at, element, false, fault.Error{What: "empty element", Fix: "give it a value, or take it away"})
			continue
		}
		d.decode(element, list.Index(i), at)
	}
	v.Set(list)
}

// mapping fills a map whose keys the file's author chooses.
func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	entries, ok := d.entries(n, path, "write a line NAME: VALUE for each entry, indented below "+lastOf(path))
	if !ok {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, entry := range entries {
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := setScalar(key, keyText(entry)); err != nil {
			d.complain(join(path, keyText(entry)), entry.Key, false, faultOf(err))
			continue
		}
		at := join(path, key.String())
		if v.MapIndex(key).IsValid() { // in another spelling
			d.repeated(join(path, keyText(entry)), key.String(), entry, d.cfg.origins[at])
			continue
		}
		d.cfg.origins[at] = d.place(entry.Key)
		d.decode(entry.Value, element, at)
		v.SetMapIndex(key, element)
	}
}

// structure fills a section, whose keys are known.
func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	entries, ok := d.entries(n, path, "write a line KEY: VALUE for each of its keys, of which there are "+strings.Join(keysOf(v), ", "))
	if !ok {
		return
	}
	for _, entry := range entries {
		key := keyText(entry)
		field, ok := fieldOf(v, key)
		if !ok {
			d.unknown(entry, v, path, key)
			continue
		}
		d.cfg.origins[join(path, key)] = d.place(entry.Key)
		d.decode(entry.Value, field, join(path, key))
	}
}

// entries returns the pairs of a mapping without those that repeat a key. fix tells
// what to write where there is none.
func (d *decoder) entries(n ast.Node, path, fix string) ([]*ast.MappingValueNode, bool) {
	mapping, ok := n.(*ast.MappingNode)
	if !ok {
		d.complain(path, n, true, fault.Error{What: "want keys and values, not " + kindOf(n), Fix: fix})
		return nil, false
	}
	seen := map[string]origin{}
	var entries []*ast.MappingValueNode
	for _, entry := range mapping.Values {
		key := keyText(entry)
		if first, ok := seen[key]; ok {
			d.repeated(join(path, key), key, entry, first)
			continue
		}
		seen[key] = d.place(entry.Key)
		entries = append(entries, entry)
	}
	return entries, true
}

// repeated complains about a key that already stands at first.
func (d *decoder) repeated(path, key string, entry *ast.MappingValueNode, first origin) {
	d.complain(path, entry.Key, false, fault.Error{
		What: fmt.Sprintf("key %q is given twice", key), Why: "it already stands at " + first.String(), Fix: "keep one of the two, with the values of both",
	})
}

// unknown complains about a key that the section does not have.
func (d *decoder) unknown(entry *ast.MappingValueNode, v reflect.Value, path, key string) {
	section := "the file"
	if path != "" {
		section = path
	}
	known := keysOf(v)
	f := fault.Error{What: fmt.Sprintf("unknown key %q", key)}
	if meant := Nearest(key, known); meant != "" {
		f.Fix = "did you mean " + meant + "?"
		d.cfg.failed[join(path, meant)] = true
	} else {
		f.Fix = "the keys of " + section + " are " + strings.Join(known, ", ")
	}
	at := d.place(entry.Key)
	p := newProblem(join(path, key), at, f)
	p.Excerpt = excerpt(at, key, ": …")
	d.problems = append(d.problems, p)
}

// kindOf names what a node is, for people.
func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "keys and values"
	case ast.SequenceType:
		return "a list"
	default:
		return "one value"
	}
}

func keyText(entry *ast.MappingValueNode) string { return entry.Key.GetToken().Value }

// lastOf is the last key of a path, without an index.
func lastOf(path string) string {
	path, _, _ = strings.Cut(path, "[")
	return path[strings.LastIndexByte(path, '.')+1:]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
