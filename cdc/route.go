package cdc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/record"
	"penstock/schema/shape"
)

// route is where one table's changes go, and as what.
type route struct {
	cfg     *Config
	table   *Table
	topic   topicRef
	letters *letters
	joins   []join

	relation *schema.Relation // the version that the fields below are for
	shape    *shape.Shape
	encoder  format.Encoder
	key      []int // of the relation; nil without a key: what tells rows apart in the input topics

	shaped    *schema.Relation // what leaves the database
	shapedKey []int            // of shaped
	keyLogged bool             // old rows hold the key
	placedBy  []int            // the columns of shaped that choose the partition; none: the key does
	placing   []byte           // the values of them, reused
	floors    []floor          // of the columns of shaped
	usual     int              // how long the last value was that was not large: room for the next

	weighed    *schema.Relation // the version that weighedKey is for
	weighedKey []int            // what the records are keyed by

	before, after schema.Tuple // of the last event, reused for the next
}

// join is a pipeline's input topic that a table's changes also go to.
type join struct {
	topic    topicRef
	pipeline string
	column   string
	index    int // of column in route.relation
}

// fit makes the route one for the event's version of the relation. gone are the columns that
// the table had when the rules were held against it, and that were dropped.
func (rt *route) fit(ctx context.Context, e *schema.Event, gone []string, origin *debezium.Origin) error {
	rel := e.Relation
	var err error
	if rt.shape, err = shape.Compile(rel, rt.table.Rules.Without(gone, rel)); err != nil {
		return unshapable(e, rt.cfg, err)
	}
	rt.shaped, rt.shapedKey, rt.key = rt.shape.Relation(), rt.shape.KeyColumns(), rel.Key
	rt.keyLogged = true
	for _, i := range rt.shapedKey {
		rt.keyLogged = rt.keyLogged && rt.shaped.Columns[i].Identity
	}
	rt.placedBy = rt.shape.PartitionColumns()
	if err := rt.checkHeld(e); err != nil {
		return err
	}
	if len(rt.joins) > 0 && rel.Identity != schema.IdentityFull {
		return unjoinable(e)
	}
	for i := range rt.joins {
		j := &rt.joins[i]
		if j.index = rel.Index(j.column); j.index < 0 {
			return missingColumn(e, j.column, "that pipeline "+j.pipeline+" joins on")
		}
	}
	rt.encoder, err = rt.table.Format.Compile(ctx, format.Table{
		Origin: *origin, Relation: rt.shaped, Columns: rt.shape.RowColumns(), Key: rt.shapedKey,
		Topic: rt.topic.name, Transactions: rt.table.Transactions,
	})
	if err != nil {
		return rt.unformatted(e, err)
	}
	rt.relation, rt.floors = rel, floors(rt.shaped, rt.shape.RowColumns(), rt.table.Format.Kind)
	return nil
}

// tuple shapes a row into memory that is used again; no row image stays none.
func (rt *route) tuple(memory *schema.Tuple, row schema.Tuple) schema.Tuple {
	if row == nil {
		return nil
	}
	*memory = rt.shape.Tuple(*memory, row)
	return *memory
}

// frozen refuses a table that is to keep its columns and key, and has others.
func (r *Router) frozen(e *schema.Event, before, now *record.Relation) error {
	what := fmt.Sprintf("the table has columns (%s) now, it had (%s)", columnList(now), columnList(before))
	if !slices.Equal(before.Key, now.Key) {
		what += fmt.Sprintf("; its key is (%s) now, it was (%s)", strings.Join(now.Key, ", "), strings.Join(before.Key, ", "))
	}
	why := "its records are not to change their schema by themselves"
	if !r.accepted.IsZero() {
		why += "; --accept " + Accept{fault.ShapeChanged, r.accepted}.String() + " is the word for another commit"
	}
	return &fault.Error{
		Kind: fault.Refused, State: fault.ShapeChanged, Where: place(e), What: what, Why: why,
		Fix: "see that its readers can take the new one, then penstock run --accept " + Accept{fault.ShapeChanged, e.Source.CommitLSN}.String(),
	}
}

// columnList names the columns with their types.
func columnList(r *record.Relation) string {
	var list []string
	for i := range r.Columns {
		c := &r.Columns[i]
		typeName := c.Type
		if typeName == "" {
			typeName = "of type " + strconv.FormatUint(uint64(c.OID), 10)
		}
		if c.Mod >= 0 {
			typeName += " with modifier " + strconv.Itoa(int(c.Mod))
		}
		list = append(list, c.Name+" "+typeName)
	}
	return strings.Join(list, ", ")
}

// unformatted refuses a relation that the table's format cannot express.
func (rt *route) unformatted(e *schema.Event, err error) error {
	if _, ok := err.(*fault.Error); ok { //nolint:errorlint // it already says all there is, at the top
		return err
	}
	return &fault.Error{Kind: fault.Refused, Where: place(e), What: fmt.Sprintf("format %s cannot express the table", rt.table.Format.Kind), Err: err,
		Fix: "choose another format for the table, or leave the column out, and start again"}
}

func identityFault(e *schema.Event, want, why, fix string) error {
	return &fault.Error{
		Kind:  fault.Refused,
		Where: place(e),
		What:  fmt.Sprintf("the table has REPLICA IDENTITY %s, want %s", e.Relation.Identity, want),
		Why:   why,
		Fix:   fix,
	}
}

// unjoinable refuses a table of a pipeline whose identity was changed while running.
func unjoinable(e *schema.Event) error {
	return identityFault(e, "REPLICA IDENTITY FULL", "its old rows would not show which join key they leave", fmt.Sprintf(
		"ALTER TABLE %s REPLICA IDENTITY FULL; what was written before it cannot be repaired: recreate the slot and accept the gap, "+
			"or take the table out of the pipeline", quoteTable(e.Relation.Table)))
}

// unheld refuses a change whose old key the log does not have: it may be another than
// the new one.
func unheld(e *schema.Event) error {
	var held []string
	for _, c := range e.Relation.Columns {
		if c.Identity {
			held = append(held, c.Name)
		}
	}
	name := e.Relation.Table.String()
	fix := fmt.Sprintf("name the columns of the replica identity as the key, which later records then have: "+
		"records.tables.%s.key: [%s]", name, strings.Join(held, ", "))
	if len(held) == 0 {
		fix = fmt.Sprintf("skip the updates and deletes of the table: records.tables.%s.skipped.operations", name)
	}
	return identityFault(e, "one that holds the key", "the key that the row had would not be known", fix)
}

func missingColumn(e *schema.Event, column, role string) error {
	return &fault.Error{
		Kind:  fault.Refused,
		Where: place(e),
		What:  fmt.Sprintf("the publication does not send column %s %s", column, role),
		Fix:   "restore the column, or add it to the publication's column list, and start again",
	}
}

// unkeyed refuses a delete of which a format without an envelope says nothing.
func unkeyed(e *schema.Event) error {
	return &fault.Error{
		Kind:  fault.Refused,
		Where: place(e),
		What:  "format json has no record of a delete in a table without a key",
		Why:   "a change may be delivered or refused, but never dropped",
		Fix:   "name the columns of its key, choose another format, or skip its deletes, and start again",
	}
}
