package program

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage is made before it is collected, in percent of what lives (see GOGC). While little lives, collecting
// often would cost more than memory does. Thousands of streams are another matter: their stacks and buffers live, and
// a token makes hardly any garbage.
const (
	mostGarbage  = 400
	leastGarbage = 100
	freeGarbage  = 64 << 20 // bytes that may always be made, within mostGarbage
)

// garbageFor is the GOGC for so many bytes that live.
func garbageFor(live uint64) int {
	return int(min(mostGarbage, max(leastGarbage, freeGarbage*100/max(live, 1))))
}

// tender keeps the collector's goal right for what lives, from one collection to the next.
type tender struct {
	percent int
	samples []metrics.Sample
}

// tendGarbage sets GOGC for as long as the process runs.
func tendGarbage() {
	t := &tender{percent: mostGarbage, samples: []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}}}
	debug.SetGCPercent(t.percent)
	runtime.SetFinalizer(t, (*tender).tend)
}

// tend runs after each collection, which finds that nobody has the tender.
func (t *tender) tend() {
	metrics.Read(t.samples)
	var live uint64
	for _, s := range t.samples {
		if s.Value.Kind() == metrics.KindUint64 {
			live += s.Value.Uint64()
		}
	}
	if percent := garbageFor(live); percent != t.percent {
		t.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(t, (*tender).tend)
}
