package format

import (
	"context"

	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// HeartbeatEncoder renders Debezium's heartbeats: in Connect's JSON where the format
// is one of JSON, else with the schema registry. Not safe for concurrent use.
type HeartbeatEncoder struct {
	arena      connect.Arena
	name       string
	key, value writer
}

// CompileHeartbeats makes the encoder of the heartbeats of a topic; name is the
// capture's. It asks the registry, if the format has one; that error is a *fault.Error.
func (f *Format) CompileHeartbeats(ctx context.Context, topic, name string) (*HeartbeatEncoder, error) {
	e := &HeartbeatEncoder{name: name}
	var err error
	if e.value, err = f.writer(ctx, topic, false, debezium.HeartbeatValueSchema()); err != nil {
		return nil, err
	}
	e.key, err = f.writer(ctx, topic, true, debezium.HeartbeatKeySchema())
	return e, err
}

// AppendKey appends the key of every heartbeat: the capture's name.
func (e *HeartbeatEncoder) AppendKey(dst []byte) []byte {
	e.arena.Reset()
	return e.key.Append(dst, debezium.HeartbeatKey(&e.arena, e.name))
}

// AppendValue appends the value of a heartbeat at a time in microseconds since the
// Unix epoch.
func (e *HeartbeatEncoder) AppendValue(dst []byte, nowMicros int64) []byte {
	e.arena.Reset()
	return e.value.Append(dst, debezium.HeartbeatValue(&e.arena, nowMicros))
}
