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

// Revision is the short git hash of what the module at root was built from, with a
// plus behind it when the tree holds changes that are not committed, or "unknown".
func Revision(ctx context.Context, root string) string {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	hash, err := git("rev-parse", "--short", "HEAD")
	if err != nil {
		return "unknown"
	}
	if changes, err := git("status", "--porcelain"); err != nil || changes != "" {
		hash += "+"
	}
	return hash
}

// ModuleRoot is the folder of the go.mod that the working directory belongs to.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find go.mod: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
