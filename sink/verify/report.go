package verify

import (
	"time"

	"penstock/schema"
)

// Kind is how a place differs from Postgres.
type Kind string

// The kinds.
const (
	Missing    Kind = "missing"    // Postgres has the row, the place lacks it
	Extra      Kind = "extra"      // the place has a row that it should not have there
	Different  Kind = "different"  // both have it, and not the same
	Unreadable Kind = "unreadable" // the pipeline cannot take the row as Postgres has it
	Changing   Kind = "changing"   // it differed each time, and each time another way: no difference is proven
)

// Difference is one row at one place that is not as Postgres says.
type Difference struct {
	Pipeline string  `json:"pipeline"`
	Place    string  `json:"place"`
	Kind     Kind    `json:"kind"`
	Table    string  `json:"table"` // whose row it is
	Key      string  `json:"key"`   // of the row, or of the place where it is no row's
	Fields   []Field `json:"fields"`
	Why      string  `json:"why,omitempty"`

	// Waiting is the id of the dead letter that the row waits for.
	Waiting string `json:"waiting,omitempty"`

	// ByHand says, the first time that a difference is told, why no repair mends it, and what is to be done.
	ByHand string `json:"by_hand,omitempty"`

	// Repaired says, the second time that a difference is told, that it is gone.
	Repaired bool `json:"repaired,omitempty"`
	// Unrepaired says why it could not be repaired, or that it is still there.
	Unrepaired string `json:"unrepaired,omitempty"`
}

// Count is how many entries a place has.
type Count struct {
	Place    string `json:"place"`
	Postgres int64  `json:"postgres"` // that it should have
	Store    int64  `json:"store"`
}

// Report is what a run has found.
type Report struct {
	Pipeline string        `json:"pipeline"`
	LSN      schema.LSN    `json:"-"`
	Counts   []Count       `json:"counts"` // as first met, with what was on its way
	Looked   int64         `json:"rechecked"`
	Elapsed  time.Duration `json:"-"`
	Notes    []string      `json:"notes,omitempty"`

	Differences int64 `json:"differences"`
	ByHand      int64 `json:"by_hand"` // of the differences: no repair mends them
	Changing    int64 `json:"changing"`
	Repaired    int64 `json:"repaired"`
	Left        int64 `json:"left"` // differences that are not repaired
}
