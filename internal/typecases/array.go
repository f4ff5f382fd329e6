package typecases

import "strings"

// array is the column that follows a column: every value in one array, and each
// form that an array can have. The column has a literal.
func (c *Column) array() Column {
	array := Column{Name: c.Name + "_array", Type: c.Type + "[]", Extension: c.Extension, Since: c.Since, Stops: c.Stops}
	delimiter := ","
	if c.Type == "box" {
		delimiter = ";"
	}
	join := func(items ...string) string { return "{" + strings.Join(items, delimiter) + "}" }
	var all []string
	for _, v := range c.Values {
		if !v.Expr {
			all = append(all, element(v.Text))
		}
	}
	first, last := all[0], all[len(all)-1]
	array.Values = []Value{
		{Name: "all", Text: join(append(all, "NULL")...)},
		{Name: "empty", Text: "{}"},
		{Name: "single", Text: join(first)},
		{Name: "null", Text: join("NULL")},
		{Name: "matrix", Text: join(join(first, "NULL"), join(last, first))},
		{Name: "bounds", Text: "[-1:0]=" + join(first, last)},
		{Name: "cube", Text: "[0:0][2:2][3:4]=" + join(join(join(first, "NULL")))},
	}
	return array
}

// element quotes text as one element of an array.
func element(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
