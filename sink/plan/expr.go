package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// Expr is an expression over a row, typed. Its language is expr's; its values are
// SQL's: expr's own machine knows no NULL and wraps integers that overflow.
//
// NULL. An operator or function of NULL is NULL. But: false and NULL is false, true
// or NULL is true; x == nil and x != nil ask for it; x ?? y and coalesce(x, y, …) are
// the first that is not NULL; a condition that is NULL takes its second branch.
//
// Numbers. An integer beside a double is a double; / is always a double. Division
// by zero, also by %, is NULL. An integer or double that overflows is an error.
type Expr struct {
	Type    Type
	NotNull bool // it is never NULL
	Lookup  bool // it depends on the lookup row
	slots   []int
	eval    evaluator
}

// evaluator computes a value of a row. The row stays the caller's.
type evaluator func(Row) (Value, error)

// Eval computes the expression. An error is one of the row: an overflow, a text that
// is no number.
func (e *Expr) Eval(row Row) (Value, error) { return e.eval(row) }

// ExprError is what is wrong with an expression.
type ExprError struct {
	Offset int // in characters from the expression's beginning
	What   string
	Fix    string
}

// Error says what is wrong.
func (e *ExprError) Error() string { return e.What }

// scope finds the columns that an expression may name.
type scope interface {
	// column is the slot of a side's column, or an error that says what there is.
	column(side, name string) (slot int, typ Type, notNull, lookup bool, err *ExprError)
}

// compileExpr parses and types an expression.
func compileExpr(text string, in scope) (*Expr, *ExprError) {
	tree, err := parser.Parse(text)
	if err != nil {
		out := &ExprError{What: err.Error(), Fix: "see docs/pipelines.md for what an expression may be"}
		if at, ok := errors.AsType[*file.Error](err); ok {
			out.Offset, out.What = at.From, at.Message
		}
		return nil, out
	}
	c := &compiler{scope: in}
	n, failed := c.node(tree.Node)
	if failed != nil {
		return nil, failed
	}
	if n.typ == 0 {
		return nil, wrong(tree.Node, "it is always NULL", "write a column or a value")
	}
	slices.Sort(c.slots)
	return &Expr{Type: n.typ, NotNull: n.notNull, Lookup: c.lookup, slots: slices.Compact(c.slots), eval: n.eval}, nil
}

// compiler turns a tree into an evaluator.
type compiler struct {
	scope  scope
	slots  []int
	lookup bool
}

// node is a typed part of an expression. typ 0 is the literal nil.
type node struct {
	typ     Type
	notNull bool
	eval    evaluator
}

// converting is what mends types that do not fit.
const converting = "convert one of them: float(x), int(x) or string(x)"

func wrong(at ast.Node, what, fix string) *ExprError {
	if m, ok := at.(*ast.MemberNode); ok {
		at = m.Node // a member stands at its dot
	}
	return &ExprError{Offset: at.Location().From, What: what, Fix: fix}
}

func (c *compiler) node(n ast.Node) (node, *ExprError) {
	switch t := n.(type) {
	case *ast.IntegerNode:
		return constant(IntOf(int64(t.Value))), nil
	case *ast.FloatNode:
		return constant(FloatOf(t.Value)), nil
	case *ast.StringNode:
		return constant(TextOf(t.Value)), nil
	case *ast.BoolNode:
		return constant(BoolOf(t.Value)), nil
	case *ast.NilNode:
		return constant(Value{}), nil
	case *ast.MemberNode:
		return c.member(t)
	case *ast.IdentifierNode:
		return node{}, wrong(n, fmt.Sprintf("unknown name %q", t.Value), "write stream."+t.Value+" or lookup."+t.Value)
	case *ast.UnaryNode:
		return c.unary(t)
	case *ast.BinaryNode:
		return c.binary(t)
	case *ast.ConditionalNode:
		return c.conditional(t)
	case *ast.BuiltinNode:
		return c.call(n, t.Name, t.Arguments)
	case *ast.CallNode:
		if name, ok := t.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, name.Value, t.Arguments)
		}
	}
	return node{}, wrong(n, "this is nothing that an expression may be here", "use columns, values, operators and the functions of docs/pipelines.md")
}

func constant(v Value) node {
	return node{typ: v.kind, notNull: !v.IsNull(), eval: func(Row) (Value, error) { return v, nil }}
}

// member is a column: stream.name, lookup.name, or stream["name"].
func (c *compiler) member(n *ast.MemberNode) (node, *ExprError) {
	side, isName := n.Node.(*ast.IdentifierNode)
	property, isText := n.Property.(*ast.StringNode)
	if !isName || !isText {
		return node{}, wrong(n, "this is not a column", "write stream.column or lookup.column")
	}
	slot, typ, notNull, lookup, err := c.scope.column(side.Value, property.Value)
	if err != nil {
		err.Offset = side.Location().From
		return node{}, err
	}
	c.slots = append(c.slots, slot)
	c.lookup = c.lookup || lookup
	return node{typ: typ, notNull: notNull, eval: func(row Row) (Value, error) { return row[slot], nil }}, nil
}

func (c *compiler) unary(n *ast.UnaryNode) (node, *ExprError) {
	x, err := c.node(n.Node)
	if err != nil {
		return node{}, err
	}
	switch {
	case (n.Operator == "not" || n.Operator == "!") && x.typ == Bool:
		return strict1(Bool, x, func(v Value) (Value, error) { return BoolOf(v.num == 0), nil }), nil
	case n.Operator == "-" && x.typ == Int:
		return strict1(Int, x, func(v Value) (Value, error) { return subInt(0, v.num) }), nil
	case n.Operator == "-" && x.typ == Float:
		return strict1(Float, x, func(v Value) (Value, error) { return FloatOf(-v.Float()), nil }), nil
	case n.Operator == "+" && (x.typ == Int || x.typ == Float):
		return x, nil
	}
	return node{}, wrong(n, fmt.Sprintf("operator %s does not take %s", n.Operator, x.typ), "compare or convert it first")
}

