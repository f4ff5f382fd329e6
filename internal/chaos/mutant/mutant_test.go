package mutant_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock/internal/chaos/mutant"
)

// TestMutantsCompile applies every mutant to the source as it is, and checks the
// types of each package that it changes.
func TestMutantsCompile(t *testing.T) {
	root := moduleRoot(t)
	deps := compiled(t, root)
	for _, m := range mutant.All() {
		t.Run(m.ID, func(t *testing.T) {
			texts, err := m.Apply(root)
			if err != nil {
				t.Fatal(err)
			}
			changed := map[string]bool{}
			for file := range texts {
				changed[path.Dir(file)] = true
			}
			for folder := range changed {
				if err := check(deps, root, folder, texts); err != nil {
					t.Errorf("package %s does not compile: %v", folder, err)
				}
			}
		})
	}
}

// TestMutantsAreDescribed holds the list to what the harness needs of it.
func TestMutantsAreDescribed(t *testing.T) {
	ids := map[string]bool{}
	for _, m := range mutant.All() {
		if ids[m.ID] || m.Name == "" || m.Broken == "" || m.Incident == "" || len(m.Edits) == 0 || len(m.CaughtBy) == 0 || len(m.Finds) == 0 {
			t.Errorf("mutant %q is there twice, or something of it is missing: %+v", m.ID, m)
		}
		ids[m.ID] = true
	}
	for _, id := range []string{"M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10", "M11", "M12", "M13", "M15"} {
		if !ids[id] {
			t.Errorf("there is no mutant %s", id)
		}
	}
	found, unknown := mutant.Find([]string{"m13", "M99"})
	if len(found) != 1 || found[0].ID != "M13" || !slices.Equal(unknown, []string{"M99"}) {
		t.Errorf("Find m13, M99 = %v, unknown %v", found, unknown)
	}
}

// TestOverlay compiles what an overlay file names.
func TestOverlay(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	put(t, filepath.Join(root, "go.mod"), "module hello\n\ngo 1.26\n")
	put(t, filepath.Join(root, "hello/main.go"), "package main\n\nfunc main() { println(answer) }\n\nconst answer = 42\n")
	m := mutant.Mutant{ID: "M0", Edits: []mutant.Edit{
		{File: "hello/main.go", Old: "answer = 42", New: "answer = 43"},
		{File: "hello/main.go", Old: "= 43", New: "= 54"},
	}}
	overlay, err := m.Overlay(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, "./hello")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "54" {
		t.Errorf("go run -overlay printed %q (%v), want 54", out, err)
	}
}

// TestEditsMustFit wants an error that says what to look for where.
func TestEditsMustFit(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "a.go"), "package a\n\nvar x, y = 1, 1\n")
	for _, c := range []struct {
		name string
		edit mutant.Edit
		want []string
	}{
		{"nothing to replace", mutant.Edit{File: "a.go", Old: "z = 1"}, []string{"M0", "edit 1", "a.go", "0 times", "z = 1"}},
		{"two to replace", mutant.Edit{File: "a.go", Old: "1"}, []string{"M0", "edit 1", "a.go", "2 times"}},
		{"no file", mutant.Edit{File: "b.go", Old: "1"}, []string{"M0", "b.go"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mutant.Mutant{ID: "M0", Edits: []mutant.Edit{c.edit}}.Overlay(root, t.TempDir())
			for _, word := range c.want {
				if !strings.Contains(fmt.Sprint(err), word) {
					t.Errorf("got %v, want %q in it", err, word)
				}
			}
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// compiled finds what the go command has compiled of all that the capture imports.
func compiled(t *testing.T, root string) types.Importer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./cdc/...", "./sink/...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[name] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}

// check parses and type-checks the package in a folder, with texts in the place of
// files.
func check(deps types.Importer, root, folder string, texts map[string]string) error {
	names, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		var text any
		if broken, ok := texts[path.Join(folder, filepath.Base(name))]; ok {
			text = broken
		}
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err = (&types.Config{Importer: deps}).Check("penstock/"+folder, fset, files, nil)
	return err
}
