package cdc

// TakeMessages makes events of logical messages, as a topic for them does.
func (a *Assembler) TakeMessages() { a.takes = func(string) bool { return true } }
