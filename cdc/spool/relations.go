package spool

import (
	"bytes"
	"encoding/binary"
)

// relations remembers how each relation was announced last, as far as that holds
// for what is not streamed.
//
// A streamed transaction announces its relations in its own blocks, and has them
// replayed at its commit. Most tables cannot change their shape in between, as the
// transaction holds a lock on them; but a publication's columns can, and a schema's
// name. If the table was announced anew meanwhile, the server takes that as known
// (14.0 and 17.4 do; 18.6 announces once more). So a replay that brings back an
// older shape must end with the newer one.
type relations struct {
	current map[uint32]announcement // by relation OID
}

type announcement struct {
	order   uint64
	message []byte
}

// relationOID returns the OID in a Relation message, which follows its kind.
func relationOID(message []byte) (oid uint32, ok bool) {
	if len(message) < 5 {
		return 0, false // the decoder will refuse it
	}
	return binary.BigEndian.Uint32(message[1:]), true
}

// announce takes a Relation message that stands outside the blocks.
func (r *relations) announce(message []byte, order uint64) {
	if oid, ok := relationOID(message); ok {
		r.current[oid] = announcement{order, bytes.Clone(message)}
	}
}

// replay takes a Relation message of a transaction that has committed, and keeps
// the set of those that were announced anew after it.
func (r *relations) replay(next record, stale map[uint32]bool) {
	oid, ok := relationOID(next.message)
	if !ok {
		return
	}
	if r.current[oid].order > next.order {
		stale[oid] = true
		return
	}
	delete(stale, oid)
	r.announce(next.message, next.order)
}
