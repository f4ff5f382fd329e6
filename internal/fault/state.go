package fault

// State names why a capture may not go on by itself: going on would lose or
// invent changes. It is part of what people and programs see, so it never changes.
type State string

// The states: the last is of kind [Refused], the others are of kind [PositionLost].
const (
	GapDetected State = "gap_detected" // changes lie between the position and what the slot will send
	Diverged    State = "diverged"     // Kafka holds changes of another history than the server's
	SlotLost    State = "slot_lost"    // the server no longer keeps what comes next

	ShapeChanged State = "shape_changed" // a table that is to keep its columns has others
)
