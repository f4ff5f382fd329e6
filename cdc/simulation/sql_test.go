package simulation_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// The object ids of the types in answers.
const (
	typeBool        = 16
	typeInt8        = 20
	typeInt4        = 23
	typeText        = 25
	typeOID         = 26
	typeTextArray   = 1009
	typeTimestamptz = 1184
)

// column is one column of an answer: its type, and its value in each row as text,
// or nil for null.
type column struct {
	name string
	oid  uint32
}

// answer is a result set.
type answer struct {
	columns []column
	rows    [][][]byte
	tag     string
}

func (a *answer) description() *pgproto3.RowDescription {
	var d pgproto3.RowDescription
	for _, c := range a.columns {
		d.Fields = append(d.Fields, pgproto3.FieldDescription{
			Name: []byte(c.name), DataTypeOID: c.oid, DataTypeSize: -1, TypeModifier: -1,
		})
	}
	return &d
}

// cell is an expression's value.
type cell struct {
	oid  uint32
	text string
	null bool
}

func textCell(s string) cell { return cell{oid: typeText, text: s} }
func boolCell(b bool) cell   { return cell{oid: typeBool, text: strconv.FormatBool(b)[:1]} }

// table makes an answer of rows of cells; sample gives the types when there are none.
func table(sample []cell, rows ...[]cell) answer {
	a := answer{tag: "SELECT " + strconv.Itoa(len(rows))}
	for i, c := range sample {
		a.columns = append(a.columns, column{"c" + strconv.Itoa(i), c.oid})
	}
	for _, cells := range rows {
		var row [][]byte
		for _, c := range cells {
			if c.null {
				row = append(row, nil)
			} else {
				row = append(row, []byte(c.text))
			}
		}
		a.rows = append(a.rows, row)
	}
	return a
}

// answer answers what the capture asks. It knows queries by what they ask for,
// not by their text, so that they may be rewritten; an unknown one is an error.
func (p *postgres) answer(s *session, sql string) (answer, error) {
	lower := strings.ToLower(sql)
	switch {
	case lower == "show wal_level":
		return table([]cell{textCell("")}, []cell{textCell("logical")}), nil
	case lower == "identify_system":
		return p.identify(), nil
	case strings.HasPrefix(lower, "timeline_history"):
		return p.timelineHistory(lower)
	case strings.Contains(lower, "pg_terminate_backend("):
		return p.terminateBackend(sql)
	case strings.Contains(lower, "backend_start") && strings.Contains(lower, "pg_backend_pid()"):
		cells := []cell{textCell(s.started)}
		return table(cells, cells), nil
	case strings.Contains(lower, "from pg_replication_slots"):
		return p.describeSlot(sql)
	case strings.Contains(lower, "json_build_object("):
		return describeRelation(), nil
	case strings.Contains(lower, "as sent"):
		return joinColumns(), nil
	case strings.Contains(lower, "attgenerated"):
		return table([]cell{textCell(""), textCell(""), textCell(""), boolCell(false), boolCell(false), boolCell(false)}), nil
	case strings.Contains(lower, "with ordinality k(attnum, ord)"):
		return table([]cell{textCell(""), textCell(""), textCell(""), textCell(""), boolCell(false), boolCell(false)}), nil
	case strings.Contains(lower, "relreplident"):
		return describeTable(sql), nil
	case strings.Contains(lower, "pg_partition_tree("):
		return table([]cell{textCell(""), textCell("")}), nil
	case strings.Contains(lower, "pg_identify_object_as_address("):
		cells := []cell{{oid: typeOID, text: "1"}, boolCell(true), {oid: typeOID, text: "0"}, textCell(""), textCell("")}
		return table(cells, cells), nil
	case strings.Contains(lower, "sum(oid::bigint)"):
		return table([]cell{textCell("3 7")}, []cell{textCell("3 7")}), nil
	case strings.Contains(lower, "from pg_publication_tables"):
		return p.publicationTables(), nil
	case strings.Contains(lower, "from pg_publication"):
		return p.publication(sql)
	case strings.HasPrefix(lower, "create publication"):
		return p.createPublication(), nil
	case strings.Contains(lower, "pg_create_logical_replication_slot("):
		return p.createSlot(), nil
	case strings.Contains(lower, "pg_logical_emit_message("):
		end := p.wal.emit("penstock", "")
		return table([]cell{textCell("")}, []cell{textCell(end.String())}), nil
	case lower == "" || strings.HasPrefix(lower, "set ") || strings.HasPrefix(lower, "--"):
		return answer{tag: "SET"}, nil
	}
	return p.scalars(sql)
}

