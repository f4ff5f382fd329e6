package chaos

import (
	"fmt"

	"penstock/internal/chaos/stores"
)

// storeConfig has two pipelines: the preset, and that of docs/pipelines.md.
const storeConfig = `source:
  dsn: %[1]q
  slot: %[2]s
  publication: engagement
  tables: [public.content, public.engagement_events, shop.orders, shop.customers]
  heartbeat: 1s
kafka:
  brokers: [%[3]s]
  partitions: 12
  topics: { public.content: %[2]s.content, public.engagement_events: %[2]s.engagement_events }
  position_topic: %[2]s.position
  transaction_topic: %[2]s.transactions
  dead_letter_topic: %[2]s.dead-letters
  transaction: { records: 2000, age: 100ms, idle: 1s, split_age: 5s, timeout: 10s }
pipelines:
  engagement_metrics: { preset: engagement, topic: %[4]s, group: %[4]s.group, on_error: %[6]s }
  orders:
    topic: %[5]s
    group: %[5]s.group
    on_error: %[6]s
    stream:
      table: shop.orders
      column: customer_id
      key: [region, number]
      columns:
        region: text not null
        number: bigint not null
        customer_id: integer
        placed_at: timestamptz not null
        quantity: integer
        price: double precision
        status: text not null
    lookup:
      table: shop.customers
      column: id
      columns: { id: integer not null, name: text not null, tier: text, discount: real, blocked: boolean not null }
    columns:
      region: stream.region
      number: stream.number
      day: day(stream.placed_at)
      placed_at: stream.placed_at
      placed_us: micros(stream.placed_at)
      customer: lookup.name
      tier: upper(lookup.tier ?? "none")
      status: stream.status
      unit_price: stream.price / stream.quantity
      total: stream.quantity * stream.price * (1 - coalesce(lookup.discount, 0))
      large: stream.quantity * stream.price > 1000
    filter: stream.status != "draft" and not (lookup.blocked ?? false)
    cassandra:
      table: %[2]s.orders_by_region
      partition_key: [region, day]
      clustering: [placed_at desc, number]
    redis:
      key: "%[2]s:order:{region}:{number}"
      fields: [customer, tier, status, total, placed_at]
records: { format: text }
cassandra: { hosts: [%[7]q], username: cassandra, password: cassandra, keyspace: %[2]s }
redis: { address: %[8]q, prefix: %[2]s }
wait: 10m
log: { format: json }
`

func (w *storeWorld) yaml(link *link) (string, error) {
	dsn, err := withAddress(w.source.dsn, link.Addr())
	if err != nil {
		return "", err
	}
	link.shiftClock(w.tuning.clock)
	return fmt.Sprintf(storeConfig, dsn, w.name, w.rig.kafka.Address(), w.topic(stores.Engagement().Name), w.topic(stores.Orders().Name),
		w.tuning.onError, w.rig.cassandra.Address(), w.rig.redis.Address()), nil
}

// storeTarget is where the judge finds the stores.
func (w *storeWorld) storeTarget() stores.Target {
	return stores.Target{
		DSN: w.source.dsn, Hosts: []string{w.rig.cassandra.Address()}, Username: "cassandra", Password: "cassandra", Keyspace: w.name,
		Redis:    w.rig.redis.Address(),
		Prefixes: map[string]string{stores.Engagement().Name: w.name + ":event:", stores.Orders().Name: w.name + ":order:"},
	}
}
