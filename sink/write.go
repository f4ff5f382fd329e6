package sink

// Action is what a [Write] does to the stores.
type Action uint8

// The actions. A store ignores those that concern nothing it keeps.
const (
	// PutEvent sets an event's row, by its id and at its place in the history.
	PutEvent Action = iota + 1
	// DeleteEvent removes an event by its id; its place is another write's.
	DeleteEvent
	// DeletePlace removes an event from one place of the history: it was deleted
	// or has moved.
	DeletePlace
	// PutContent sets a content row.
	PutContent
	// DeleteContent removes a content row.
	DeleteContent
	// ClearHistory removes every place of one content, Place.Content.
	ClearHistory
)

// Write is one change of the stores. It takes effect where nothing of a higher
// version has: on what it names, whether that exists yet or not.
type Write struct {
	Action  Action
	Version int64 // microseconds; the version of the change that caused the write

	Row     *Row     // PutEvent
	Place   Place    // PutEvent, DeletePlace; DeleteEvent uses Event, ClearHistory uses Content
	Content *Content // PutContent, DeleteContent (which uses ID)
}

func putEvent(version int64, row *Row) Write {
	return Write{Action: PutEvent, Version: version, Row: row, Place: row.Place()}
}

func deleteEvent(version, id int64) Write {
	return Write{Action: DeleteEvent, Version: version, Place: Place{Event: id}}
}

func deletePlace(version int64, place Place) Write {
	return Write{Action: DeletePlace, Version: version, Place: place}
}

func putContent(c *Content) Write {
	w := Write{Action: PutContent, Version: c.Version, Content: c}
	if !c.Exists {
		w.Action = DeleteContent
	}
	return w
}

func clearHistory(version int64, content UUID) Write {
	return Write{Action: ClearHistory, Version: version, Place: Place{Content: content}}
}

// coalesce drops the writes that a higher version among the same writes makes
// void, in place. A PutEvent stays while it is the newest of either its event or
// its place. Only event writes are looked at.
func coalesce(writes []Write) []Write {
	events := make(map[int64]int64, len(writes))
	places := make(map[Place]int64, len(writes))
	for i := range writes {
		w := &writes[i]
		if w.Action == PutEvent || w.Action == DeleteEvent {
			events[w.Place.Event] = max(events[w.Place.Event], w.Version)
		}
		if w.Action == PutEvent || w.Action == DeletePlace {
			places[w.Place] = max(places[w.Place], w.Version)
		}
	}
	kept := writes[:0]
	for _, w := range writes {
		newestEvent := w.Version == events[w.Place.Event]
		newestPlace := w.Version == places[w.Place]
		switch w.Action {
		case PutEvent:
			if !newestEvent && !newestPlace {
				continue
			}
		case DeleteEvent:
			if !newestEvent {
				continue
			}
		case DeletePlace:
			if !newestPlace {
				continue
			}
		}
		kept = append(kept, w)
	}
	return kept
}
