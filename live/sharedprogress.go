package live

import (
	"context"

	"kyrochat/kyro"
)

// SharedProgress is Progress that watchers on every node see.
type SharedProgress struct {
	*Progress
	bus *Bus
}

const signalProgress = "progress"

// progressSignal is a change for the other nodes.
type progressSignal struct {
	Bot      kyro.ID
	Progress kyro.DocumentProgress
}

// NewSharedProgress tells the other nodes over the bus, and is told by them. Without a bus it is the local one.
func NewSharedProgress(bus *Bus, local *Progress) *SharedProgress {
	On(bus, signalProgress, func(s progressSignal) { local.Publish(context.Background(), s.Bot, s.Progress) })
	bus.OnMissed(local.lose)
	return &SharedProgress{Progress: local, bus: bus}
}

// Publish tells the watchers of the document and of the bot, on every node. It never waits for one.
func (p *SharedProgress) Publish(ctx context.Context, bot kyro.ID, progress kyro.DocumentProgress) {
	p.Progress.Publish(ctx, bot, progress)
	Send(p.bus, signalProgress, progressSignal{bot, progress})
}
