// Package deadletter is the bytes on the topic of dead letters: what could not
// be processed, where it was, why, and what an operator has decided of it.
//
// A letter has the original record's key, value and headers octet for octet and
// says the rest in headers of its own, so that any consumer reads the record as
// it was. Its key is its id, a function of where the record lies and of nothing
// else: what is written again after a crash is the same letter, and a compacted
// topic (see [TopicConfigs]) keeps each one, once, until it is removed. What has become of a
// letter is a record of its own beside it.
//
// Pure and total. Read letter.go, state.go, then message.go.
package deadletter
