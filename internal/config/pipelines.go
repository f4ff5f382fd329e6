package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"penstock/schema"
	"penstock/sink/plan"
)

// Pipeline joins the rows of a stream table to those of a lookup table and
// carries the result to the stores.
type Pipeline struct {
	Preset string `yaml:"preset"` // engagement: fills stream and lookup, and says the rest
	Topic  string `yaml:"topic"`  // input topic; default penstock.<pipeline>.input
	Group  string `yaml:"group"`  // consumer group; default penstock.<pipeline>
	Stream Side   `yaml:"stream"`
	Lookup Side   `yaml:"lookup"`

	// Without a preset: the columns of the result, each an expression, and the
	// condition under which a row is part of it.
	Columns map[string]string `yaml:"columns"`
	Filter  string            `yaml:"filter"`

	// Where the result is kept.
	Cassandra Target `yaml:"cassandra"`
	Redis     Hash   `yaml:"redis"`

	// Totals says whether what a preset counts is counted; default true with one.
	Totals bool `yaml:"totals"`

	// RejoinRowsPerSecond is how many stored rows of lookup rows that changed a daemon joins again in a second,
	// beside the batches; 0 is the default, 20000.
	RejoinRowsPerSecond int `yaml:"rejoin_rows_per_second"`

	// OnError is stop or dead-letter: what becomes of a record that the sink cannot
	// process.
	OnError string `yaml:"on_error"`
}

// The policies of Pipeline.OnError.
const (
	OnErrorStop       = "stop"
	OnErrorDeadLetter = "dead-letter"
)

// Target is a pipeline's table in Cassandra. It is created when it does not exist.
type Target struct {
	Table        string        `yaml:"table"`         // keyspace.table, or a table of cassandra.keyspace
	PartitionKey []string      `yaml:"partition_key"` // columns of the result
	Clustering   []string      `yaml:"clustering"`    // columns of the result, each with desc behind it where the order falls
	TTL          time.Duration `yaml:"ttl"`           // how long a row lives after its last write; 0 is for ever
}

// Hash is a pipeline's hash in Redis.
type Hash struct {
	Key    string   `yaml:"key"`    // a template: {column} stands for a column of the result
	Fields []string `yaml:"fields"` // columns of the result; none is all
}

// Declared reports whether the pipeline says itself what it is.
func (p *Pipeline) Declared() bool { return p.Preset == "" }

// hasTables reports whether the pipeline names one of its tables.
func (p *Pipeline) hasTables() bool {
	return p.Stream.Table != schema.TableName{} || p.Lookup.Table != schema.TableName{}
}

// Plan compiles a pipeline. Its problems are also those of [Config.Validate].
func (c *Config) Plan(name string) (*plan.Plan, []*plan.Problem) {
	p := c.Pipelines[name]
	if !p.Declared() {
		made := plan.Engagement(p.Stream.Table, p.Lookup.Table, c.Redis.Prefix+":event:")
		if !p.Totals {
			made.Totals = nil
		}
		return made, nil
	}
	d, problems := p.declaration(name)
	if len(problems) > 0 {
		return nil, problems
	}
	return plan.Compile(d)
}

// Declared returns the columns that a pipeline declares of its two tables, none with
// a preset. Those of a key are never NULL.
func (c *Config) Declared(name string) (stream, lookup []plan.Column) {
	p := c.Pipelines[name]
	d, problems := p.declaration(name)
	if !p.Declared() || len(problems) > 0 {
		return nil, nil
	}
	stream, lookup = d.Stream.Columns, d.Lookup.Columns
	for i := range stream {
		stream[i].NotNull = stream[i].NotNull || slices.Contains(d.Key, stream[i].Name)
	}
	for i := range lookup {
		lookup[i].NotNull = lookup[i].NotNull || lookup[i].Name == d.Lookup.Join
	}
	return stream, lookup
}

