package redis

import (
	"context"
	"strings"

	"github.com/redis/rueidis"

	"penstock/sink/plan"
)

// scanKeys is how many keys a step of a scan asks for, and whose hashes are read at once.
const scanKeys = 1000

// Found is a key of the plan's as it stands in Redis.
type Found struct {
	Key string
	// Hash is what the key holds, the version among it; nil of a key that is no hash,
	// or is gone meanwhile.
	Hash map[string]string
	// Foreign says that the key holds something else than a hash.
	Foreign bool
}

// Deleted reports whether the hash is only the tombstone of a deleted row.
func (f *Found) Deleted() bool {
	_, deleted := f.Hash[fieldDeleted]
	return deleted
}

// Version is the text of the version, empty for none.
func (f *Found) Version() string { return f.Hash[fieldVersion] }

// Row is the hash as the fields of a row: those of the plan by slot, NULL where they
// are absent. Other fields are left out.
func (s *Store) Row(f *Found) (plan.Stored, error) { return s.stored(f.Key, f.Hash) }

// Scan visits every key that begins as the plan's do, tombstones included, in no
// order: at least once if it is there from the begin of the scan to its end. One that
// comes twice is as it stood at each time. visit is called by one goroutine, with pages
// that are valid during the call only. Errors are classed as for [sink.Store].
func (s *Store) Scan(ctx context.Context, visit func([]Found) error) error {
	pattern := globEscaper.Replace(s.plan.Redis.Prefix()) + "*"
	for cursor := uint64(0); ; {
		step, err := s.client.Do(ctx, s.client.B().Scan().Cursor(cursor).Match(pattern).Count(scanKeys).Build()).AsScanEntry()
		if err != nil {
			return s.fault("scan "+pattern, err)
		}
		if len(step.Elements) > 0 {
			page, err := s.Get(ctx, step.Elements)
			if err != nil {
				return err
			}
			if err := visit(page); err != nil {
				return err
			}
		}
		if cursor = step.Cursor; cursor == 0 {
			return nil
		}
	}
}

// Get reads keys as they stand, in their order; one that is absent has no hash.
func (s *Store) Get(ctx context.Context, keys []string) ([]Found, error) {
	found := make([]Found, 0, len(keys))
	for begin := 0; begin < len(keys); begin += scanKeys {
		some := keys[begin:min(begin+scanKeys, len(keys))]
		gets := make(rueidis.Commands, len(some))
		for i, key := range some {
			gets[i] = s.client.B().Hgetall().Key(key).Build()
		}
		for i, result := range s.client.DoMulti(ctx, gets...) {
			f := Found{Key: some[i]}
			hash, err := result.AsStrMap()
			switch answer, refused := rueidis.IsRedisErr(err); {
			case refused && strings.Contains(answer.Error(), "WRONGTYPE"):
				f.Foreign = true
			case err != nil:
				return nil, s.fault("read "+f.Key, err)
			case len(hash) > 0:
				f.Hash = hash
			}
			found = append(found, f)
		}
	}
	return found, nil
}

// KeyOf is the key of a row's hash.
func (s *Store) KeyOf(row plan.Row) string { return s.key(row) }

var globEscaper = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`) //nolint:gochecknoglobals // a table that nobody writes to

// Remove leaves the tombstones of deletes at the keys, each of a version: a hash of a
// higher one stays.
func (s *Store) Remove(ctx context.Context, keys []string, versions []int64) error {
	scripts := make([]rueidis.LuaExec, 0, min(len(keys), maxPipeline))
	for i, key := range keys {
		scripts = append(scripts, rueidis.LuaExec{Keys: []string{key}, Args: []string{formatVersion(versions[i]), s.life}})
		if len(scripts) == maxPipeline || i == len(keys)-1 {
			if err := s.exec(ctx, s.guard, scripts); err != nil {
				return err
			}
			scripts = scripts[:0]
		}
	}
	return nil
}

// Forget deletes keys, and leaves no tombstone: a replay could bring their rows back.
func (s *Store) Forget(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.client.Do(ctx, s.client.B().Del().Key(key).Build()).Error(); err != nil {
			return s.fault("delete "+key, err)
		}
	}
	return nil
}
