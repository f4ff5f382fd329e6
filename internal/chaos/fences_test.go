package chaos

import (
	"os"
	"path/filepath"
	"testing"

	"penstock/internal/chaos/proxy"
)

// TestFencesAgainstStreams uses lines as the daemon prints them.
func TestFencesAgainstStreams(t *testing.T) {
	const (
		stream = `{"level":"info","logger":"capture","message":"streaming","slot":"s","lsn":"0/2AC2678"}` + "\n"
		ended  = `{"level":"info","logger":"capture","message":"streaming ended","slot":"s","lsn":"0/5BDDCD8"}` + "\n"
		again  = `{"level":"warn","logger":"capture","message":"waiting, then starting again","error":"e","gives_up_in":"58s"}` + "\n"
	)
	for _, c := range []struct {
		name   string
		log    string
		fences int
		wrong  bool
	}{
		{"each stream has its fence", stream + ended + stream, 2, false},
		{"a standby fences", stream, 2, true},
		{"somebody streams without", stream + stream, 1, true},
		{"a fence for nothing", stream + again + stream, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(log, []byte(c.log), 0o600); err != nil {
				t.Fatal(err)
			}
			f := &fences{seen: map[uint64]bool{}}
			for i := range c.fences {
				f.look(proxy.Request{Connection: uint64(i)})
				f.look(proxy.Request{Connection: uint64(i)}) // asked again
			}
			w := &world{common: &common{witnesses: &witnesses{}}, fences: f}
			w.checkFences([]*Daemon{{log: log}})
			if got := w.kinds[Fence]; got != c.wrong {
				t.Errorf("wrong is %v, want %v: %q", got, c.wrong, w.problems)
			}
		})
	}
}
