package chaos

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"penstock/internal/fault"
)

// verifyTimeout is for one run of penstock verify.
const verifyTimeout = 10 * time.Minute

// verified is what penstock verify has said.
type verified struct {
	code int
	text string
}

// verify runs penstock verify while the daemons run.
func (w *common) verify(ctx context.Context) (verified, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	began := time.Now()
	out, err := exec.CommandContext(ctx, w.rig.binary, "verify", "-c", w.daemons[0].config, "--max", "5").CombinedOutput()
	said := verified{text: strings.TrimSpace(string(out))}
	if exit, ended := errors.AsType[*exec.ExitError](err); ended && ctx.Err() == nil {
		said.code, err = exit.ExitCode(), nil
	}
	if err != nil {
		return said, fmt.Errorf("penstock verify: %w: %.2000s", err, said.text)
	}
	w.figure("verify", fmt.Sprintf("%d/%s", said.code, seconds(time.Since(began))))
	return said, nil
}

// holdVerify holds what penstock verify has said against what the judge has found:
// it compares with Postgres, too, but not versions with the records.
func (w *storeWorld) holdVerify(said verified) {
	var differences int64
	for _, l := range w.lanes {
		differences += l.verdict.Rowwise()
	}
	switch {
	case said.code != 0 && said.code != fault.Check.ExitCode():
		w.wrong(Verify, "penstock verify ended with exit code %d:\n%.2000s", said.code, said.text)
	case said.code != 0 && differences == 0:
		w.wrong(Verify, "penstock verify finds differences where there are none:\n%.2000s", said.text)
	case said.code == 0 && differences > 0:
		w.wrong(Verify, "penstock verify finds nothing:\n%.2000s", said.text)
	}
}
