package plan_test

import (
	"math"
	"testing"

	"penstock/sink/plan"
)

func TestFormatFloatPrintsAsPython(t *testing.T) {
	for _, c := range []struct {
		value float64
		want  string
	}{
		{30, "30.0"}, {0, "0.0"}, {-0.5, "-0.5"}, {1800, "1800.0"}, {30.0 / 1800, "0.016666666666666666"}, {0.1, "0.1"},
		{1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {1.5e300, "1.5e+300"}, {0.0001, "0.0001"}, {0.00001, "1e-05"},
		{123456.789, "123456.789"}, {2147483.647, "2147483.647"}, {math.NaN(), "nan"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"},
	} {
		if got := plan.FormatFloat(c.value); got != c.want {
			t.Errorf("%g: got %s, want %s", c.value, got, c.want)
		}
	}
}

func TestFormatTimePrintsAsPython(t *testing.T) {
	for _, c := range []struct {
		micros int64
		want   string
	}{
		{1_756_138_420_436_907, "2025-08-25 16:13:40.436907"},
		{1_756_138_420_000_000, "2025-08-25 16:13:40"},
		{1_756_138_420_400_000, "2025-08-25 16:13:40.400000"},
		{-1, "1969-12-31 23:59:59.999999"},
	} {
		if got := plan.FormatTime(c.micros); got != c.want {
			t.Errorf("%d: got %s, want %s", c.micros, got, c.want)
		}
		if back, err := plan.ParseText(plan.Time, c.want); err != nil || back.Int() != c.micros {
			t.Errorf("%s: read as %d, %v", c.want, back.Int(), err)
		}
	}
}
