package cdc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
)

func TestParseHistory(t *testing.T) {
	cases := []struct {
		name, content string
		want          history
		problem       string
	}{
		{"first timeline", "", nil, ""},
		{"one fork", "1\t0/3000060\tno recovery target specified\n", history{{1, 0x3000060}}, ""},
		{"two forks, comments, blanks", "# restored\n1\t0/30\tno recovery target specified\n\n  \n  # again\n3\t16/B374D848\tbefore 2000-01-01 00:00:00+00\n",
			history{{1, 0x30}, {3, 0x16_B374D848}}, ""},
		{"no reason, no newline", "2 0/30", history{{2, 0x30}}, ""},
		{"left at once", "1 0/30\n2 0/30\n", history{{1, 0x30}, {2, 0x30}}, ""},
		{"a word", "one\t0/30\n", nil, `line 1: "one" is not a timeline`},
		{"timeline 0", "0\t0/30\n", nil, `"0" is not a timeline`},
		{"timeline too large", "4294967296\t0/30\n", nil, "is not a timeline"},
		{"no LSN", "1\n", nil, "line 1: no LSN"},
		{"half an LSN", "1\t030\n", nil, `lsn "030"`},
		{"bytes", "\x00\xff\n", nil, "is not a timeline"},
		{"timelines fall", "2\t0/30\n1\t0/40\n", nil, "line 2: timeline 1 until 0/40 cannot come after timeline 2"},
		{"twice the same", "2\t0/30\n2\t0/40\n", nil, "line 2"},
		{"LSNs fall", "1\t0/30\n2\t0/20\n", nil, "line 2"},
		{"its own timeline", "5\t0/30\n", nil, "line 1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseHistory(5, c.content)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || !strings.Contains(err.Error(), "timeline 5") {
					t.Errorf("got %v, %v, want an error with %q", got, err, c.problem)
				}
				return
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(fork{})); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestDeparture(t *testing.T) {
	forks := history{{1, 0x100}, {3, 0x200}}
	open := func(final schema.LSN) schema.OpenCommit { return schema.OpenCommit{FinalLSN: final, N: 1} }
	cases := []struct {
		name   string
		at     schema.Position
		server int32
		want   string // empty: go on
	}{
		{"same timeline", schema.Position{Timeline: 4, EndLSN: 0x900}, 4, ""},
		{"below the fork", schema.Position{Timeline: 3, EndLSN: 0x1FF}, 4, ""},
		{"at the fork", schema.Position{Timeline: 3, EndLSN: 0x200}, 4, ""},
		{"beyond the fork", schema.Position{Timeline: 3, EndLSN: 0x201}, 4, "0/201 lies beyond 0/200, where timeline 3 was left for the server's timeline 4 (1 bytes"},
		{"two forks back", schema.Position{Timeline: 1, EndLSN: 0x100}, 4, ""},
		{"beyond the first of two forks", schema.Position{Timeline: 1, EndLSN: 0x180}, 4, "0/180 lies beyond 0/100"},
		{"open commit below the fork", schema.Position{Timeline: 3, EndLSN: 0x180, Open: open(0x1FF)}, 4, ""},
		{"open commit at the fork", schema.Position{Timeline: 3, EndLSN: 0x180, Open: open(0x200)}, 4, "commit at 0/200 is in Kafka, which lies beyond 0/200"},
		{"never on that timeline", schema.Position{Timeline: 2, EndLSN: 0x10}, 4, "timeline 2, which is not in the history"},
		{"server behind", schema.Position{Timeline: 5, EndLSN: 0x10}, 4, "0/10 is of timeline 5, the server is on timeline 4"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			what, why := forks.departure(&c.at, c.server)
			if !strings.Contains(what, c.want) || (what == "") != (c.want == "") || (what == "") != (why == "") {
				t.Errorf("got %q (%s), want %q", what, why, c.want)
			}
		})
	}
}
