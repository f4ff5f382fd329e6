package debezium

import "penstock/schema/connect"

// HeartbeatKeySchema returns the schema of [HeartbeatKey], a new one each time.
func HeartbeatKeySchema() *connect.Schema {
	return structOf("io.debezium.connector.common.ServerNameKey", 1, field("serverName", connect.String))
}

// HeartbeatValueSchema returns the schema of [HeartbeatValue], a new one each time.
func HeartbeatValueSchema() *connect.Schema {
	return structOf("io.debezium.connector.common.Heartbeat", 1, field("ts_ms", connect.Int64))
}

// HeartbeatKey makes the key of a heartbeat; prefix is the topic prefix.
func HeartbeatKey(a *connect.Arena, prefix string) connect.Value {
	return structValue(a, text(a, prefix))
}

// HeartbeatValue makes the value of a heartbeat: its time, given in microseconds
// since the Unix epoch.
func HeartbeatValue(a *connect.Arena, nowMicros int64) connect.Value {
	return structValue(a, connect.Int(millis(nowMicros)))
}
