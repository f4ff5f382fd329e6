package parity

import (
	"bytes"
	"encoding/json"

	"penstock/internal/parity/golden"
)

// pair is a record of Penstock's and the one of Debezium's that it is compared with; one of them may be nil.
type pair struct {
	ours, theirs *golden.Record
	at           int
}

// operation is what a record says of its row: Debezium's code, or tombstone.
func operation(r *golden.Record) string {
	var value struct {
		Op     string `json:"op"`
		Status string `json:"status"` // of a transaction's begin and end
	}
	if err := json.Unmarshal(r.Value, &value); err != nil {
		return "unreadable"
	}
	if string(r.Value) == "null" {
		return "tombstone"
	}
	return value.Op + value.Status
}

// weigh tells how well two records go together: 0 not at all. More pairs are
// better than fewer, however good.
func weigh(ours, theirs *golden.Record) int {
	const pairs = 1 << 20
	switch {
	case operation(ours) != operation(theirs):
		return 0
	case bytes.Equal(ours.Key, theirs.Key):
		return pairs + 1
	}
	return pairs
}

// align finds the longest common sequence of operations, and among those the one
// with most equal keys: a record too many or too few does not make every later one
// differ.
func align(ours, theirs []golden.Record) []pair {
	n, m := len(ours), len(theirs)
	best := make([][]int, n+1) // of ours[i:] and theirs[j:]
	for i := range best {
		best[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1])
			if w := weigh(&ours[i], &theirs[j]); w > 0 {
				best[i][j] = max(best[i][j], best[i+1][j+1]+w)
			}
		}
	}
	var pairs []pair
	i, j := 0, 0
	for i < n && j < m {
		w := weigh(&ours[i], &theirs[j])
		switch {
		case w > 0 && best[i][j] == best[i+1][j+1]+w:
			pairs = append(pairs, pair{&ours[i], &theirs[j], j})
			i, j = i+1, j+1
		case best[i][j] == best[i+1][j]:
			pairs = append(pairs, pair{&ours[i], nil, i})
			i++
		default:
			pairs = append(pairs, pair{nil, &theirs[j], j})
			j++
		}
	}
	for ; i < n; i++ {
		pairs = append(pairs, pair{&ours[i], nil, i})
	}
	for ; j < m; j++ {
		pairs = append(pairs, pair{nil, &theirs[j], j})
	}
	return pairs
}
