package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// noContent stands for events without content, as in Cassandra.
const noContent = "00000000-0000-0000-0000-000000000000"

func memberOf(join plan.Value) string {
	if join.IsNull() {
		return noContent
	}
	return join.String()
}

// totalKey is the key of the hash of a join value's total.
func (s *Store) totalKey(join plan.Value) string {
	return s.plan.Totals.Prefix + "content:" + memberOf(join)
}

// totalFields are a total's fields and values, alternating.
func totalFields(dst []string, v *totals.Value) []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	bars := make([]string, len(v.Histogram))
	for i, n := range v.Histogram {
		bars[i] = number(n)
	}
	dst = append(dst,
		"events", number(v.Events), "seconds", plan.FormatFloat(v.Seconds()), "pct_count", number(v.Shares), "pct_histogram", strings.Join(bars, ","),
		"unique_users", number(v.Users), "partition", number(int64(v.Partition)), "offset", number(v.Offset))
	if mean, has := v.Mean(); has {
		dst = append(dst, "pct_mean", plan.FormatFloat(mean))
	}
	for kind, events := range v.ByKind {
		dst = append(dst, "events:"+kind, number(events))
	}
	return dst
}

// bucket is a span of the boards: a minute or an hour.
type bucket struct {
	prefix  string // of its keys, behind that of totals
	span    time.Duration
	horizon time.Duration // how long after its end a board may ask for it, and some more
}

// The two kinds of buckets.
//
//nolint:gochecknoglobals // never written
var (
	minuteBucket = bucket{prefix: "board:minute:", span: time.Minute, horizon: 2 * time.Hour}
	hourBucket   = bucket{prefix: "board:hour:", span: time.Hour, horizon: 8 * 24 * time.Hour}
)

// Measure is what a board ranks by.
type Measure string

// The measures.
const (
	ByEvents  Measure = "events"
	BySeconds Measure = "milliseconds"
	ByPct     Measure = "pct" // the mean; 1 is all of it
)

// The sorted sets of a bucket, beside its versions.
const (
	setShareSum = "pct_sum_ppm"
	setShares   = "pct_count"
	hashVersion = "versions"
)

func (s *Store) bucketKey(b bucket, number int64, set string) string {
	return s.plan.Totals.Prefix + b.prefix + strconv.FormatInt(number, 10) + ":" + set
}

// boardScript sets a content's scores in a bucket, false for one that no board asks for any more.
func (s *Store) boardScript(b bucket, number int64, v *totals.Value, m totals.Minute, now time.Time) (rueidis.LuaExec, bool) {
	expires := (number+1)*int64(b.span/time.Second) + int64(b.horizon/time.Second)
	if expires <= now.Unix() {
		return rueidis.LuaExec{}, false
	}
	script := rueidis.LuaExec{Args: []string{formatVersion(v.Version), memberOf(v.Join), strconv.FormatInt(expires, 10)}}
	for _, set := range []string{hashVersion, string(ByEvents), string(BySeconds), setShareSum, setShares} {
		script.Keys = append(script.Keys, s.bucketKey(b, number, set))
	}
	for _, score := range []int64{m.Events, m.Millis, m.ShareSum, m.Shares} {
		script.Args = append(script.Args, strconv.FormatInt(score, 10))
	}
	return script, true
}

