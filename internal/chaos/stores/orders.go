package stores

// The fields of an order, joined with its customer.
const (
	oID       = iota // region and number, as a hash's key has them
	oCustomer        // customer_id
	oJoin            // customer_id, as the history has it
	oRegion
	oNumber
	oDay
	oMillis
	oMicros
	oTime // placed_at, as the hashes have it
	oQuantity
	oPrice
	oStatus
	oName
	oTier
	oUnitPrice
	oTotal
	oLarge
	orderFields
)

// The fields of a customer.
const (
	uID = iota
	uJoin
	uName
	uTier
	uDiscount
	uBlocked
	customerFields
)

// orderTruth is every order; orderResult is those that pass the filter.
const (
	orderTruth = `
	WITH joined AS (
		SELECT o.*, c.name, upper(coalesce(c.tier, 'none')) AS tier, o.price / nullif(o.quantity, 0) AS unit_price,
			o.quantity * o.price * (1 - coalesce(c.discount, 0)) AS total, coalesce(c.blocked, false) AS blocked
		FROM shop.orders o LEFT JOIN shop.customers c ON c.id = o.customer_id)
	SELECT replace(replace(region, '%', '%25'), ':', '%3A') || ':' || number, customer_id::text, coalesce('=' || customer_id, '-'), region, number::text,
		to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), floor(extract(epoch FROM placed_at) * 1000)::bigint::text,
		(extract(epoch FROM placed_at) * 1000000)::bigint::text,
		to_char(placed_at AT TIME ZONE 'UTC', CASE WHEN extract(microseconds FROM placed_at)::bigint % 1000000 = 0
			THEN 'YYYY-MM-DD HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI:SS.US' END),
		quantity::text, CASE WHEN price = trunc(price) THEN price::text || '.0' ELSE price::text END, status, name, tier,
		CASE WHEN unit_price = trunc(unit_price) THEN unit_price::text || '.0' ELSE unit_price::text END,
		CASE WHEN total = trunc(total) THEN total::text || '.0' ELSE total::text END,
		(quantity * price > 1000)::text
	FROM joined`
	orderResult   = orderTruth + ` WHERE status <> 'draft' AND NOT blocked`
	customerTruth = `
	SELECT id::text, '=' || id, name, tier, CASE WHEN discount = trunc(discount) THEN discount::float8::text || '.0' ELSE discount::float8::text END, blocked::text
	FROM shop.customers`
)

// Orders is the pipeline of docs/pipelines.md, whose filter asks the lookup table.
func Orders() Pipeline {
	view := table{"orders_by_region", orderFields, oID, []column{
		{"region", oRegion, asText, true}, {"day", oDay, asText, true}, {"placed_at", oMillis, asMillis, true}, {"number", oNumber, asBigint, true},
		{"placed_us", oMicros, asBigint, false}, {"customer", oName, asText, false}, {"tier", oTier, asText, false}, {"status", oStatus, asText, false},
		{"unit_price", oUnitPrice, asDouble, false}, {"total", oTotal, asDouble, false}, {"large", oLarge, asBool, false},
	}, []int{oRegion, oNumber}}
	history := table{"penstock_orders_history", orderFields, oID, []column{
		{"join_key", oJoin, asText, true}, {"s_region", oRegion, asText, true}, {"s_number", oNumber, asBigint, true},
		{"s_customer_id", oCustomer, asBigint, false}, {"s_placed_at", oMicros, asBigint, false}, {"s_quantity", oQuantity, asBigint, false},
		{"s_price", oPrice, asDouble, false}, {"s_status", oStatus, asText, false},
	}, []int{oRegion, oNumber}}
	lookups := table{"penstock_orders_lookup", customerFields, uID, []column{
		{"join_key", uJoin, asText, true}, {"s_id", uID, asBigint, false}, {"s_name", uName, asText, false}, {"s_tier", uTier, asText, false},
		{"s_discount", uDiscount, asDouble, false}, {"s_blocked", uBlocked, asBool, false},
	}, nil}
	return Pipeline{
		Name:    "orders",
		sources: map[string]side{"orders": stream, "customers": lookup},
		keys:    [2][]string{{"region", "number"}, {"id"}},
		kept: []kept{
			{view, orderResult, oCustomer, stream}, {history, orderTruth, oCustomer, stream}, {lookups, customerTruth, -1, lookup},
		},
		redis: hashes{orderResult, oCustomer, map[string]int{
			"customer": oName, "tier": oTier, "status": oStatus, "total": oTotal, "placed_at": oTime,
		}, orderFields},
	}
}