// declaration is the pipeline in the words of package plan.
func (p *Pipeline) declaration(name string) (*plan.Declaration, []*plan.Problem) {
	d := &plan.Declaration{
		Name: name, Key: p.Stream.Key, Filter: p.Filter, Redis: plan.Hash{Key: p.Redis.Key, Fields: p.Redis.Fields},
		Cassandra: plan.Target{Table: p.Cassandra.Table, Partition: p.Cassandra.PartitionKey, TTL: p.Cassandra.TTL},
	}
	if keyspace, table, found := strings.Cut(p.Cassandra.Table, "."); found {
		d.Cassandra.Keyspace, d.Cassandra.Table = keyspace, table
	}
	var problems []*plan.Problem
	var more []*plan.Problem
	d.Stream, problems = p.Stream.declaration("stream")
	d.Lookup, more = p.Lookup.declaration("lookup")
	problems = append(problems, more...)
	if len(p.Lookup.Key) > 0 {
		problems = append(problems, &plan.Problem{
			Path: "lookup.key", What: "the lookup table has no key here", Why: "its rows are told apart by its join column", Fix: "leave it out",
		})
	}
	if p.Totals {
		problems = append(problems, &plan.Problem{
			Path: "totals", What: "nothing is counted of a pipeline that is declared", Why: "only a preset says what its rows are worth", Fix: "leave it out",
		})
	}
	for i, text := range p.Cassandra.Clustering {
		order, ok := parseOrder(text)
		if !ok {
			problems = append(problems, &plan.Problem{
				Path: fmt.Sprintf("cassandra.clustering[%d]", i), What: fmt.Sprintf("%q is no column with an order", text), Fix: "write column, column asc or column desc",
			})
		}
		d.Cassandra.Clustering = append(d.Cassandra.Clustering, order)
	}
	for _, column := range slices.Sorted(maps.Keys(p.Columns)) {
		d.Columns = append(d.Columns, plan.Output{Name: column, Expr: p.Columns[column]})
	}
	return d, problems
}

func parseOrder(text string) (plan.Order, bool) {
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > 2 {
		return plan.Order{}, false
	}
	order := plan.Order{Column: words[0]}
	if len(words) == 2 {
		order.Descending = strings.EqualFold(words[1], "desc")
		return order, order.Descending || strings.EqualFold(words[1], "asc")
	}
	return order, true
}

// declaration reads the types of a side's columns.
func (s *Side) declaration(side string) (plan.Side, []*plan.Problem) {
	texts := []string{"text", "varchar", "character varying"} // of the types that are kept as text
	d := plan.Side{Table: s.Table, Join: s.Column}
	var problems []*plan.Problem
	for _, name := range slices.Sorted(maps.Keys(s.Columns)) {
		column, ok := parseColumn(name, s.Columns[name])
		if !ok {
			fix := "write one of " + strings.Join(plan.TypeNames(), ", ") +
				`, with "not null" behind it where the source has it so; text takes any other type as Postgres prints it`
			if meant := Nearest(typeOf(s.Columns[name]), plan.TypeNames()); meant != "" {
				fix = "did you mean " + meant + "? Else " + fix
			}
			problems = append(problems, &plan.Problem{Path: side + ".columns." + name, What: fmt.Sprintf("unknown type %q", s.Columns[name]), Fix: fix})
		}
		if ok && name == s.Column && column.Type == plan.Text && !slices.Contains(texts, typeOf(s.Columns[name])) {
			problems = append(problems, &plan.Problem{
				Path: side + ".column", What: fmt.Sprintf("column %s is %s", name, typeOf(s.Columns[name])),
				Why: "equal values of it may have other texts, by which rows are joined",
				Fix: "join by an integer, a text or a uuid",
			})
		}
		d.Columns = append(d.Columns, column)
	}
	if len(s.Columns) == 0 {
		problems = append(problems, &plan.Problem{
			Path: side + ".columns", What: "is required", Why: "the pipeline has to know the types of the columns that it uses", Fix: "columns: { id: bigint not null }",
		})
	}
	return d, problems
}

// typeOf is the name of a type without what stands behind it.
func typeOf(text string) string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	return strings.TrimSpace(strings.TrimSuffix(text, "not null"))
}

func parseColumn(name, text string) (plan.Column, bool) {
	t, native, ok := plan.ParseType(typeOf(text))
	return plan.Column{Name: name, Type: t, Native: native, NotNull: strings.HasSuffix(strings.ToLower(text), " null")}, ok
}
