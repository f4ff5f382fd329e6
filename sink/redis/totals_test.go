package redis_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/redis"
	"penstock/sink/storetest"
	"penstock/sink/totals"
)

// counting is a store whose totals can be read: hours by the board's bucket of them.
type counting struct {
	*redis.Store

	raw    rueidis.Client
	prefix string
}

func (c counting) ReadTotal(ctx context.Context, id totals.ID) (events, millis int64, found bool, err error) {
	if id.Hour == totals.Whole {
		hash, found, err := c.Total(ctx, id.Join)
		if err != nil || !found {
			return 0, 0, false, err
		}
		seconds, _ := strconv.ParseFloat(hash["seconds"], 64)
		events, err = strconv.ParseInt(hash["events"], 10, 64)
		return events, int64(seconds*1000 + 0.5), true, err
	}
	score := func(set string) float64 {
		key := c.prefix + "board:hour:" + strconv.FormatInt(id.Hour, 10) + ":" + set
		n, failed := c.raw.Do(ctx, c.raw.B().Zscore().Key(key).Member(id.Join.String()).Build()).AsFloat64()
		if found = failed == nil; failed != nil && !rueidis.IsRedisNil(failed) {
			err = failed
		}
		return n
	}
	return int64(score("events")), int64(score("milliseconds")), found, err
}

// openCounting returns an empty store with a client that looks into it.
func openCounting(t *testing.T) counting {
	t.Helper()
	return openCountingAt(t, stacktest.Prefix(t))
}

func openCountingAt(t *testing.T, prefix string) counting {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Config{Address: stacktest.Servers(t).Redis.Address, Plan: storetest.Engagement(prefix).Plan}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{stacktest.Servers(t).Redis.Address}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return counting{Store: s, raw: client, prefix: prefix}
}

func TestTotalsConformance(t *testing.T) {
	prefix, opened := stacktest.Prefix(t), 0
	storetest.ExerciseTotals(t, time.Now().Unix()/3600, func(t *testing.T) storetest.TotalsSubject {
		t.Helper()
		opened++ // an empty part of the test's keys for each case
		return openCountingAt(t, prefix+strconv.Itoa(opened)+":")
	})
}

func TestHashOfATotal(t *testing.T) {
	s := openCounting(t)
	write := storetest.Total(1, totals.Whole, 42)
	none := storetest.Total(2, totals.Whole, 7)
	none.Totals.Join = plan.Value{}
	if err := s.Apply(t.Context(), []sink.Write{write, none}); err != nil {
		t.Fatal(err)
	}
	got, found, err := s.Total(t.Context(), write.Totals.Join)
	want := map[string]string{
		"events": "42", "events:play": "42", "seconds": "0.084", "pct_count": "2", "pct_mean": "0.75", "pct_histogram": "0,0,0,0,0,1,0,0,0,0,1",
		"unique_users": "7", "partition": "3", "offset": "42", "_v": "00000000000000000042",
	}
	if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
		t.Errorf("%v, %v (-want +got):\n%s", found, err, diff)
	}
	if got, _, err := s.Total(t.Context(), plan.Value{}); err != nil || got["events"] != "7" {
		t.Errorf("events without content: got %v, %v", got, err)
	}
}

// at is a total of an hour with one event of a content in some minutes, and what it scores.
func at(n byte, minutes map[time.Time]totals.Minute, version int64) []sink.Write {
	hours := make(map[int64]*totals.Value)
	for minute, m := range minutes {
		hour := minute.Unix() / 3600
		v := hours[hour]
		if v == nil {
			v = &totals.Value{ID: totals.ID{Join: engagement.JoinOf(storetest.ContentID(n)), Hour: hour}, Version: version, Changed: 1<<60 - 1}
			hours[hour] = v
		}
		v.Minutes[minute.Unix()/60%60] = m
		v.Events += m.Events
		v.Millis += m.Millis
		v.Shares += m.Shares
		v.ShareSum += m.ShareSum
	}
	var writes []sink.Write
	for _, v := range hours {
		writes = append(writes, sink.Write{Action: sink.PutTotals, Version: version, Totals: v})
	}
	return writes
}

