package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium"
	"github.com/tetratelabs/wazero/api"
)

// pdfCalls calls the functions of one instance of the engine as its C headers declare them. go-pdfium starts instances and
// gives files to them; its own functions lock, look up every handle by a text, and take and give back memory in the
// engine for every number that is asked for, which for a page of letters took longer than reading it.
//
// A function of which nothing can be had gives 0, also where the engine stopped in the middle of it.
type pdfCalls struct {
	instance  engineInstance
	memory    *pdfMemory
	functions map[string]api.Function
	stack     [8]uint64
	room      uint64 // where functions leave more than a number: roomBytes in the engine's memory
}

// roomBytes suffices for all but long texts.
const roomBytes = 1 << 10

// engineInstance is what go-pdfium's implementation on WebAssembly offers.
type engineInstance interface {
	Fn(name string) api.Function
	CreateFileAccessReader(size int64, r io.ReadSeeker) (access *uint64, reader *uint32, err error)
	MallocNoZero(size uint64) (uint64, error)
	Free(pointer uint64) error
}

// pointer is an address or a handle in the engine; 0 is none.
type pointer = uint64

func newPDFCalls(instance pdfium.Pdfium, memory *pdfMemory) (*pdfCalls, error) {
	implementation, ok := instance.GetImplementation().(engineInstance)
	if !ok || memory == nil {
		return nil, errors.New("the PDF engine is not what it was")
	}
	c := &pdfCalls{instance: implementation, memory: memory, functions: map[string]api.Function{}}
	var err error
	c.room, err = implementation.MallocNoZero(roomBytes)
	return c, err
}

// function finds one by its name, once: the engine makes room for calls whenever it is asked.
func (c *pdfCalls) function(name string) api.Function {
	f, ok := c.functions[name]
	if !ok {
		f = c.instance.Fn(name)
		c.functions[name] = f
	}
	return f
}

func (c *pdfCalls) call(name string, parameters ...uint64) uint64 {
	f := c.function(name)
	if f == nil {
		return 0
	}
	copy(c.stack[:], parameters)
	if f.CallWithStack(context.Background(), c.stack[:]) != nil {
		return 0
	}
	return c.stack[0]
}

// number calls a function that gives an int, or something that is true or false.
func (c *pdfCalls) number(name string, parameters ...uint64) int {
	return int(int32(c.call(name, parameters...)))
}

// at is the engine's memory at an address; nil where that is beyond it.
func (c *pdfCalls) at(p pointer, size int) []byte {
	if p = uint64(uint32(p)); p+uint64(size) > uint64(len(c.memory.bytes)) {
		return nil
	}
	return c.memory.bytes[p:][:size:size]
}

// float is a number of the room, by its place among those of four bytes.
func (c *pdfCalls) float(place int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(c.at(c.room, roomBytes)[4*place:]))
}

// double is a number of the room, by its place among those of eight bytes.
func (c *pdfCalls) double(place int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(c.at(c.room, roomBytes)[8*place:]))
}

// wide reads a text in UTF-16 that a function writes into memory of the engine: it is told where, and how much room there
// is, and says how many bytes the text has with the zero at its end. Where that is more it is asked again.
func (c *pdfCalls) wide(write func(to pointer, size int) int) string {
	n := write(c.room, roomBytes)
	if n <= roomBytes {
		return fromWide(c.at(c.room, max(n, 0)))
	}
	if n > longestWide {
		return ""
	}
	to, err := c.instance.MallocNoZero(uint64(n))
	if err != nil {
		return ""
	}
	defer func() { _ = c.instance.Free(to) }()
	return fromWide(c.at(to, min(n, max(write(to, n), 0))))
}

// longestWide is the longest text, in bytes, that is read in UTF-16: titles are much shorter.
const longestWide = 1 << 20

func fromWide(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	if n := len(units); n > 0 && units[n-1] == 0 {
		units = units[:n-1]
	}
	if len(units) > 0 && units[0] == 0xFEFF {
		units = units[1:]
	}
	return string(utf16.Decode(units))
}

// Why a document does not open, by the numbers of the engine.
const (
	pdfPassword = 4
	pdfSecurity = 5
)

// open opens a document; 0 and a number of the engine's where that fails.
func (c *pdfCalls) open(r io.ReadSeeker, size int64) (doc pointer, failure int, err error) {
	access, _, err := c.instance.CreateFileAccessReader(size, r)
	if err != nil {
		return 0, 0, err
	}
	if doc = c.call("FPDF_LoadCustomDocument", *access, 0); doc == 0 {
		return 0, c.number("FPDF_GetLastError"), nil
	}
	return doc, 0, nil
}

// rect is a rectangle of a page, in points.
type rect struct{ left, top, right, bottom float64 }

// rectangle calls a function that leaves a rectangle behind its other parameters; false where there is none.
func (c *pdfCalls) rectangle(name string, parameters ...uint64) (r rect, ok bool) {
	if c.number(name, append(parameters, c.room)...) == 0 {
		return r, false
	}
	return rect{float64(c.float(0)), float64(c.float(1)), float64(c.float(2)), float64(c.float(3))}, true
}
