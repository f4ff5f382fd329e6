package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles the daemon with its failpoints into dir and returns the path.
// root is a folder of the module. overlay, when not empty, is a file as `go build
// -overlay` takes it: other text in the place of some of the source.
func Build(ctx context.Context, root, dir, name, overlay string) (string, error) {
	path := filepath.Join(dir, name)
	args := []string{"build", "-tags", "failpoint", "-o", path}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "penstock/cmd/penstock")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w:\n%s", name, err, out)
	}
	return path, nil
}

// ModuleRoot is the folder of the go.mod that the working directory belongs to.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find go.mod: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
