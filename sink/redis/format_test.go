package redis

import (
	"math"
	"testing"
)

func TestFormatVersionComparesAsText(t *testing.T) {
	versions := []int64{0, 1, 9, 10, 1_756_138_420_436_907, math.MaxInt64 - 1, math.MaxInt64}
	for i := 1; i < len(versions); i++ {
		if a, b := formatVersion(versions[i-1]), formatVersion(versions[i]); a >= b || len(a) != len(b) {
			t.Errorf("%s is not below %s", a, b)
		}
	}
}
