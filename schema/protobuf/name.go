package protobuf

import (
	"strings"
	"unicode/utf8"
)

// splitName takes a Connect name apart at its dots: the package and the message.
// Every part comes back as an identifier.
func splitName(name string) (pkg []string, last string) {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = scrub(parts[i])
	}
	return parts[:len(parts)-1], parts[len(parts)-1]
}

// lastPart is what follows the last dot.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// scrub makes an identifier of any text. An identifier stays as it is; what is
// not UTF-8 or not of letters and digits is percent-encoded as in a form, and then
// everything that an identifier cannot have becomes an underscore.
func scrub(name string) string {
	if name == "" {
		return "_"
	}
	if identifier(name) {
		return name
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, 3*len(name)+1)
	for _, r := range name { // bytes that are not UTF-8 come as U+FFFD
		if r < utf8.RuneSelf && (wordByte(byte(r)) || strings.ContainsRune(" .-*", r)) {
			out = append(out, byte(r))
			continue
		}
		var buf [utf8.UTFMax]byte
		for _, b := range buf[:utf8.EncodeRune(buf[:], r)] {
			out = append(out, '%', hex[b>>4], hex[b&0xF])
		}
	}
	if digit(out[0]) || out[0] == '_' {
		out = append([]byte{'x'}, out...)
	}
	for i, b := range out {
		if !wordByte(b) {
			out[i] = '_'
		}
	}
	return string(out)
}

// jsonName is the field's name in Protobuf's JSON, of which compilers take no two alike.
func jsonName(name string) string {
	var camel strings.Builder
	upper := false
	for i := range len(name) {
		c := name[i]
		if upper && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if upper = c == '_'; !upper {
			camel.WriteByte(c)
		}
	}
	return camel.String()
}

// identifier reports whether Protobuf takes the name as it is.
func identifier(name string) bool {
	for i := range len(name) {
		if !wordByte(name[i]) {
			return false
		}
	}
	return name != "" && !digit(name[0])
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || digit(b) || b == '_'
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// entryName is the name of a map's message: in camel case when it has
// underscores, and with the ending by which readers know a map.
func entryName(name string) string {
	if !strings.Contains(name, "_") {
		return name + "Entry"
	}
	var camel strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			camel.WriteString(strings.ToUpper(word[:1]) + strings.ToLower(word[1:]))
		}
	}
	return camel.String() + "Entry"
}

// hides reports whether a package or message of the name stands before the
// packages google and confluent when a relative name is looked up.
func hides(name string) bool { return name == "google" || name == "confluent" }

// ambiguous reports whether a field that begins with the name would be read as
// something else than a field of that type.
func ambiguous(name string) bool {
	switch name {
	case "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64",
		"fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes",
		"message", "enum", "extend", "extensions", "group", "map", "oneof", "option",
		"optional", "repeated", "required", "reserved", "import", "package", "public",
		"rpc", "service", "stream", "syntax", "returns", "weak", "edition", "export", "local":
		return true
	}
	return false
}
