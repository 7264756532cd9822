package live

import "kyrochat/kyro"

// SharedWakes are Wakes that reach those who follow a conversation on every node. Some may be missed while Redis is
// away; who follows looks more often then.
type SharedWakes struct {
	*Wakes
	bus *Bus
}

const signalWake = "wake"

// NewSharedWakes wakes the other nodes over the bus, and is woken by them. Without a bus it is the local one.
func NewSharedWakes(bus *Bus, local *Wakes) *SharedWakes {
	On(bus, signalWake, local.Wake)
	return &SharedWakes{Wakes: local, bus: bus}
}

// Wake wakes all who watch the conversation, on this node at once and on the others soon.
func (w *SharedWakes) Wake(conversation kyro.ID) {
	w.Wakes.Wake(conversation)
	Send(w.bus, signalWake, conversation)
}

// Connected reports whether the wakes of all other processes on the same data arrive as well.
func (w *SharedWakes) Connected() bool { return w.bus.Connected() }
