package pgoutput

import "penstock/schema"

// Image says how much of the old row an [Update] or a [Delete] carries.
type Image byte

// The images. A key image has every column of the relation, those outside the
// replica identity as Null.
const (
	ImageNone Image = 0   // an update that changed no column of the identity
	ImageKey  Image = 'K' // identity DEFAULT or USING INDEX
	ImageFull Image = 'O' // identity FULL
)

// imageNew marks the new row.
const imageNew = 'N'

// Insert is a new row.
type Insert struct {
	RelationOID uint32
	New         schema.Tuple
}

func (m *Insert) decode(c *cursor) {
	m.RelationOID = c.uint32("relation OID")
	c.expectNew(c.byte("new row's mark"))
	m.New = c.tuple(m.New)
}

// Update is a changed row.
type Update struct {
	RelationOID uint32
	OldImage    Image
	Old         schema.Tuple // nil under ImageNone
	New         schema.Tuple

	oldReuse schema.Tuple // what Old was last, kept while Old is nil
}

func (m *Update) decode(c *cursor) {
	m.RelationOID = c.uint32("relation OID")
	m.OldImage, m.Old = ImageNone, nil
	mark := c.byte("first row's mark")
	if image := Image(mark); image == ImageKey || image == ImageFull {
		m.oldReuse = c.tuple(m.oldReuse)
		m.OldImage, m.Old = image, m.oldReuse
		mark = c.byte("new row's mark")
	}
	c.expectNew(mark)
	m.New = c.tuple(m.New)
}

// Delete is a removed row.
type Delete struct {
	RelationOID uint32
	OldImage    Image // ImageKey or ImageFull
	Old         schema.Tuple
}

func (m *Delete) decode(c *cursor) {
	m.RelationOID = c.uint32("relation OID")
	m.OldImage = Image(c.byte("old row's mark"))
	if m.OldImage != ImageKey && m.OldImage != ImageFull {
		c.failAt(c.offset-1, "old row's mark is %q, want 'K' or 'O'", byte(m.OldImage))
	}
	m.Old = c.tuple(m.Old)
}

func (c *cursor) expectNew(mark byte) {
	if mark != imageNew {
		c.failAt(c.offset-1, "new row's mark is %q, want 'N'", mark)
	}
}
