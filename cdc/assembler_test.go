package cdc_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/cdc/pgoutput"
	"penstock/schema"
	"penstock/schema/debezium"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the scripts' expected output")

// TestAssemblerScripts plays every script of testdata/assembler: a line that
// starts with "> " is a message, the indented lines below it are what the
// assembler made of it. Of seq=5.2 the first number counts the changes of the
// transaction, the second those of its table.
func TestAssemblerScripts(t *testing.T) {
	paths, err := filepath.Glob("../testdata/assembler/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// play returns the script with the output of this run.
func play(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	a, messages := cdc.NewAssembler(schema.Position{}), false
	for lines := bufio.NewScanner(strings.NewReader(script)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		command, isCommand := strings.CutPrefix(line, "> ")
		if !isCommand {
			continue
		}
		fields := strings.Fields(command)
		switch fields[0] {
		case "position":
			if a = cdc.NewAssembler(position(t, fields[1:])); messages {
				a.TakeMessages()
			}
		case "messages": // become events from here on
			messages = true
			a.TakeMessages()
		case "open":
			fmt.Fprintf(&out, "  %+v\n", a.Open())
		case "marks":
			begin, end := a.Mark(false), a.Mark(true)
			fmt.Fprintf(&out, "  %s\n  %s\n", markJSON(t, &begin), markJSON(t, &end))
		default:
			step, err := perform(t, a, fields)
			render(&out, step, err)
		}
	}
	return out.String()
}

func markJSON(t *testing.T, m *debezium.Boundary) []byte {
	t.Helper()
	e, err := new(format.Format).CompileMarks(t.Context(), "transactions")
	if err != nil {
		t.Fatal(err)
	}
	return e.AppendValue(nil, m)
}

func perform(t *testing.T, a *cdc.Assembler, fields []string) (cdc.Step, error) {
	t.Helper()
	if fields[0] == "keepalive" {
		return a.Keepalive(lsn(t, fields[1]))
	}
	return a.Message(message(t, fields[0], fields[1:]), []byte(strings.Join(fields, " ")))
}

// position reads "end-lsn version" and, when a commit is open, its "final-lsn xid
// n hash".
func position(t *testing.T, args []string) schema.Position {
	t.Helper()
	p := schema.Position{EndLSN: lsn(t, args[0]), Version: number(t, args[1])}
	if open := args[2:]; len(open) > 0 {
		p.Open = schema.OpenCommit{
			FinalLSN: lsn(t, open[0]), XID: uint32(number(t, open[1])), N: uint64(number(t, open[2])), Hash: open[3],
		}
	}
	return p
}

func message(t *testing.T, verb string, args []string) pgoutput.Message {
	t.Helper()
	switch verb {
	case "begin":
		return &pgoutput.Begin{FinalLSN: lsn(t, args[0]), XID: uint32(number(t, args[1])), CommitTime: number(t, args[2])}
	case "commit":
		return &pgoutput.Commit{CommitLSN: lsn(t, args[0]), EndLSN: lsn(t, args[1])}
	case "relation":
		rel := &schema.Relation{
			OID: uint32(number(t, args[0])), Table: schema.TableName{Schema: "public", Name: args[1]},
			Identity: schema.ReplicaIdentity(args[2][0]),
		}
		for i, column := range args[3:] {
			inIdentity := i == 0 || rel.Identity == schema.IdentityFull
			rel.Columns = append(rel.Columns, schema.Column{Name: column, TypeOID: 25, Identity: inIdentity})
		}
		return &pgoutput.Relation{Relation: rel}
	case "insert":
		return &pgoutput.Insert{RelationOID: uint32(number(t, args[0])), New: tuple(args[1])}
	case "update":
		return &pgoutput.Update{RelationOID: uint32(number(t, args[0])), Old: tuple(args[1]), New: tuple(args[2])}
	case "delete":
		return &pgoutput.Delete{RelationOID: uint32(number(t, args[0])), Old: tuple(args[1])}
	case "truncate":
		m := &pgoutput.Truncate{}
		for _, oid := range args {
			m.RelationOIDs = append(m.RelationOIDs, uint32(number(t, oid)))
		}
		return m
	case "message":
		m := &pgoutput.LogicalMessage{Transactional: args[0] == "transactional", LSN: lsn(t, args[1]), Prefix: "prefix"}
		if len(args) > 2 {
			m.Prefix, m.Content = args[2], []byte(strings.Join(args[3:], " "))
		}
		return m
	case "origin":
		return &pgoutput.Origin{Name: args[0], CommitLSN: lsn(t, args[1])}
	}
	t.Fatalf("unknown command %q", verb)
	return nil
}

// tuple reads (a,-,~): text, null, unchanged; "none" is no tuple.
func tuple(s string) schema.Tuple {
	if s == "none" {
		return nil
	}
	var out schema.Tuple
	for v := range strings.SplitSeq(strings.Trim(s, "()"), ",") {
		switch v {
		case "-":
			out = append(out, schema.Value{})
		case "~":
			out = append(out, schema.Value{Kind: schema.Unchanged})
		default:
			out = append(out, schema.Value{Kind: schema.Text, Data: []byte(v)})
		}
	}
	return out
}

func render(out *strings.Builder, step cdc.Step, err error) {
	for _, e := range step.Events {
		if m := e.Message; m != nil {
			fmt.Fprintf(out, "  %c %s=%q transactional=%t", e.Op, m.Prefix, m.Content, m.Transactional)
		} else {
			fmt.Fprintf(out, "  %c %s", e.Op, e.Relation.Table.Name)
		}
		if e.Old != nil {
			fmt.Fprintf(out, " old=%s", renderTuple(e.Old))
		}
		if e.New != nil {
			fmt.Fprintf(out, " new=%s", renderTuple(e.New))
		}
		if e.Source.Origin != "" {
			fmt.Fprintf(out, " origin=%s@%s", e.Source.Origin, e.Source.OriginLSN)
		}
		fmt.Fprintf(out, " commit=%s seq=%d.%d xid=%d version=%d\n", e.Source.CommitLSN, e.Source.Seq, e.Source.TableSeq, e.Source.XID, e.Version)
	}
	if !step.Boundary.IsZero() {
		fmt.Fprintf(out, "  boundary %s\n", step.Boundary)
	}
	if err != nil {
		fmt.Fprintf(out, "  error: %v\n", err)
	}
}

func renderTuple(tuple schema.Tuple) string {
	values := make([]string, len(tuple))
	for i, v := range tuple {
		switch v.Kind {
		case schema.Null:
			values[i] = "-"
		case schema.Unchanged:
			values[i] = "~"
		case schema.Text, schema.Binary:
			values[i] = string(v.Data)
		}
	}
	return "(" + strings.Join(values, ",") + ")"
}

func lsn(t *testing.T, s string) schema.LSN {
	t.Helper()
	v, err := schema.ParseLSN(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