// identify answers IDENTIFY_SYSTEM.
func (p *postgres) identify() answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	cells := []cell{
		textCell(systemID), {oid: typeInt4, text: strconv.Itoa(int(p.timeline))}, textCell(p.wal.flushed().String()), textCell(databaseName),
	}
	return table(cells, cells)
}

// timelineHistory answers with the file that the server has on its disk.
func (p *postgres) timelineHistory(sql string) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	timeline, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(sql, "timeline_history")))
	if err != nil || timeline < 2 || timeline > int(p.timeline) {
		return answer{}, sqlError("58P01", "could not open file of timeline %q", sql)
	}
	var file strings.Builder
	for _, s := range p.history[:timeline-1] {
		fmt.Fprintf(&file, "%d\t%s\tno recovery target specified\n", s.timeline, s.at)
	}
	cells := []cell{textCell(fmt.Sprintf("%08X.history", timeline)), {oid: 17, text: file.String()}}
	return table(cells, cells), nil
}

// describeSlot answers a SELECT over pg_replication_slots expression by expression.
func (p *postgres) describeSlot(sql string) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cells []cell
	for _, e := range selected(sql) {
		c, err := p.slotColumn(e)
		if err != nil {
			return answer{}, err
		}
		cells = append(cells, c)
	}
	if p.slot == nil || p.slot.holder == nil && strings.Contains(strings.ToLower(sql), "active_pid is not null") {
		return table(cells), nil
	}
	return table(cells, cells), nil
}

// slotColumn evaluates an expression over the slot, by the column that it is of.
// Without a slot only the type counts. The caller holds mu.
func (p *postgres) slotColumn(e string) (cell, error) {
	var slot replicationSlot
	if p.slot != nil {
		slot = *p.slot
	}
	var holder session
	if slot.holder != nil {
		holder = *slot.holder
	}
	switch {
	case strings.Contains(e, "restart_lsn") && strings.Contains(e, "log_end"),
		strings.Contains(e, "confirmed_flush_lsn") && strings.Contains(e, "log_end"):
		return cell{oid: typeInt8, text: strconv.FormatUint(uint64(p.wal.flushed()-slot.confirmed), 10)}, nil
	case strings.Contains(e, "confirmed_flush_lsn"), strings.Contains(e, "restart_lsn"):
		return textCell(slot.confirmed.String()), nil
	case strings.Contains(e, "slot_name"):
		return textCell(slotName), nil
	case strings.Contains(e, "plugin"):
		return textCell("pgoutput"), nil
	case strings.Contains(e, "active_pid"):
		return cell{oid: typeInt4, text: strconv.Itoa(int(holder.pid)), null: slot.holder == nil && !strings.Contains(e, "coalesce")}, nil
	case strings.Contains(e, "backend_start"):
		return textCell(holder.started), nil
	case strings.Contains(e, "pid is not null"):
		return boolCell(slot.holder != nil), nil
	case strings.Contains(e, "application_name"), strings.Contains(e, "client_addr"):
		return textCell("sim"), nil
	case strings.Contains(e, "wal_status") && slot.lost:
		return textCell("lost"), nil
	case strings.Contains(e, "wal_status"):
		return textCell("reserved"), nil
	case strings.Contains(e, "safe_wal_size"):
		return cell{oid: typeInt8, null: true}, nil
	case strings.Contains(e, "inactive_since"):
		return cell{oid: typeTimestamptz, null: true}, nil
	case strings.Contains(e, "invalidation_reason") && slot.lost:
		return textCell("wal_removed"), nil
	case strings.Contains(e, "invalidation_reason"):
		return textCell(""), nil
	case strings.Contains(e, "failover"), strings.Contains(e, "synced"), strings.Contains(e, "temporary"), strings.Contains(e, "two_phase"):
		return boolCell(false), nil
	case strings.Contains(e, "active"):
		return boolCell(slot.holder != nil), nil
	}
	return p.scalar(e)
}

// scalar evaluates an expression over the server. The caller holds mu.
func (p *postgres) scalar(e string) (cell, error) {
	switch {
	case strings.Contains(e, "wal_level"):
		return textCell("logical"), nil
	case strings.Contains(e, "database"):
		return textCell(databaseName), nil
	case strings.Contains(e, "pg_current_wal"), strings.Contains(e, "wal_lsn"):
		return textCell(p.wal.flushed().String()), nil
	case strings.Contains(e, "pg_is_in_recovery"):
		return boolCell(false), nil
	case strings.Contains(e, "server_version_num"):
		return cell{oid: typeInt4, text: "180006"}, nil
	case strings.Contains(e, "timeline"):
		return cell{oid: typeInt4, text: strconv.Itoa(int(p.timeline))}, nil
	}
	return cell{}, fmt.Errorf("expression %q", e)
}

