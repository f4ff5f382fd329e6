package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/schema"
)

// fork is where a timeline ended and the next one of the history began: the log
// below At is common to both, the rest of the old timeline was given up.
type fork struct {
	timeline int32
	at       schema.LSN
}

// history is how a server's timeline came about, oldest fork first. Empty for the
// first timeline.
type history []fork

// parseHistory reads the history file of a timeline as Postgres itself does
// (readTimeLineHistory): a line has a parent timeline, the LSN at which it was
// left, and whatever else; # begins a comment. Timelines rise, and the LSNs do
// not fall.
func parseHistory(timeline int32, content string) (history, error) {
	var h history
	last := fork{}
	number := 0
	for line := range strings.Lines(content) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		f, err := parseFork(fields)
		if err != nil {
			return nil, fmt.Errorf("history of timeline %d, line %d: %w", timeline, number, err)
		}
		if f.timeline <= last.timeline || f.at < last.at || f.timeline >= timeline {
			return nil, fmt.Errorf("history of timeline %d, line %d: timeline %d until %s cannot come after timeline %d until %s",
				timeline, number, f.timeline, f.at, last.timeline, last.at)
		}
		h, last = append(h, f), f
	}
	return h, nil
}

func parseFork(fields []string) (fork, error) {
	timeline, err := strconv.ParseInt(fields[0], 10, 32)
	if err != nil || timeline < 1 {
		return fork{}, fmt.Errorf("%q is not a timeline", fields[0])
	}
	if len(fields) < 2 {
		return fork{}, errors.New("no LSN after the timeline")
	}
	at, err := schema.ParseLSN(fields[1])
	if err != nil {
		return fork{}, err
	}
	return fork{int32(timeline), at}, nil
}

// departure returns why a server on a timeline with this history cannot go on
// from a position, or nothing when everything that Kafka holds up to the position
// is part of that history. Only then does the LSN tell what Kafka has: a new
// timeline uses the LSNs again that the old one had behind the fork.
func (h history) departure(p *schema.Position, timeline int32) (what, why string) {
	switch {
	case p.Timeline == timeline:
		return "", ""
	case p.Timeline > timeline:
		return fmt.Sprintf("the position %s is of timeline %d, the server is on timeline %d", p.EndLSN, p.Timeline, timeline),
			"an old primary has come back: Kafka holds changes of the one that was promoted after it"
	}
	for _, f := range h {
		if f.timeline != p.Timeline {
			continue
		}
		const why = "the server was promoted before it had them: Kafka holds changes that it never got, and it uses their LSNs again"
		if p.EndLSN > f.at {
			return fmt.Sprintf("the position %s lies beyond %s, where timeline %d was left for the server's timeline %d (%d bytes of log)",
				p.EndLSN, f.at, p.Timeline, timeline, p.EndLSN-f.at), why
		}
		if !p.Open.IsZero() && p.Open.FinalLSN >= f.at {
			return fmt.Sprintf("a part of the commit at %s is in Kafka, which lies beyond %s, where timeline %d was left for the server's timeline %d",
				p.Open.FinalLSN, f.at, p.Timeline, timeline), why
		}
		return "", ""
	}
	return fmt.Sprintf("the position %s is of timeline %d, which is not in the history of the server's timeline %d", p.EndLSN, p.Timeline, timeline),
		"the server comes of another one than that which Kafka's changes are from"
}

// readHistory asks a replication connection for the history file of its timeline.
// A server that has it no more gives an empty one.
func readHistory(ctx context.Context, conn *pgconn.PgConn, timeline int32) (string, error) {
	const first, undefinedFile = 1, "58P01"
	if timeline == first {
		return "", nil
	}
	file, err := pglogrepl.TimelineHistory(ctx, conn, timeline)
	if isState(err, undefinedFile) {
		return "", nil
	}
	if err != nil {
		return "", postgresFault(fmt.Sprintf("send the history of timeline %d", timeline), err)
	}
	return string(file.Content), nil
}