func TestBoards(t *testing.T) {
	s := openCounting(t)
	now := time.Now().Truncate(time.Minute)
	one, two, three := storetest.ContentID(1).String(), storetest.ContentID(2).String(), storetest.ContentID(3).String()
	var writes []sink.Write
	writes = append(writes, at(1, map[time.Time]totals.Minute{
		now:                        {Events: 1, Millis: 1500, Shares: 1, ShareSum: 900_000},
		now.Add(-9 * time.Minute):  {Events: 2, Millis: 1000},
		now.Add(-10 * time.Minute): {Events: 4, Millis: 1000, Shares: 1, ShareSum: 100_000},
		now.Add(-59 * time.Minute): {Events: 8, Millis: 1000},
	}, 5)...)
	writes = append(writes, at(2, map[time.Time]totals.Minute{
		now:                        {Events: 3, Millis: 500, Shares: 2, ShareSum: 1_000_000},
		now.Add(-60 * time.Minute): {Events: 100, Millis: 1},
	}, 5)...)
	writes = append(writes, at(3, map[time.Time]totals.Minute{
		now.Add(-23 * time.Hour):      {Events: 1000, Millis: 9},
		now.Add(-24 * time.Hour):      {Events: 500, Millis: 1},
		now.Add(-167 * time.Hour):     {Events: 1, Millis: 1},
		now.Add(-168 * time.Hour):     {Events: 7, Millis: 7},
		now.Add(-20 * 24 * time.Hour): {Events: 7, Millis: 7}, // beyond every board
	}, 5)...)
	for range 2 { // again: absolute values
		if err := s.Apply(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		window redis.Window
		by     redis.Measure
		want   []redis.Rank
	}{
		{redis.TenMinutes, redis.ByEvents, []redis.Rank{{one, 3}, {two, 3}}},
		{redis.TenMinutes, redis.BySeconds, []redis.Rank{{one, 2.5}, {two, 0.5}}},
		{redis.TenMinutes, redis.ByPct, []redis.Rank{{one, 0.9}, {two, 0.5}}},
		{redis.OneHour, redis.ByEvents, []redis.Rank{{one, 15}, {two, 3}}},
		{redis.OneHour, redis.ByPct, []redis.Rank{{one, 0.5}, {two, 0.5}}},
		{redis.OneDay, redis.ByEvents, []redis.Rank{{three, 1000}, {two, 103}, {one, 15}}},
		{redis.OneWeek, redis.ByEvents, []redis.Rank{{three, 1501}, {two, 103}, {one, 15}}},
	} {
		got, err := s.Board(t.Context(), c.window, c.by, 10, now.Add(59*time.Second))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%v by %s: %v (-want +got):\n%s", time.Duration(c.window), c.by, err, diff)
		}
	}
	if got, err := s.Board(t.Context(), redis.OneWeek, redis.ByEvents, 1, now); err != nil || len(got) != 1 || got[0].Content != three {
		t.Errorf("the first: got %v, %v", got, err)
	}
	if _, err := s.Board(t.Context(), redis.Window(time.Minute), redis.ByEvents, 1, now); fault.KindOf(err) != fault.Usage {
		t.Errorf("a window that no board has: got %v", err)
	}
	// What leaves the hour leaves the boards.
	if err := s.Apply(t.Context(), at(2, map[time.Time]totals.Minute{now: {}, now.Add(-60 * time.Minute): {Events: 100, Millis: 1}}, 6)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Board(t.Context(), redis.OneHour, redis.ByEvents, 10, now); err != nil || len(got) != 1 {
		t.Errorf("after it left: got %v, %v", got, err)
	}
}

// TestBucketsExpire behind the window that asks for them, and what is older is not written.
func TestBucketsExpire(t *testing.T) {
	s := openCounting(t)
	now := time.Now().Truncate(time.Hour)
	old := now.Add(-3 * time.Hour)
	if err := s.Apply(t.Context(), at(1, map[time.Time]totals.Minute{now: {Events: 1}, old: {Events: 1}}, 5)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  string
		want int64 // seconds since the epoch; -2 for no key
	}{
		{"board:minute:" + strconv.FormatInt(now.Unix()/60, 10), now.Unix() + 60 + 2*3600},
		{"board:minute:" + strconv.FormatInt(old.Unix()/60, 10), -2},
		{"board:hour:" + strconv.FormatInt(old.Unix()/3600, 10), old.Unix() + 3600 + 8*86400},
	} {
		for _, set := range []string{":events", ":versions"} {
			left, err := s.raw.Do(t.Context(), s.raw.B().Pttl().Key(s.prefix+c.key+set).Build()).AsInt64()
			if err != nil {
				t.Fatal(err)
			}
			if c.want < 0 {
				if left != c.want {
					t.Errorf("%s: got %d, want no key", c.key, left)
				}
				continue
			}
			if off := time.Until(time.Unix(c.want, 0)).Milliseconds() - left; off < -2000 || off > 2000 {
				t.Errorf("%s: expires %d ms from where it should", c.key, off)
			}
		}
	}
}

// TestRefill: of what Cassandra has a flushed Redis has everything again, and nothing newer is lost.
func TestRefill(t *testing.T) {
	s := openCounting(t)
	hour := time.Now().Unix() / 3600
	values := []totals.Value{*storetest.Total(1, hour, 5).Totals, *storetest.Total(1, totals.Whole, 5).Totals, *storetest.Total(2, totals.Whole, 5).Totals}
	for i := range values {
		values[i].Changed = 0 // it is not kept
	}
	if err := s.Apply(t.Context(), []sink.Write{storetest.Total(2, totals.Whole, 9)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refill(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[totals.ID]int64{values[0].ID: 5, values[1].ID: 5, values[2].ID: 9} {
		if events, _, _, err := s.ReadTotal(t.Context(), id); err != nil || events != want {
			t.Errorf("%v: got %d events, %v, want %d", id, events, err, want)
		}
	}
	last := s.prefix + "board:minute:" + strconv.FormatInt(hour*60+59, 10) + ":events"
	if n, err := s.raw.Do(t.Context(), s.raw.B().Zcard().Key(last).Build()).AsInt64(); err != nil || n != 1 {
		t.Errorf("the minute has %d contents, %v", n, err)
	}
}

// TestKeysOfTotalsThatAreSomebodyElses stop the sink: no record is to blame.
func TestKeysOfTotalsThatAreSomebodyElses(t *testing.T) {
	s := openCounting(t)
	key := s.prefix + "content:" + storetest.ContentID(1).String()
	if err := s.raw.Do(t.Context(), s.raw.B().Set().Key(key).Value("mine").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	err := s.Apply(t.Context(), []sink.Write{storetest.Total(1, totals.Whole, 5)})
	if fault.KindOf(err) != fault.Runtime || sinkRefuses(err) {
		t.Errorf("got %v", err)
	}
}

func sinkRefuses(err error) bool {
	_, refuses := errors.AsType[*sink.RecordError](err)
	return refuses
}