// putTotals writes totals: that of a content into its hash, those of its hours into the
// boards. What lies further back than the boards is left out.
func (s *Store) putTotals(ctx context.Context, writes []sink.Write) error {
	now := time.Now()
	var hashes, boards []rueidis.LuaExec
	add := func(script rueidis.LuaExec, asked bool) {
		if asked {
			boards = append(boards, script)
		}
	}
	for i := range writes {
		v := writes[i].Totals
		switch {
		case writes[i].Action != sink.PutTotals:
		case v.Hour == totals.Whole:
			args := []string{formatVersion(v.Version), s.life}
			if v.Events > 0 {
				args = totalFields([]string{formatVersion(v.Version), ""}, v)
			}
			hashes = append(hashes, rueidis.LuaExec{Keys: []string{s.totalKey(v.Join)}, Args: args})
		case v.Join.IsNull(): // boards rank contents
		default:
			add(s.boardScript(hourBucket, v.Hour, v, totals.Minute{Events: v.Events, Millis: v.Millis, Shares: v.Shares, ShareSum: v.ShareSum}, now))
			for minute, sums := range v.Minutes {
				if v.Changed&(1<<minute) != 0 {
					add(s.boardScript(minuteBucket, v.Hour*60+int64(minute), v, sums, now))
				}
			}
		}
	}
	return errors.Join(s.execTotals(ctx, s.guard, hashes), s.execTotals(ctx, s.board, boards))
}

// execTotals runs scripts. What it cannot do is no record's fault, for a total is of many.
func (s *Store) execTotals(ctx context.Context, lua *rueidis.Lua, scripts []rueidis.LuaExec) error {
	for len(scripts) > 0 {
		n := min(len(scripts), maxPipeline)
		if err := s.exec(ctx, lua, scripts[:n]); err != nil {
			if refused, ok := errors.AsType[*sink.RecordError](err); ok {
				return refused.Err
			}
			return err
		}
		scripts = scripts[n:]
	}
	return nil
}

// Refill writes totals again, as they are, such as after Redis has lost them. Older ones
// than are there change nothing. All minutes count as changed. Errors are classed as for [sink.Store].
func (s *Store) Refill(ctx context.Context, values []totals.Value) error {
	writes := make([]sink.Write, len(values))
	for i := range values {
		v := values[i]
		v.Changed = 1<<len(v.Minutes) - 1
		writes[i] = sink.Write{Action: sink.PutTotals, Version: v.Version, Totals: &v}
	}
	return s.putTotals(ctx, writes)
}

// Total is the hash of a content's total as it stands in Redis, and whether there is one.
// NULL is for events without content. Errors are classed as for [sink.Store].
func (s *Store) Total(ctx context.Context, join plan.Value) (hash map[string]string, found bool, err error) {
	key := s.totalKey(join)
	hash, err = s.client.Do(ctx, s.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return nil, false, s.fault("read "+key, err)
	}
	_, deleted := hash[fieldDeleted]
	return hash, !deleted && len(hash) > 0, nil
}

// Window is how far back a board looks.
type Window time.Duration

// The windows. The first two are whole minutes, the other two whole hours; the one that
// now lies in is the last of them, so that a window begins up to a minute, or an
// hour, later than its length before now.
const (
	TenMinutes = Window(10 * time.Minute)
	OneHour    = Window(time.Hour)
	OneDay     = Window(24 * time.Hour)
	OneWeek    = Window(7 * 24 * time.Hour)
)

// buckets are those of the window as of now.
func (w Window) buckets(now time.Time) (b bucket, first, last int64, err error) {
	switch w {
	case TenMinutes, OneHour:
		b = minuteBucket
	case OneDay, OneWeek:
		b = hourBucket
	default:
		return b, 0, 0, &fault.Error{
			Kind: fault.Usage, What: "no board has the window " + time.Duration(w).String(), Fix: "ask for 10 minutes, 1 hour, 24 hours or 7 days",
		}
	}
	last = now.Unix() / int64(b.span/time.Second)
	return b, last + 1 - int64(time.Duration(w)/b.span), last, nil
}

// Begin is when the window as of now begins, and End when its last bucket ends.
func (w Window) Begin(now time.Time) time.Time {
	b, first, _, _ := w.buckets(now)
	return time.Unix(first*int64(b.span/time.Second), 0)
}

// End is when the window's last minute or hour ends.
func (w Window) End(now time.Time) time.Time {
	b, _, last, _ := w.buckets(now)
	return time.Unix((last+1)*int64(b.span/time.Second), 0)
}

// Rank is a content's place on a board.
type Rank struct {
	Content string
	Score   float64 // events; seconds; or the mean share, 1 for all of it
}