func (c *compiler) conditional(n *ast.ConditionalNode) (node, *ExprError) {
	cond, err := c.node(n.Cond)
	if err != nil {
		return node{}, err
	}
	if cond.typ != Bool {
		return node{}, wrong(n.Cond, fmt.Sprintf("the condition is %s, not boolean", cond.typ), "compare it with something")
	}
	yes, err := c.node(n.Exp1)
	if err != nil {
		return node{}, err
	}
	no, err := c.node(n.Exp2)
	if err != nil {
		return node{}, err
	}
	typ, ok := unify(&yes, &no)
	if !ok {
		return node{}, wrong(n.Exp2, fmt.Sprintf("one branch is %s, the other %s", yes.typ, no.typ), converting)
	}
	test, first, second := cond.eval, yes.eval, no.eval
	return node{typ: typ, notNull: yes.notNull && no.notNull, eval: func(row Row) (Value, error) {
		v, err := test(row)
		switch {
		case err != nil:
			return Value{}, err
		case v.Bool():
			return first(row)
		default:
			return second(row)
		}
	}}, nil
}

// unify gives two parts one type: of an integer and a double the double.
func unify(a, b *node) (Type, bool) {
	switch {
	case a.typ == b.typ, b.typ == 0:
		return a.typ, true
	case a.typ == 0:
		return b.typ, true
	case a.typ == Int && b.typ == Float:
		*a = toFloat(*a)
		return Float, true
	case a.typ == Float && b.typ == Int:
		*b = toFloat(*b)
		return Float, true
	}
	return 0, false
}

func toFloat(n node) node {
	return strict1(Float, n, func(v Value) (Value, error) { return FloatOf(float64(v.num)), nil })
}

func (c *compiler) binary(n *ast.BinaryNode) (node, *ExprError) {
	if n.Operator == "in" {
		return c.in(n)
	}
	left, err := c.node(n.Left)
	if err != nil {
		return node{}, err
	}
	right, err := c.node(n.Right)
	if err != nil {
		return node{}, err
	}
	var out node
	var ok bool
	switch n.Operator {
	case "and", "&&", "or", "||":
		out, ok = logic(n.Operator == "or" || n.Operator == "||", left, right), left.typ == Bool && right.typ == Bool
	case "==", "!=", "<", "<=", ">", ">=":
		out, ok = comparison(n.Operator, left, right)
	case "??":
		return coalesced(n, []node{left, right})
	case "contains", "startsWith", "endsWith":
		out, ok = textTest(n.Operator, left, right), left.typ == Text && right.typ == Text
	case "+", "-", "*", "/", "%":
		out, ok = arithmetic(n.Operator, left, right)
	default:
		return node{}, wrong(n, fmt.Sprintf("operator %s is not known here", n.Operator),
			"use + - * / %, comparisons, and, or, not, in, ??, contains, startsWith or endsWith")
	}
	if !ok {
		return node{}, wrong(n, fmt.Sprintf("operator %s does not take %s and %s", n.Operator, left.typ, right.typ), converting)
	}
	return out, nil
}

// in is a test against a list of values.
func (c *compiler) in(n *ast.BinaryNode) (node, *ExprError) {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok || len(list.Nodes) == 0 {
		return node{}, wrong(n, "in needs a list of values", `write x in ["a", "b"]`)
	}
	left, err := c.node(n.Left)
	if err != nil {
		return node{}, err
	}
	var found node
	for i, element := range list.Nodes {
		right, err := c.node(element)
		if err != nil {
			return node{}, err
		}
		same, ok := comparison("==", left, right)
		if !ok || right.typ == 0 {
			return node{}, wrong(element, fmt.Sprintf("%s is looked for among %s", left.typ, right.typ), "give the list values of the same type")
		}
		if i == 0 {
			found = same
		} else {
			found = logic(true, found, same)
		}
	}
	return found, nil
}

// call is a function of functions.
func (c *compiler) call(at ast.Node, name string, arguments []ast.Node) (node, *ExprError) {
	args := make([]node, len(arguments))
	types := make([]string, len(arguments))
	for i := range arguments {
		var err *ExprError
		if args[i], err = c.node(arguments[i]); err != nil {
			return node{}, err
		}
		types[i] = args[i].typ.String()
	}
	if name == "coalesce" && len(args) > 0 {
		return coalesced(at, args)
	}
	variants, ok := functions[name]
	if !ok {
		return node{}, wrong(at, fmt.Sprintf("unknown function %q", name), "the functions are coalesce, "+strings.Join(functionNames(), ", "))
	}
	for _, f := range variants {
		if len(args) == 1 && args[0].typ == f.takes {
			out := strict1(f.gives, args[0], f.apply)
			return out, nil
		}
	}
	return node{}, wrong(at, fmt.Sprintf("%s does not take (%s)", name, strings.Join(types, ", ")), name+" takes one of "+takes(variants))
}

func coalesced(at ast.Node, args []node) (node, *ExprError) {
	out := args[0]
	for _, next := range args[1:] {
		a := out
		typ, ok := unify(&a, &next)
		if !ok {
			return node{}, wrong(at, fmt.Sprintf("%s and %s have no type in common", a.typ, next.typ), converting)
		}
		first, second := a.eval, next.eval
		out = node{typ: typ, notNull: a.notNull || next.notNull, eval: func(row Row) (Value, error) {
			v, err := first(row)
			if err != nil || !v.IsNull() {
				return v, err
			}
			return second(row)
		}}
	}
	return out, nil
}
