package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// cassandra makes the tables: those that the pipeline keeps for itself, and the
// result.
func (b *builder) cassandra() {
	p, t := b.plan, b.declared.Cassandra
	switch {
	case t.Table == "":
		b.problem("cassandra.table", "is required", "the result is kept there", "table: keyspace.table")
	case !storeName.MatchString(t.Table), t.Keyspace != "" && !storeName.MatchString(t.Keyspace):
		b.problem("cassandra.table", fmt.Sprintf("%q is no name of a table", strings.TrimPrefix(t.Keyspace+"."+t.Table, ".")),
			"each part is a lower case letter, then lower case letters, digits and _, at most 48", "table: keyspace.table")
	case strings.HasPrefix(t.Table, reserved):
		b.problem("cassandra.table", "names that begin with "+reserved+" are kept for tables that pipelines have for themselves", "", "take another name")
	}
	if t.TTL != 0 && t.TTL < time.Second || t.TTL > maxTTL {
		b.problem("cassandra.ttl", fmt.Sprintf("%s is not a time to live", t.TTL), "Cassandra takes one second to 20 years", "ttl: 2160h, or leave it out")
	}
	view := Table{Keyspace: t.Keyspace, Name: t.Table, TTL: t.TTL, Partition: len(t.Partition), Clustering: len(t.Clustering)}
	if len(t.Partition) == 0 {
		b.problem("cassandra.partition_key", "is required", "Cassandra places rows by it", "partition_key: [column]")
	}
	names := slices.Clone(t.Partition)
	for _, order := range t.Clustering {
		names = append(names, order.Column)
		view.Descending = append(view.Descending, order.Descending)
	}
	var slots []int
	var place Place
	for i, name := range names {
		path := fmt.Sprintf("cassandra.partition_key[%d]", i)
		if i >= len(t.Partition) {
			path = fmt.Sprintf("cassandra.clustering[%d]", i-len(t.Partition))
		}
		if slices.Contains(names[:i], name) {
			b.problem(path, fmt.Sprintf("column %s is named twice", name), "", "take one of the two out")
			continue
		}
		if out, ok := b.keyColumn(path, name); ok {
			slots, place = append(slots, out.slot), append(place, Part{Slot: out.slot})
			view.Columns = append(view.Columns, b.tableColumn(name, out.slot, Plain))
		}
	}
	if len(b.problems) > 0 {
		return
	}
	b.hasKey("cassandra.partition_key", slots)
	for _, out := range b.declared.Columns {
		if !slices.Contains(names, out.Name) {
			view.Columns = append(view.Columns, b.tableColumn(out.Name, b.columns[out.Name].slot, Plain))
		}
	}
	b.internals(t.Keyspace)
	view.Place = p.placeOf(place)
	p.Views = []Table{view}
}

// internals makes the tables that the pipeline keeps for itself.
func (b *builder) internals(keyspace string) {
	p := b.plan
	join, bucket := b.tableColumn("join_key", p.Join, Joined), b.tableColumn("bucket", p.Key[0], Bucket)
	p.History = Table{
		Keyspace: keyspace, Name: reserved + p.Name + "_history", Partition: 2, Clustering: len(p.Key),
		Columns: []TableColumn{join, bucket}, Descending: make([]bool, len(p.Key)),
	}
	place := Place{{Slot: p.Join}} // the bucket is a function of the key
	for _, slot := range p.Key {
		p.History.Columns = append(p.History.Columns, b.sourceColumn(slot))
		place = append(place, Part{Slot: slot})
	}
	for slot := range p.streams {
		if !slices.Contains(p.Key, slot) {
			p.History.Columns = append(p.History.Columns, b.sourceColumn(slot))
		}
	}
	p.History.Place = p.placeOf(place)
	p.Days = Table{
		Keyspace: keyspace, Name: reserved + p.Name + "_buckets", Partition: 1, Clustering: 1, Descending: []bool{false},
		Columns: []TableColumn{join, bucket}, Place: -1,
	}
	p.Lookups = Table{
		Keyspace: keyspace, Name: reserved + p.Name + "_lookup", Partition: 1,
		Columns: []TableColumn{b.tableColumn("join_key", p.lookupJoin, Joined)}, Place: -1,
	}
	for slot := p.streams; slot < p.streams+p.lookups; slot++ {
		p.Lookups.Columns = append(p.Lookups.Columns, b.sourceColumn(slot))
	}
}

// sourceColumn keeps a slot of a source table exactly.
func (b *builder) sourceColumn(slot int) TableColumn {
	_, name, _ := cutSide(b.plan.Slots[slot].Name)
	form := Plain
	if b.plan.Slots[slot].Type == Time {
		form = Micros
	}
	return b.tableColumn("s_"+name, slot, form)
}

func (b *builder) tableColumn(name string, slot int, form Form) TableColumn {
	return TableColumn{Name: name, Part: Part{Slot: slot, Form: form}, Type: b.plan.Slots[slot].Type}
}

// redis makes the hash.
func (b *builder) redis() {
	p, h := b.plan, b.declared.Redis
	if h.Key == "" {
		b.problem("redis.key", "is required", "the current row is kept under it", `key: "orders:{id}"`)
		return
	}
	var slots []int
	var place Place
	before := len(b.problems)
	parts, problem := parseTemplate(h.Key, func(name string) (int, *Problem) {
		out, ok := b.keyColumn("redis.key", name)
		if ok {
			part := Part{Slot: out.slot}
			if p.Slots[out.slot].Type == Time {
				part.Form = Micros // a key has all of its digits
			}
			slots, place = append(slots, out.slot), append(place, part)
		}
		return out.slot, nil
	})
	switch {
	case problem != nil:
		problem.Path = "redis.key"
		b.problems = append(b.problems, problem)
	case len(parts) > 0 && parts[0].Literal == "":
		b.problem("redis.key", "it begins with a column", "a prefix keeps its keys apart from others", `key: "orders:`+h.Key+`"`)
	}
	if len(b.problems) > before {
		return
	}
	b.hasKey("redis.key", slots)
	fields := h.Fields
	if len(fields) == 0 {
		for _, out := range b.declared.Columns {
			fields = append(fields, out.Name)
		}
	}
	for i, name := range fields {
		out, ok := b.columns[name]
		if !ok || slices.Contains(fields[:i], name) {
			b.problem(fmt.Sprintf("redis.fields[%d]", i), fmt.Sprintf("column %q is unknown, or named twice", name), "", "write columns of the result, each once")
			continue
		}
		p.Redis.Fields = append(p.Redis.Fields, Field{Name: name, Slot: out.slot})
	}
	p.Redis.Key, p.Redis.Place = parts, p.placeOf(place)
}

// Tables lists every table of Cassandra that the plan writes.
func (p *Plan) Tables() []*Table {
	all := []*Table{&p.History, &p.Days, &p.Lookups}
	for i := range p.Views {
		all = append(all, &p.Views[i])
	}
	return all
}

// Prefix is what the key of every hash begins with.
func (h *RedisHash) Prefix() string {
	if len(h.Key) == 0 {
		return ""
	}
	return h.Key[0].Literal
}
