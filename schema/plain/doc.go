// Package plain is the flat JSON format: the row alone, one JSON object of its
// columns, with nothing around it. It is pure: no I/O, no state between rows.
//
// What a value becomes follows its type, a domain's its base:
//
//	int2 int4 int8 oid            a number
//	float4 float8 numeric         a number with all its digits; NaN, Infinity and -Infinity as strings
//	bool                          true or false
//	json jsonb                    the document itself
//	date                          "2025-08-25"
//	timestamp                     "2025-08-25T16:13:40.436907"
//	timestamptz                   "2025-08-25T16:13:40.436907Z"
//	    before Christ             the same with Postgres' " BC" after it: "0044-03-15T12:00:00 BC"
//	    infinite                  "infinity" or "-infinity", of dates and intervals too
//	interval                      an ISO 8601 duration, each part with its sign: "P-1Y-2M3DT-4H-5M-6.789S"
//	bytea                         base64, standard alphabet, padded
//	array                         an array of the elements, nested by dimension
//	    whose bounds do not start at 1  {"lower":[0,2],"values":[[1],[2]]}
//	int2vector oidvector          an array of numbers
//	composite                     an object of its attributes
//	range                         {"lower":1,"upper":10,"bounds":"[)"} with null for no bound, or {"empty":true}
//	multirange                    an array of ranges
//	hstore                        an object of strings and nulls
//	all others                    Postgres' text as a string: char types, enums, money, bit strings, time, uuid, ...
//
// Read table.go for the row, then codec.go, scalar.go, temporal.go and nested.go
// for its values.
package plain
