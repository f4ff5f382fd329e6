package schema

// TypeKind says how a type is built; pg_type.typtype, with arrays apart.
type TypeKind byte

// The kinds of types.
const (
	TypeBase       TypeKind = 'b' // and what is only known by its text
	TypeEnum       TypeKind = 'e'
	TypeComposite  TypeKind = 'c'
	TypeDomain     TypeKind = 'd'
	TypeRange      TypeKind = 'r'
	TypeMultirange TypeKind = 'm'
	TypeArray      TypeKind = 'a' // a true array: typcategory A; int2vector and oidvector among them
)

// Type is a Postgres type as the catalogue describes it. It is immutable once a
// column has it.
type Type struct {
	OID    uint32
	Schema string // pg_catalog for what is built in
	Name   string // pg_type.typname: int4, not integer; _int4 for its array
	Kind   TypeKind

	// Elem is an array's element, a domain's base (which may be a domain again), a
	// range's subtype, a multirange's range; else nil.
	Elem *Type
	// Mod is the type modifier that a domain gives its base; -1 without one, and
	// for every other kind.
	Mod int32
	// Delimiter separates an array's elements: ',' for all but the arrays of box,
	// which have ';'. Zero for what is not an array.
	Delimiter byte
	// Labels are an enum's, in their sort order.
	Labels []string
	// Fields are a composite's, in their order, without dropped ones.
	Fields []Attribute
}

// Attribute is one field of a composite type.
type Attribute struct {
	Name string
	Type *Type
	Mod  int32 // -1 when the type has no modifier
}

// Base follows domains, also nested ones, down to the type that is stored, and
// returns the modifier that is in force for it: the innermost that is given,
// starting with mod, the column's own.
func (t *Type) Base(mod int32) (*Type, int32) {
	for t.Kind == TypeDomain && t.Elem != nil {
		if mod < 0 {
			mod = t.Mod
		}
		t = t.Elem
	}
	return t, mod
}
