package cdc_test

import (
	"testing"

	"penstock/internal/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }
