package debezium

import (
	"strings"

	"penstock/schema"
	"penstock/schema/connect"
)

// defaultOf returns the default of a column's schema: the constant that the column
// has, or what the connector puts in the place of a function's result. Like the
// connector it knows the common types only, and none below a domain.
func (m *mapping) defaultOf(c *schema.Column, declared *schema.Type, k codec) *connect.Value {
	expression := strings.TrimSpace(c.Default)
	if expression == "" || c.Generated || k.schema.Kind == connect.Struct {
		return nil
	}
	constant, ok := "", false
	switch declared.Kind {
	case schema.TypeEnum:
		constant, ok = quotedConstant(expression)
	case schema.TypeBase:
		constant, ok = defaultText(declared.OID, expression)
	case schema.TypeArray, schema.TypeComposite, schema.TypeDomain, schema.TypeRange, schema.TypeMultirange:
	}
	if !ok {
		return nil
	}
	v, err := k.convert(new(connect.Arena), []byte(constant))
	if err != nil || v.Form == connect.Null {
		return nil
	}
	return &v
}

// defaultText returns the default of a built-in type in the type's text form.
func defaultText(oid uint32, expression string) (string, bool) {
	inPlace, ok := inPlaceOfFunction(oid)
	if !ok {
		return "", false
	}
	if isFunction(expression) {
		return inPlace, true
	}
	text, quoted := quotedConstant(expression)
	switch oid {
	case oidBool:
		switch expression {
		case "true":
			return "t", true
		case "false":
			return "f", true
		}
		return "", false
	case oidInt2, oidInt4, oidInt8, oidFloat4, oidFloat8, oidNumeric:
		if !quoted {
			return expression, true // a number, or an expression that is none
		}
	case oidTimestamp:
		text = withTime(text, "")
	case oidTimestamptz:
		text = withTime(text, "+00")
	}
	return text, quoted
}

// inPlaceOfFunction returns what the connector takes for a default that is not
// constant; false for the types whose defaults it leaves out.
func inPlaceOfFunction(oid uint32) (string, bool) {
	switch oid {
	case oidBit, oidVarbit, oidInt2, oidInt4, oidInt8, oidFloat4, oidFloat8:
		return "0", true
	case oidNumeric:
		return "0.0", true
	case oidBool:
		return "f", true
	case oidBPChar, oidVarchar, oidText, oidXML:
		return "", true
	case oidJSON, oidJSONB:
		return "{}", true
	case oidUUID:
		return "00000000-0000-0000-0000-000000000000", true
	case oidDate:
		return "1970-01-01", true
	case oidTime:
		return "00:00:00", true
	case oidTimestamp:
		return "1970-01-01 00:00:00", true
	case oidTimestamptz:
		return "1970-01-01 00:00:00+00", true
	case oidInterval:
		return "00:00:00", true
	}
	return "", false
}

// withTime completes a date that is the default of a timestamp.
func withTime(text, zone string) string {
	if len(text) > 0 && !strings.ContainsAny(text, " y") { // 2025-08-25, neither infinity
		return text + " 00:00:00" + zone
	}
	return text
}

// isFunction is true for a call, also one that an expression in parentheses begins
// with, and for the words that stand for the time.
func isFunction(expression string) bool {
	switch strings.ToLower(expression) {
	case "current_timestamp", "current_time", "current_date", "localtime", "localtimestamp":
		return true
	}
	inside := strings.TrimPrefix(expression, "(")
	arguments := strings.TrimLeft(inside, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")
	return len(arguments) < len(inside) && strings.HasPrefix(arguments, "(") && strings.Contains(arguments, ")")
}

// quotedConstant reads 'text'::type, also with several casts or none, and bits,
// B'101'.
func quotedConstant(expression string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(expression, "B"), "'")
	if !ok {
		return "", false
	}
	var text strings.Builder
	for {
		part, after, found := strings.Cut(rest, "'")
		if !found {
			return "", false
		}
		text.WriteString(part)
		if rest, found = strings.CutPrefix(after, "'"); !found { // not a quote of the text
			return text.String(), areCasts(rest)
		}
		text.WriteByte('\'')
	}
}

// areCasts is true when nothing but casts, ::character varying(10), follows.
func areCasts(rest string) bool {
	return rest == "" || strings.HasPrefix(rest, "::") && !strings.ContainsAny(rest, "'|+-*/=<>")
}
