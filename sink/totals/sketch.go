package totals

import (
	"github.com/axiomhq/hyperloglog"
	"github.com/dgryski/go-metro"
)

// Sketch counts different users, by HyperLogLog with 2^14 registers: up to some
// thousand almost exactly, beyond with a standard error of 0.81 %. It cannot forget
// a user. The zero Sketch has none.
type Sketch struct {
	hll *hyperloglog.Sketch
}

// StandardError is that of the estimate of many users, as a fraction.
const StandardError = 0.0081

// hashUser is what [hyperloglog.Sketch.Insert] makes of a user.
func hashUser(user string) uint64 { return metro.Hash64Str(user, 1337) }

func (s *Sketch) add(hash uint64) {
	if s.hll == nil {
		s.hll = hyperloglog.New14()
	}
	s.hll.InsertHash(hash)
}

// Merge adds the users of another sketch as [Sketch.Bytes] has it.
func (s *Sketch) Merge(encoded []byte) error {
	if len(encoded) == 0 {
		return nil
	}
	var other hyperloglog.Sketch
	if err := other.UnmarshalBinary(encoded); err != nil {
		return err
	}
	if s.hll == nil {
		s.hll = &other
		return nil
	}
	return s.hll.Merge(&other)
}

// Users is the estimate.
func (s *Sketch) Users() int64 {
	if s.hll == nil {
		return 0
	}
	return int64(s.hll.Estimate())
}

// Bytes is the sketch as it is kept, nil for no users. The same users have the same
// bytes, in whatever order they came.
func (s *Sketch) Bytes() []byte {
	if s.hll == nil {
		return nil
	}
	_ = s.hll.Estimate()                  // sorts what came last into the rest, after which the form depends on the users alone
	encoded, _ := s.hll.AppendBinary(nil) // fails of a sketch without precision only
	return encoded
}
