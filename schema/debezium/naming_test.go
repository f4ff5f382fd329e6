package debezium_test

import (
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/debezium"
)

// The names are those that Debezium 3.6.1 gives.
func TestTopicName(t *testing.T) {
	for _, c := range []struct {
		name  string
		table schema.TableName
		want  string
	}{
		{"as it is", schema.TableName{Schema: "public", Name: "Orders_1-a"}, "shop.public.Orders_1-a"},
		{"spaces and dots", schema.TableName{Schema: "pu blic", Name: "ord.ers"}, "shop.pu_blic.ord.ers"},
		{"letters, quotes and an emoji", schema.TableName{Schema: "s", Name: "tä\"b😀"}, "shop.s.t__b__"},
		{"too long", schema.TableName{Schema: "s", Name: strings.Repeat("x", 300)}, "shop.s." + strings.Repeat("x", 242)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := debezium.TopicName("shop", c.table); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for got, want := range map[string]string{
		debezium.HeartbeatTopic("shop"):   "__debezium-heartbeat.shop",
		debezium.TransactionTopic("shop"): "shop.transaction",
		debezium.MessageTopic("shop"):     "shop.message",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
