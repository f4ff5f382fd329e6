package pgoutput_test

import (
	"fmt"
	"strings"
	"time"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// renderer prints messages one a line. It remembers relations, to name columns.
type renderer struct {
	relations map[uint32]*schema.Relation
	types     map[uint32]string
	xids      map[uint32]int // in order of appearance, from 1

	// portable leaves out what differs between two runs of the same SQL: LSNs,
	// transaction ids, times, and OIDs that the server gave out.
	portable bool
}

func newRenderer(portable bool) *renderer {
	return &renderer{
		relations: map[uint32]*schema.Relation{},
		types:     map[uint32]string{},
		xids:      map[uint32]int{},
		portable:  portable,
	}
}

func (r *renderer) render(message pgoutput.Message) string {
	switch m := message.(type) {
	case *pgoutput.Begin:
		return fmt.Sprintf("begin final_lsn=%s commit_time=%s xid=%s", r.lsn(m.FinalLSN), r.time(m.CommitTime), r.number(m.XID))
	case *pgoutput.Commit:
		return fmt.Sprintf("commit flags=%d commit_lsn=%s end_lsn=%s commit_time=%s",
			m.Flags, r.lsn(m.CommitLSN), r.lsn(m.EndLSN), r.time(m.CommitTime))
	case *pgoutput.Origin:
		return fmt.Sprintf("origin commit_lsn=%s name=%q", m.CommitLSN, m.Name)
	case *pgoutput.Relation:
		r.relations[m.OID] = m.Relation
		return r.relation(m.Relation)
	case *pgoutput.Type:
		r.types[m.OID] = m.Schema + "." + m.Name
		return fmt.Sprintf("type oid=%s name=%s.%s", r.number(m.OID), m.Schema, m.Name)
	case *pgoutput.Insert:
		return fmt.Sprintf("insert %s new=%s", r.table(m.RelationOID), r.tuple(m.RelationOID, m.New))
	case *pgoutput.Update:
		return fmt.Sprintf("update %s %s new=%s", r.table(m.RelationOID),
			r.old(m.RelationOID, m.OldImage, m.Old), r.tuple(m.RelationOID, m.New))
	case *pgoutput.Delete:
		return fmt.Sprintf("delete %s %s", r.table(m.RelationOID), r.old(m.RelationOID, m.OldImage, m.Old))
	case *pgoutput.Truncate:
		return r.truncate(m)
	case *pgoutput.LogicalMessage:
		return fmt.Sprintf("message transactional=%t lsn=%s prefix=%q content=%q",
			m.Transactional, r.lsn(m.LSN), m.Prefix, m.Content)
	case *pgoutput.StreamStart:
		return fmt.Sprintf("stream start xid=%s first=%t", r.xid(m.XID), m.First)
	case *pgoutput.StreamStop:
		return "stream stop"
	case *pgoutput.StreamCommit:
		return fmt.Sprintf("stream commit xid=%s flags=%d commit_lsn=%s end_lsn=%s commit_time=%s",
			r.xid(m.XID), m.Flags, r.lsn(m.CommitLSN), r.lsn(m.EndLSN), r.time(m.CommitTime))
	case *pgoutput.StreamAbort:
		return fmt.Sprintf("stream abort xid=%s subxid=%s", r.xid(m.XID), r.xid(m.SubXID))
	}
	return fmt.Sprintf("no rendering for %T", message)
}

func (r *renderer) relation(rel *schema.Relation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "relation oid=%s name=%s identity=%q columns=[", r.number(rel.OID), rel.Table, rel.Identity)
	for i, column := range rel.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s type=%s mod=%d", column.Name, r.typeName(column.TypeOID), column.TypeMod)
		if column.Identity {
			b.WriteString(" identity")
		}
	}
	b.WriteString("]")
	return b.String()
}

func (r *renderer) truncate(m *pgoutput.Truncate) string {
	names := make([]string, len(m.RelationOIDs))
	for i, oid := range m.RelationOIDs {
		names[i] = r.table(oid)
	}
	return fmt.Sprintf("truncate [%s] cascade=%t restart_identity=%t",
		strings.Join(names, ", "), m.Cascade, m.RestartIdentity)
}

func (r *renderer) old(oid uint32, image pgoutput.Image, tuple schema.Tuple) string {
	switch image {
	case pgoutput.ImageKey:
		return "key=" + r.tuple(oid, tuple)
	case pgoutput.ImageFull:
		return "old=" + r.tuple(oid, tuple)
	}
	return "old=none"
}

// longest is how many bytes of a value are shown.
const longest = 60

func (r *renderer) tuple(oid uint32, tuple schema.Tuple) string {
	var b strings.Builder
	b.WriteString("(")
	for i, value := range tuple {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=", r.relations[oid].Columns[i].Name)
		switch value.Kind {
		case schema.Null:
			b.WriteString("null")
		case schema.Unchanged:
			b.WriteString("unchanged")
		case schema.Text:
			fmt.Fprintf(&b, "%q", value.Data[:min(len(value.Data), longest)])
		case schema.Binary:
			fmt.Fprintf(&b, "x'%x'", value.Data[:min(len(value.Data), longest)])
		}
		if len(value.Data) > longest {
			fmt.Fprintf(&b, "... %d bytes", len(value.Data))
		}
	}
	b.WriteString(")")
	return b.String()
}

func (r *renderer) table(oid uint32) string {
	if rel := r.relations[oid]; rel != nil {
		return rel.Table.String()
	}
	return "unannounced"
}

// firstNormalOID is where the OIDs of what users create begin (FirstNormalObjectId).
const firstNormalOID = 16384

func (r *renderer) typeName(oid uint32) string {
	if name, announced := r.types[oid]; announced {
		return name
	}
	if oid >= firstNormalOID {
		return r.number(oid)
	}
	return fmt.Sprint(oid)
}

func (r *renderer) lsn(l schema.LSN) string {
	if r.portable {
		return "*"
	}
	return l.String()
}

func (r *renderer) number(n uint32) string {
	if r.portable {
		return "*"
	}
	return fmt.Sprint(n)
}

// xid keeps apart the transactions and subtransactions of what is streamed.
func (r *renderer) xid(xid uint32) string {
	if _, known := r.xids[xid]; !known {
		r.xids[xid] = len(r.xids) + 1
	}
	if r.portable {
		return fmt.Sprintf("#%d", r.xids[xid])
	}
	return fmt.Sprint(xid)
}

func (r *renderer) time(micros int64) string {
	if r.portable {
		return "*"
	}
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}
