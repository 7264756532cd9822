package extract

// pdfMemory is the memory of one instance of the PDF engine. It is reserved as a whole and taken as it is written to, so
// that it grows without being copied, and it is given back at once: as memory of the runtime it was cleared, copied and
// collected for every document.
type pdfMemory struct {
	bytes    []byte
	reserved []byte // nil where the system gives none; then bytes are the runtime's
}

// newPDFMemory is a memory of at most so many bytes, without any yet.
func newPDFMemory(most uint64) *pdfMemory { return &pdfMemory{reserved: reserve(most)} }

// Reallocate makes the memory so large; nil where that is too much.
func (m *pdfMemory) Reallocate(size uint64) []byte {
	switch { // the engine itself asks for no more than it may have
	case size <= uint64(len(m.reserved)):
		m.bytes = m.reserved[:size]
	case m.reserved != nil:
		return nil
	case size <= uint64(cap(m.bytes)):
		m.bytes = m.bytes[:size]
	default:
		m.bytes = append(m.bytes, make([]byte, size-uint64(len(m.bytes)))...)
	}
	return m.bytes
}

// Free gives the memory back.
func (m *pdfMemory) Free() {
	if m.reserved != nil {
		release(m.reserved)
	}
	m.bytes, m.reserved = nil, nil
}
