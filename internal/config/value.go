package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
)

// isScalar reports whether a value of the type is given by one text.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return true
	}
	return t == reflect.TypeFor[schema.TableName]()
}

// isSecret reports whether values of the type must not be shown.
func isSecret(t reflect.Type) bool { return t == reflect.TypeFor[Secret]() }

// setScalar parses text into v. Its error is a *fault.Error that says what the value is
// not, and what would be one.
func setScalar(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *schema.TableName:
		t, err := ParseTable(text)
		*p = t
		return err
	case *TableKey:
		t, err := ParseTable(text)
		*p = TableKey(FormatTable(t))
		return err
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return notDuration(text)
		}
		*p = d
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return &fault.Error{What: fmt.Sprintf("%q is neither true nor false", text), Fix: "write true or false"}
		}
		v.SetBool(b)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return &fault.Error{What: fmt.Sprintf("%q is not a whole number of %d bits", text, v.Type().Bits()), Fix: wholeNumber(text, v.Type().Bits())}
		}
		v.SetInt(n)
	}
	return nil
}

// setList parses comma-separated text into v.
func setList(v reflect.Value, text string) error {
	parts := strings.Split(text, ",")
	list := reflect.MakeSlice(v.Type(), 0, len(parts))
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := setScalar(element, part); err != nil {
			return err
		}
		list = reflect.Append(list, element)
	}
	v.Set(list)
	return nil
}

// ParseTable reads schema.table, or a table of schema public. A name with a dot or a
// double quote in it is written in double quotes, the one inside doubled, as in SQL;
// no other quoting is needed, and none changes a letter's case.
func ParseTable(text string) (schema.TableName, error) {
	if name, rest, err := identifier(text); err == nil && rest == "" {
		return schema.TableName{Schema: "public", Name: name}, nil
	}
	table, rest, err := cutTable(text)
	if err != nil || rest != "" {
		return schema.TableName{}, notTable(text)
	}
	return table, nil
}

// cutTable takes schema.table off the front of text; what is left is empty or
// starts with a dot.
func cutTable(text string) (table schema.TableName, rest string, err error) {
	first, rest, err := identifier(text)
	if err != nil || rest == "" {
		return schema.TableName{}, "", notTable(text)
	}
	second, rest, err := identifier(rest[1:])
	if err != nil {
		return schema.TableName{}, "", notTable(text)
	}
	return schema.TableName{Schema: first, Name: second}, rest, nil
}

// identifier takes one name, quoted or not, off the front of text; what is left
// is empty or starts with the dot.
func identifier(text string) (name, rest string, err error) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		name, rest, ok = cutQuoted(quoted)
		if !ok || name == "" || strings.Contains(name, "\x00") || rest != "" && rest[0] != '.' {
			return "", "", notTable(text)
		}
		return name, rest, nil
	}
	name = text
	if i := strings.IndexByte(text, '.'); i >= 0 {
		name, rest = text[:i], text[i:]
	}
	if name == "" || strings.ContainsAny(name, "\x00\"") || strings.TrimSpace(name) != name {
		return "", "", notTable(text)
	}
	return name, rest, nil
}

// cutQuoted takes a name up to its closing quote off the front of text.
func cutQuoted(text string) (name, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return strings.ReplaceAll(text[:i], `""`, `"`), text[i+1:], true
	}
	return "", "", false
}

// notTable refuses a table's name, and shows how it is quoted if a dot in a name is
// what is wrong with it.
func notTable(text string) error {
	f := &fault.Error{What: fmt.Sprintf("%q is not a table name such as public.content", text)}
	parts := strings.Split(text, ".")
	if last := len(parts) - 1; last > 1 && !strings.Contains(text, `"`) && !slices.Contains(parts, "") {
		f.Why = "a name that has a dot in it is written in double quotes"
		f.Fix = fmt.Sprintf(`'"%s".%s', or '%s."%s"'`, strings.Join(parts[:last], "."), parts[last], parts[0], strings.Join(parts[1:], "."))
		return f
	}
	f.Fix = `write schema.table; a name with a dot or a quote in it as in SQL: '"a.b"."c""d"'`
	return f
}

func notDuration(text string) error {
	f := &fault.Error{What: fmt.Sprintf("%q is not a duration such as 30s, 5m or 168h", text), Fix: "write a number with its unit: 30s, 5m or 168h"}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		f.What, f.Fix = fmt.Sprintf("the duration %q has no unit", text), fmt.Sprintf("write %ss for seconds; ms, m and h are units too", text)
	}
	return f
}

// wholeNumber tells what to write instead of a text that is no number of so many bits.
func wholeNumber(text string, bits int) string {
	if _, err := strconv.ParseInt(text, 10, bits); errors.Is(err, strconv.ErrRange) {
		return fmt.Sprintf("write a number from %d to %d", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1)
	}
	return "write digits only, such as 12"
}
