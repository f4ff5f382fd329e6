package redis

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Board ranks the contents of a window as of now: at most n, the highest score first,
// equal ones by content. Events at times in the window count, whenever they arrived; contents
// without a score are left out. Errors are classed as for [sink.Store].
func (s *Store) Board(ctx context.Context, window Window, by Measure, n int, now time.Time) ([]Rank, error) {
	b, first, last, err := window.buckets(now)
	if err != nil {
		return nil, err
	}
	set := string(by)
	if by == ByPct {
		set = setShareSum
	}
	scores, err := s.unite(ctx, b, first, last, set)
	if err != nil {
		return nil, err
	}
	counts := map[string]float64{}
	if by == ByPct {
		if counts, err = s.unite(ctx, b, first, last, setShares); err != nil {
			return nil, err
		}
	}
	ranks := make([]Rank, 0, len(scores))
	for content, score := range scores {
		switch by {
		case BySeconds:
			score /= 1000
		case ByPct:
			if counts[content] == 0 {
				continue
			}
			score = score / 1e6 / counts[content]
		case ByEvents:
		}
		ranks = append(ranks, Rank{Content: content, Score: score})
	}
	slices.SortFunc(ranks, func(a, b Rank) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Content, b.Content)) })
	return ranks[:min(n, len(ranks))], nil
}

// unite adds up one sorted set over buckets.
func (s *Store) unite(ctx context.Context, b bucket, first, last int64, set string) (map[string]float64, error) {
	keys := make([]string, 0, last-first+1)
	for number := first; number <= last; number++ {
		keys = append(keys, s.bucketKey(b, number, set))
	}
	union := s.client.B().Zunion().Numkeys(int64(len(keys))).Key(keys...).Withscores().Build()
	found, err := s.client.Do(ctx, union).AsZScores()
	if err != nil {
		return nil, s.fault("unite "+keys[0]+" and later ones", err)
	}
	scores := make(map[string]float64, len(found))
	for _, z := range found {
		scores[z.Member] = z.Score
	}
	return scores, nil
}
