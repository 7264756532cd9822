//go:build !linux

package extract

// reserve gives nothing: the engine's memory is the runtime's.
func reserve(uint64) []byte { return nil }

func release([]byte) {}
