package verify

import (
	"testing"

	"penstock/sink/redis"
)

// TestHashesOfSomebodyElse: a key that no row has, of a hash without a version, is
// nothing that repair may delete.
func TestHashesOfSomebodyElse(t *testing.T) {
	s := &hashStore{plan: small(t)}
	const version = "00000000000000000009"
	for _, c := range []struct {
		name    string
		found   redis.Found
		foreign bool
	}{
		{"a row's", redis.Found{Key: "small:7", Hash: map[string]string{redis.VersionField: version}}, false},
		{"a row's that lost its version", redis.Found{Key: "small:7", Hash: map[string]string{"v": "x"}}, false},
		{"of no row, but with a version", redis.Found{Key: "small:seven", Hash: map[string]string{redis.VersionField: version}}, false},
		{"of no row, without one", redis.Found{Key: "small:7:notes", Hash: map[string]string{"note": "x"}}, true},
		{"no hash", redis.Found{Key: "small:7", Foreign: true}, true},
	} {
		if e := s.entry(&c.found); e == nil || e.foreign != c.foreign {
			t.Errorf("%s: got %+v, want foreign: %v", c.name, e, c.foreign)
		}
	}
}
