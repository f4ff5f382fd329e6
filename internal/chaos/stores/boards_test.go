package stores

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/chaos/ledger"
)

// TestWrongBoardsAreFound has two events of one content in one minute, another in an hour
// that minutes have forgotten, and one of no content.
func TestWrongBoardsAreFound(t *testing.T) {
	s, _ := prepared(t)
	minute := time.Now().Truncate(time.Hour).Unix() / 60
	old := minute/60 - 24
	db, err := pgx.Connect(t.Context(), s.target.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	_, err = db.Exec(t.Context(), fmt.Sprintf(`INSERT INTO engagement_events (id, content_id, event_type, event_ts, duration_ms) VALUES
		(11, content_of(1), 'play', to_timestamp(%[1]d), 300000), (12, content_of(1), 'play', to_timestamp(%[1]d + 59.9), NULL),
		(13, content_of(2), 'play', to_timestamp(%[2]d), 1000), (14, NULL, 'play', to_timestamp(%[1]d), 1)`, minute*60, old*3600))
	if err != nil {
		t.Fatal(err)
	}
	one, two := contentUUID("content 1"), contentUUID("content 2")
	inMinute, inHour, inOld := fmt.Sprintf("minute:%d", minute), fmt.Sprintf("hour:%d", minute/60), fmt.Sprintf("hour:%d", old)
	for _, c := range []struct {
		name   string
		hurt   []string // a command, its key behind that of the boards
		detail string   // of the problem
	}{
		{name: "nothing is wrong"},
		{"a minute's score", []string{"ZADD", inMinute + ":milliseconds", "300001", one}, one + " has milliseconds 300001, SQL has 300000"},
		{"an hour's score", []string{"ZADD", inHour + ":pct_sum_ppm", "500001", one}, one + " has pct_sum_ppm 500001, SQL has 500000"},
		{"an old hour is missing", []string{"DEL", inOld + ":events"}, two + " has no events, SQL has 1"},
		{"a content is missing", []string{"ZREM", inMinute + ":pct_count", one}, one + " has no pct_count, SQL has 1"},
		{"a content is left over", []string{"ZADD", inMinute + ":events", "1", two}, two + " has events 1, SQL has no event"},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := s.key("../board:")
			for bucket, lines := range map[string]string{inMinute: one + " 2 300000 500000 1", inHour: one + " 2 300000 500000 1", inOld: two + " 1 1000 0 0"} {
				words := strings.Fields(lines)
				for i, score := range scores() {
					command(t, s, "DEL", prefix+bucket+":"+score)
					command(t, s, "ZADD", prefix+bucket+":"+score, words[1+i], words[0])
				}
			}
			if c.hurt != nil {
				command(t, s, append([]string{c.hurt[0], prefix + c.hurt[1]}, c.hurt[2:]...)...)
			}
			got := check{verdict: &Verdict{Found: map[ledger.Kind]int64{}}}
			if err := got.checkBoards(t.Context(), s, prefix); err != nil {
				t.Fatal(err)
			}
			var want int64
			if c.hurt != nil {
				want = 1
			}
			if v := got.verdict; v.Ranks != 12 || v.Found[Boards] != want || v.Differences() != want || !strings.Contains(strings.Join(v.Problems, "\n"), c.detail) {
				t.Errorf("got %+v, want %d: %s", v, want, c.detail)
			}
		})
	}
}
