package redis

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"

	"penstock/sink"
)

// maxPipeline bounds the scripts sent before their answers are read.
const maxPipeline = 500

// Apply sets the hashes of put events and leaves a tombstone for deleted ones;
// other writes concern nothing that is kept here. See [sink.Store].
func (s *Store) Apply(ctx context.Context, writes []sink.Write) error {
	scripts := make([]rueidis.LuaExec, 0, min(len(writes), maxPipeline))
	for i := range writes {
		w := &writes[i]
		switch w.Action {
		case sink.PutEvent:
			args := append(make([]string, 0, 32), formatVersion(w.Version), "")
			scripts = append(scripts, rueidis.LuaExec{Keys: []string{s.key(w.Row.ID)}, Args: fields(args, w.Row)})
		case sink.DeleteEvent:
			scripts = append(scripts, rueidis.LuaExec{Keys: []string{s.key(w.Place.Event)}, Args: []string{formatVersion(w.Version), s.life}})
		default:
			continue
		}
		if len(scripts) == maxPipeline {
			if err := s.exec(ctx, scripts); err != nil {
				return err
			}
			scripts = scripts[:0]
		}
	}
	return s.exec(ctx, scripts)
}

func (s *Store) exec(ctx context.Context, scripts []rueidis.LuaExec) error {
	if len(scripts) == 0 {
		return nil
	}
	for i, result := range s.guard.ExecMulti(ctx, s.client, scripts...) {
		if err := result.Error(); err != nil {
			return s.fault("write "+scripts[i].Keys[0], err)
		}
	}
	return nil
}

func (s *Store) key(id int64) string { return s.prefix + strconv.FormatInt(id, 10) }
