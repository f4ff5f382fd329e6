package penstock_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	maxFile = 400 // lines of a file: one concept fits
	maxFunc = 80  // lines of a function: it fits a screen
	minDocs = 95  // percent of the exported names with a comment
)

// source is one parsed Go file.
type source struct {
	fset *token.FileSet
	file *ast.File
	path string // from the root, with slashes
}

func TestStyle(t *testing.T) {
	packages := map[string][]source{}
	for _, s := range tree(t) {
		packages[s.folder()] = append(packages[s.folder()], s)
		for _, crime := range s.crimes() {
			t.Error(crime)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		if !hasPackageComment(packages[folder]) {
			t.Errorf("%s: no package comment: open with what it is for, then the order to read its files", folder)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	var all, bare []string
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		for _, name := range s.exported() {
			all = append(all, name.at)
			if !name.documented {
				bare = append(bare, name.at)
			}
		}
	}
	if documented := 100 * (len(all) - len(bare)) / len(all); documented < minDocs {
		t.Errorf("%d %% of %d exported names are documented, want %d %%:\n%s", documented, len(all), minDocs, strings.Join(bare, "\n"))
	}
}

// tree parses every Go file of the module.
func tree(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		s, err := parse(filepath.ToSlash(path), nil)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// parse reads the file at path, or text in its place.
func parse(path string, text any) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{fset, file, path}, err
}

func (s source) folder() string { return filepath.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// isForTests is true for tests and for the packages that serve them, as net/http/httptest does.
func (s source) isForTests() bool { return s.isTest() || strings.HasSuffix(s.folder(), "test") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// crimes tells what in the file is not allowed, with the place and the reason.
func (s source) crimes() []string {
	var crimes []string
	complain := func(n ast.Node, format string, args ...any) {
		crimes = append(crimes, s.at(n)+": "+fmt.Sprintf(format, args...))
	}
	if n := s.fset.File(s.file.FileStart).LineCount(); n > maxFile {
		complain(s.file, "%d lines, more than %d: part it by concept", n, maxFile)
	}
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.lines(f); n > maxFunc && !s.isTest() { // a test's cases are data
			complain(f, "%s has %d lines, more than %d: let it read as its steps", f.Name, n, maxFunc)
		}
		if f.Name.Name == "init" && f.Recv == nil {
			complain(f, "func init runs unasked; let who needs it call it")
		}
	}
	inCommand := strings.HasPrefix(s.path, "cmd/")
	mayCut := inCommand || s.isForTests()
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch of := s.called(call); {
		case of == "time.Sleep":
			complain(n, "time.Sleep: wait for what you wait for, or for a timer and the context")
		case (of == "context.Background" || of == "context.TODO") && !mayCut:
			complain(n, "%s cuts the caller's cancellation: take a context, or context.WithoutCancel", of)
		case isSkip(call) && s.isForTests() && s.folder() != "internal/stack/stacktest":
			complain(n, "a test that skips itself vanishes unseen; only stacktest skips, under -short")
		}
		return true
	})
	return crimes
}

// called returns package.Name of a name in another package, with the package's
// own name however the file calls it.
func (s source) called(selector *ast.SelectorExpr) string {
	local, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, spec := range s.file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil && spec.Name.Name == local.Name || spec.Name == nil && name == local.Name {
			return path + "." + selector.Sel.Name
		}
	}
	return ""
}

// isSkip is true for Skip, Skipf and SkipNow of what a test calls its testing.T.
func isSkip(selector *ast.SelectorExpr) bool {
	receiver, ok := selector.X.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, receiver.Name) && strings.HasPrefix(selector.Sel.Name, "Skip")
}

// hasPackageComment is true when one of the files that people read opens with a
// comment; a package of tests only need not have one in the code.
func hasPackageComment(files []source) bool {
	return slices.ContainsFunc(files, func(s source) bool {
		return s.file.Doc != nil && (!s.isTest() || !slices.ContainsFunc(files, func(s source) bool { return !s.isTest() }))
	})
}

// name is an exported name at the top of a file.
type name struct {
	at         string
	documented bool
}

// exported returns functions, methods of exported types, types, constants and
// variables. A group's comment, or one after the name, documents it.
func (s source) exported() []name {
	var names []name
	add := func(id *ast.Ident, comments ...*ast.CommentGroup) {
		if id.IsExported() {
			said := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil })
			names = append(names, name{s.at(id) + ": " + id.Name, said})
		}
	}
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d.Recv.List[0].Type) {
				add(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch one := spec.(type) {
				case *ast.TypeSpec:
					add(one.Name, one.Doc, one.Comment, d.Doc)
				case *ast.ValueSpec:
					for _, id := range one.Names {
						add(id, one.Doc, one.Comment, d.Doc)
					}
				}
			}
		}
	}
	return names
}

