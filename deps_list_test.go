package penstock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"
)

// pkg is what `go list -json` tells of a package, in its words.
type pkg struct {
	ImportPath   string
	Name         string
	Imports      []string // of the code
	Deps         []string // of the code, also indirect
	TestImports  []string // of its tests inside the package
	XTestImports []string // of its tests outside the package
}

// list returns every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports,Deps,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []pkg
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := stream.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("decode the output of go list: %v", err)
		}
		packages = append(packages, p)
	}
}
