package redis

import (
	"context"

	"github.com/redis/rueidis"

	"penstock/sink"
)

// maxPipeline bounds the scripts sent before their answers are read.
const maxPipeline = 500

// Apply sets the hashes of the rows of the result and leaves a tombstone for those
// that left it, and writes totals; other writes concern nothing that is kept here. See [sink.Store].
func (s *Store) Apply(ctx context.Context, writes []sink.Write) error {
	scripts := make([]rueidis.LuaExec, 0, min(len(writes), maxPipeline))
	for i := range writes {
		w := &writes[i]
		if !w.Touches(s.plan, s.plan.Redis.Place) {
			continue
		}
		args := []string{formatVersion(w.Version), s.life}
		if w.Action == sink.Put {
			args = s.fields(append(make([]string, 0, 2+2*len(s.plan.Redis.Fields)), formatVersion(w.Version), ""), w.Row)
		}
		if scripts = append(scripts, rueidis.LuaExec{Keys: []string{s.key(w.Row)}, Args: args}); len(scripts) == maxPipeline {
			if err := s.exec(ctx, s.guard, scripts); err != nil {
				return err
			}
			scripts = scripts[:0]
		}
	}
	if err := s.exec(ctx, s.guard, scripts); err != nil {
		return err
	}
	return s.putTotals(ctx, writes)
}

func (s *Store) exec(ctx context.Context, lua *rueidis.Lua, scripts []rueidis.LuaExec) error {
	if len(scripts) == 0 {
		return nil
	}
	for i, result := range lua.ExecMulti(ctx, s.client, scripts...) {
		wrote, err := result.AsInt64()
		if err != nil {
			return s.fault("write "+scripts[i].Keys[0], err)
		}
		s.written.Add(wrote)
		s.unchanged.Add(1 - wrote)
	}
	return nil
}

// Counts returns how many hashes and tombstones this Store has written, and how many it has
// left because they were of the same or a higher version.
func (s *Store) Counts() (written, unchanged int64) { return s.written.Load(), s.unchanged.Load() }
