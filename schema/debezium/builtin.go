package debezium

import (
	"penstock/schema"
	"penstock/schema/connect"
)

// The OIDs of built-in types (pg_type.dat).
const (
	oidBool        = 16
	oidBytea       = 17
	oidChar        = 18
	oidInt8        = 20
	oidInt2        = 21
	oidInt2Vector  = 22
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidOIDVector   = 30
	oidJSON        = 114
	oidXML         = 142
	oidPoint       = 600
	oidCIDR        = 650
	oidFloat4      = 700
	oidFloat8      = 701
	oidMacaddr8    = 774
	oidMoney       = 790
	oidMacaddr     = 829
	oidInet        = 869
	oidBPChar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidTimetz      = 1266
	oidBit         = 1560
	oidVarbit      = 1562
	oidNumeric     = 1700
	oidUUID        = 2950
	oidTSVector    = 3614
	oidJSONB       = 3802
	oidInt4Range   = 3904
	oidNumRange    = 3906
	oidTSRange     = 3908
	oidTSTZRange   = 3910
	oidDateRange   = 3912
	oidInt8Range   = 3926
)

// builtIn maps the built-in types that the connector maps, arrays apart.
func (m *mapping) builtIn(oid uint32, mod int32) (codec, bool) {
	switch oid {
	case oidBool:
		return m.bool(), true
	case oidInt2, oidInt4, oidInt8, oidOID:
		return m.integer(oid), true
	case oidFloat4, oidFloat8:
		return m.float(oid), true
	case oidNumeric:
		return m.numeric(mod), true
	case oidMoney:
		return m.money(), true
	case oidDate:
		return m.date(), true
	case oidTime:
		return m.time(mod), true
	case oidTimetz:
		return m.timetz(), true
	case oidTimestamp:
		return m.timestamp(mod), true
	case oidTimestamptz:
		return m.timestamptz(mod), true
	case oidInterval:
		return m.interval(), true
	case oidBytea:
		return m.bytea(), true
	case oidBit, oidVarbit:
		return m.bits(mod), true
	case oidPoint:
		return m.point(), true
	case oidChar, oidText, oidVarchar, oidBPChar,
		oidInet, oidCIDR, oidMacaddr, oidMacaddr8,
		oidInt4Range, oidInt8Range, oidNumRange, oidTSRange, oidTSTZRange, oidDateRange:
		return m.text(""), true
	case oidJSON, oidJSONB:
		return m.text("io.debezium.data.Json"), true
	case oidUUID:
		return m.uuid(), true
	case oidTSVector:
		return m.text("io.debezium.data.Tsvector"), true
	case oidXML:
		k := m.text("io.debezium.data.Xml")
		k.alone = true
		return k, true
	}
	return codec{}, false
}

// known are the types that are known by their OID alone, with their arrays'.
var known = [...]struct { //nolint:gochecknoglobals // a table that nobody writes to
	oid, array uint32
	name       string
}{
	{oidBool, 1000, "bool"},
	{oidBytea, 1001, "bytea"},
	{oidChar, 1002, "char"},
	{oidInt2, 1005, "int2"},
	{oidInt4, 1007, "int4"},
	{oidText, 1009, "text"},
	{oidBPChar, 1014, "bpchar"},
	{oidVarchar, 1015, "varchar"},
	{oidInt8, 1016, "int8"},
	{oidFloat4, 1021, "float4"},
	{oidFloat8, 1022, "float8"},
	{oidOID, 1028, "oid"},
	{oidMacaddr, 1040, "macaddr"},
	{oidInet, 1041, "inet"},
	{oidCIDR, 651, "cidr"},
	{oidMacaddr8, 775, "macaddr8"},
	{oidTimestamp, 1115, "timestamp"},
	{oidDate, 1182, "date"},
	{oidTime, 1183, "time"},
	{oidTimestamptz, 1185, "timestamptz"},
	{oidInterval, 1187, "interval"},
	{oidNumeric, 1231, "numeric"},
	{oidTimetz, 1270, "timetz"},
	{oidBit, 1561, "bit"},
	{oidVarbit, 1563, "varbit"},
	{oidUUID, 2951, "uuid"},
	{oidXML, 143, "xml"},
	{oidJSON, 199, "json"},
	{oidJSONB, 3807, "jsonb"},
	{oidPoint, 1017, "point"},
	{oidMoney, 791, "money"},
	{oidTSVector, 3643, "tsvector"},
	{oidInt4Range, 3905, "int4range"},
	{oidNumRange, 3907, "numrange"},
	{oidTSRange, 3909, "tsrange"},
	{oidTSTZRange, 3911, "tstzrange"},
	{oidDateRange, 3913, "daterange"},
	{oidInt8Range, 3927, "int8range"},
}

// builtIn returns the type with the OID, or one of which only the OID is known.
func builtIn(oid uint32) *schema.Type {
	for _, k := range known {
		base := &schema.Type{OID: k.oid, Schema: "pg_catalog", Name: k.name, Kind: schema.TypeBase, Mod: -1}
		switch oid {
		case k.oid:
			return base
		case k.array:
			return &schema.Type{OID: oid, Schema: "pg_catalog", Name: "_" + k.name, Kind: schema.TypeArray, Elem: base, Mod: -1, Delimiter: ','}
		}
	}
	return &schema.Type{OID: oid, Name: "unknown", Kind: schema.TypeBase, Mod: -1}
}

// named returns the schema of a semantic type, version 1.
func named(kind connect.Kind, name string) connect.Schema {
	return connect.Schema{Kind: kind, Name: name, Version: 1}
}