// scalars answers a SELECT without a table.
func (p *postgres) scalars(sql string) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cells []cell
	for _, e := range selected(sql) {
		c, err := p.scalar(e)
		if err != nil {
			return answer{}, err
		}
		cells = append(cells, c)
	}
	if len(cells) == 0 {
		return answer{}, errors.New("statement")
	}
	return table(cells, cells), nil
}

// selected parts what stands between SELECT and FROM at its commas.
func selected(sql string) []string {
	lower := strings.ToLower(sql)
	if !strings.HasPrefix(lower, "select ") && !strings.HasPrefix(lower, "show ") {
		return nil
	}
	_, list, _ := strings.Cut(lower, " ")
	depth, from := 0, 0
	var parts []string
	for i := range len(list) {
		switch {
		case list[i] == '(':
			depth++
		case list[i] == ')':
			depth--
		case depth == 0 && list[i] == ',':
			parts = append(parts, strings.TrimSpace(list[from:i]))
			from = i + 1
		case depth == 0 && strings.HasPrefix(list[i:], " from "):
			return append(parts, strings.TrimSpace(list[from:i]))
		}
	}
	return append(parts, strings.TrimSpace(list[from:]))
}

// describeTable answers with a table's replica identity and primary key.
func describeTable(sql string) answer {
	identity := "f"
	if strings.Contains(sql, "'"+tableNote+"'") {
		identity = "d"
	}
	cells := []cell{textCell(identity), boolCell(true), boolCell(true), boolCell(true)}
	return table(cells, cells)
}

// describeRelation answers the question for what the log does not say of a
// relation: a key, and no more.
func describeRelation() answer {
	cells := []cell{textCell(`{"indexes": [{"primary": true, "columns": ["id"]}]}`)}
	return table(cells, cells)
}

// joinColumns answers the question for the columns that are sent: those that are joined.
func joinColumns() answer {
	row := func(table, column string) []cell {
		return []cell{
			textCell("public"), textCell(table), {oid: typeOID, text: strconv.FormatUint(uint64(oid(table)), 10)}, textCell("f"), textCell(column),
			{oid: typeOID, text: "25"}, {oid: typeInt4, text: "-1"}, boolCell(true), boolCell(false), boolCell(true),
		}
	}
	rows := [][]cell{row(tableContent, "id"), row(tableEvent, "content_id")}
	return table(rows[0], rows...)
}

func (p *postgres) publicationTables() answer {
	columns := cell{oid: typeTextArray, text: "{id}"}
	sample := []cell{textCell(""), textCell(""), columns}
	var rows [][]cell
	for _, t := range []string{tableContent, tableEvent, tableNote} {
		rows = append(rows, []cell{textCell("public"), textCell(t), columns})
	}
	return table(sample, rows...)
}

// publication answers a SELECT over pg_publication.
func (p *postgres) publication(sql string) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cells []cell
	for _, e := range selected(sql) {
		if strings.Contains(e, "xmin") {
			cells = append(cells, textCell("7"))
			continue
		}
		cells = append(cells, boolCell(!strings.Contains(e, "alltables")))
	}
	if !p.published {
		return table(cells), nil
	}
	return table(cells, cells), nil
}

func (p *postgres) createPublication() answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published = true
	return answer{tag: "CREATE PUBLICATION"}
}

func (p *postgres) createSlot() answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.wal.flushed()
	p.slot, p.created = &replicationSlot{confirmed: at, saved: at}, at
	cells := []cell{textCell(at.String())}
	return table(cells, cells)
}

// whom is the process that pg_terminate_backend is asked to end.
var whom = regexp.MustCompile(`active_pid = (\d+) .*backend_start.* = '([^']+)'`)

func (p *postgres) terminateBackend(sql string) (answer, error) {
	match := whom.FindStringSubmatch(sql)
	if match == nil {
		return answer{}, errors.New("whom to terminate")
	}
	pid, err := strconv.ParseUint(match[1], 10, 32)
	if err != nil {
		return answer{}, err
	}
	cells := []cell{boolCell(true)}
	if !p.terminate(uint32(pid), match[2]) {
		return table(cells), nil
	}
	return table(cells, cells), nil
}
