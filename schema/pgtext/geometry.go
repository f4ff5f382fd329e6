package pgtext

import "strconv"

// Point is a point. Coordinates may be NaN and infinite.
type Point struct{ X, Y float64 }

// Path is a path, open or closed.
type Path struct {
	Closed bool
	Points []Point
}

// Line is the line Ax + By + C = 0.
type Line struct{ A, B, C float64 }

// Circle is a circle.
type Circle struct {
	Center Point
	Radius float64
}

// ParsePoint reads a point, such as (1,2.5).
func ParsePoint(text []byte) (Point, error) {
	r := reader{kind: "point", text: text}
	p, err := r.point()
	if err != nil {
		return Point{}, err
	}
	return p, r.end()
}

// ParseLSeg reads a line segment by its ends, such as [(1,2),(3,4)].
func ParseLSeg(text []byte) ([2]Point, error) {
	r := reader{kind: "lseg", text: text}
	return r.pairOf("[", "]")
}

// ParseBox reads a box by its corners, the upper right one first, such as
// (3,4),(1,2).
func ParseBox(text []byte) ([2]Point, error) {
	r := reader{kind: "box", text: text}
	return r.pairOf("", "")
}

// ParsePath reads a path, such as ((1,2),(3,4)), which is closed, or
// [(1,2),(3,4)], which is open.
func ParsePath(text []byte) (Path, error) {
	r := reader{kind: "path", text: text}
	if r.peek() == '[' {
		points, err := r.points('[', ']')
		return Path{Points: points}, err
	}
	points, err := r.points('(', ')')
	return Path{Closed: err == nil, Points: points}, err
}

// ParsePolygon reads a polygon, such as ((1,2),(3,4),(5,6)).
func ParsePolygon(text []byte) ([]Point, error) {
	r := reader{kind: "polygon", text: text}
	return r.points('(', ')')
}

// ParseLine reads a line by its coefficients, such as {1,-1,0}.
func ParseLine(text []byte) (Line, error) {
	r := reader{kind: "line", text: text}
	var c [3]float64
	if err := r.floats("{", c[:], "}"); err != nil {
		return Line{}, err
	}
	return Line{c[0], c[1], c[2]}, r.end()
}

// ParseCircle reads a circle, such as <(1,2),3>.
func ParseCircle(text []byte) (Circle, error) {
	r := reader{kind: "circle", text: text}
	if !r.skip('<') {
		return Circle{}, r.fail("no opening angle bracket")
	}
	center, err := r.point()
	if err != nil {
		return Circle{}, err
	}
	var radius [1]float64
	if err := r.floats(",", radius[:], ">"); err != nil {
		return Circle{}, err
	}
	return Circle{center, radius[0]}, r.end()
}

func (r *reader) point() (Point, error) {
	var c [2]float64
	err := r.floats("(", c[:], ")")
	return Point{c[0], c[1]}, err
}

// pairOf reads two points and the end of the text.
func (r *reader) pairOf(opening, closing string) ([2]Point, error) {
	if !r.skipWord(opening) {
		return [2]Point{}, r.fail("no " + opening)
	}
	from, err := r.point()
	if err != nil {
		return [2]Point{}, err
	}
	if !r.skip(',') {
		return [2]Point{}, r.fail("no comma between the points")
	}
	to, err := r.point()
	if err != nil {
		return [2]Point{}, err
	}
	if !r.skipWord(closing) {
		return [2]Point{}, r.fail("no " + closing)
	}
	return [2]Point{from, to}, r.end()
}

// points reads one point or more, and the end of the text.
func (r *reader) points(opening, closing byte) ([]Point, error) {
	if !r.skip(opening) {
		return nil, r.fail("no opening bracket or parenthesis")
	}
	var points []Point
	for {
		p, err := r.point()
		if err != nil {
			return nil, err
		}
		points = append(points, p)
		if r.skip(closing) {
			return points, r.end()
		}
		if !r.skip(',') {
			return nil, r.fail("no comma between the points")
		}
	}
}

// floats fills into with the numbers between opening and closing.
func (r *reader) floats(opening string, into []float64, closing string) error {
	if !r.skipWord(opening) {
		return r.fail("no " + opening)
	}
	for i := range into {
		if i > 0 && !r.skip(',') {
			return r.fail("no comma between the numbers")
		}
		var err error
		if into[i], err = r.float(); err != nil {
			return err
		}
	}
	if !r.skipWord(closing) {
		return r.fail("no " + closing)
	}
	return nil
}

// float reads a float8, such as -1.5e-07, NaN or -Infinity.
func (r *reader) float() (float64, error) {
	start := r.at
	r.skip('-')
	if !r.skipWord("NaN") && !r.skipWord("Infinity") {
		for !r.done() && isFloatByte(r.text[r.at]) {
			r.at++
		}
	}
	f, err := strconv.ParseFloat(string(r.text[start:r.at]), 64)
	if err != nil {
		return 0, r.failAt(start, "not a float8")
	}
	return f, nil
}

func isFloatByte(b byte) bool {
	return isDigit(b) || b == '.' || b == 'e' || b == '-' || b == '+'
}