func exportedReceiver(e ast.Expr) bool {
	switch t := e.(type) {
	case *ast.StarExpr:
		return exportedReceiver(t.X)
	case *ast.IndexExpr:
		return exportedReceiver(t.X)
	case *ast.IndexListExpr:
		return exportedReceiver(t.X)
	case *ast.Ident:
		return t.IsExported()
	default:
		return false
	}
}

// The rules can be broken: each case breaks one, or none.
func TestStyleIsBrokenBy(t *testing.T) {
	for _, c := range []struct {
		name, path, text string
		want             int
	}{
		{"nothing", "cdc/a.go", "func f(ctx context.Context) { context.WithoutCancel(ctx) }", 0},
		{"a long file", "cdc/a.go", strings.Repeat("\n", maxFile), 1},
		{"a long function", "cdc/a.go", "func f() {" + strings.Repeat("\n", maxFunc) + "}", 1},
		{"a long function in a test", "cdc/a_test.go", "func f() {" + strings.Repeat("\n", maxFunc) + "}", 0},
		{"a long test", "cdc/a_test.go", strings.Repeat("\n", maxFile), 1},
		{"init", "cdc/a.go", "func init() {}", 1},
		{"a method called init", "cdc/a.go", "type a int\nfunc (a) init() {}", 0},
		{"a cut context", "cdc/a.go", "var x = context.Background()", 1},
		{"a cut context handed on as a function", "cdc/a.go", "var x = context.TODO", 1},
		{"a cut context under another name", "cdc/a.go", "var x = other.Background()", 1},
		{"a name that only looks like it", "cdc/a.go", "var context2 a; var x = context2.Background()", 0},
		{"the command's context", "cmd/penstock/main.go", "var x = context.Background()", 0},
		{"a test's context", "cdc/a_test.go", "var x = context.Background()", 0},
		{"the context of a package for tests", "sink/storetest/a.go", "var x = context.Background()", 0},
		{"a sleep", "cdc/a.go", "func f() { time.Sleep(1) }", 1},
		{"a sleep in a test", "cdc/a_test.go", "func f() { time.Sleep(1) }", 1},
		{"a skip", "cdc/a_test.go", `func TestX(t *testing.T) { t.Skip("later") }`, 1},
		{"a skip in a package for tests", "sink/storetest/a.go", `func X(tb testing.TB) { tb.SkipNow() }`, 1},
		{"a skip in stacktest", "internal/stack/stacktest/a.go", `func X(t testing.TB) { t.Skipf("-short") }`, 0},
		{"a skip of bytes", "cdc/a.go", "func f(t reader) { t.Skip(4) }", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(c.path, "package a\nimport (\"context\"; other \"context\"; \"time\"; \"testing\")\n"+c.text)
			if err != nil {
				t.Fatal(err)
			}
			if crimes := s.crimes(); len(crimes) != c.want {
				t.Errorf("got %q, want %d", crimes, c.want)
			}
		})
	}
}

func TestBareNamesAreSeen(t *testing.T) {
	s, err := parse("cdc/a.go", `package a

// Said is documented.
type Said int

type Bare struct{}

func (*Bare) Method() {}
func (said) Hidden() {}
func Function() {}

const (
	// One has a comment.
	One = 1
	Two = 2 // Two has one after it.
	Three = 3
)

// These have one together.
var A, B int
`)
	if err != nil {
		t.Fatal(err)
	}
	var bare []string
	for _, n := range s.exported() {
		if !n.documented {
			bare = append(bare, n.at)
		}
	}
	want := []string{"cdc/a.go:6: Bare", "cdc/a.go:8: Method", "cdc/a.go:10: Function", "cdc/a.go:16: Three"}
	if !slices.Equal(bare, want) {
		t.Errorf("got %q, want %q", bare, want)
	}
}

func TestPackageCommentIsSeen(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"in one of two files", map[string]string{"a/a.go": "// Package a is.\npackage a", "a/b.go": "package a"}, true},
		{"in none", map[string]string{"a/a.go": "package a"}, false},
		{"in the test only", map[string]string{"a/a.go": "package a", "a/a_test.go": "// Package a is.\npackage a_test"}, false},
		{"in a package of tests only", map[string]string{"a/a_test.go": "// Package a is.\npackage a_test"}, true},
		{"apart from the clause", map[string]string{"a/a.go": "// Copyright\n\npackage a"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var files []source
			for path, text := range c.files {
				s, err := parse(path, text)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, s)
			}
			if got := hasPackageComment(files); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
