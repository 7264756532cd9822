package plan

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Run is one execution of a plan. It is used by one goroutine.
//
// A method that writes a value reports false where the value must not be null and is: the object it belongs to is
// null then, or what that belongs to. Whoever can be null itself takes back what was written (Mark, Undo).
type Run struct {
	Buf []byte // the response so far
	Max int    // bytes, of a response that is given up soon after it is longer; 0: any
	// Resolved is told how long the resolver of a field at the top of a query took; nil: nobody is.
	Resolved func(field string, took time.Duration)
	// Resolving gives the resolver of a field at the top of a query its context, and hears of its end; nil: nobody does.
	Resolving func(ctx context.Context, field string) (context.Context, func(error))

	ctx   context.Context
	op    *graphql.OperationContext
	root  string                // the type at the top
	from  *graphql.FieldContext // of a subscription: the field whose events these are
	path  []step
	slots []prepared // nil until one is needed: most events of a stream need none
	count int        // of slots
	undid int        // how often something was taken back, or an error noted
}

// step is one part of the path to what is being written: a field, or an index where field is nil.
type step struct {
	field *Field
	index int
}

// prepared is what the resolver of a field gets, the same for every object.
type prepared struct {
	ctx   context.Context
	field *graphql.FieldContext
	last  written
}

func (r *Run) slot(f *Field) *prepared {
	if r.slots == nil {
		r.slots = make([]prepared, r.count)
	}
	return &r.slots[f.slot]
}

// written is where the text of an object is.
type written struct {
	object     any // a pointer
	start, end int
	undid      int
}

// Again writes the object that the field led to last a second time, where it is the same one: many rows of a list
// have one owner. It is the text that is copied, so that an object is looked at once.
func (r *Run) Again(f *Field, object any) bool {
	last := &r.slot(f).last
	if last.object != object || last.undid != r.undid {
		return false
	}
	r.Buf = append(r.Buf, r.Buf[last.start:last.end]...)
	return true
}

// Wrote notes that the object was written from the mark on. Where an error was noted meanwhile, it is not written
// again: the error of the next one has another path.
func (r *Run) Wrote(f *Field, object any, from Mark) {
	if from.undid != r.undid {
		return
	}
	r.slot(f).last = written{object: object, start: from.buf, end: len(r.Buf), undid: r.undid}
}

// NewRun makes a run of the operation that ctx belongs to, which writes into the buffer.
func NewRun(ctx context.Context, p *Plan, buffer []byte) *Run {
	return &Run{Buf: buffer, ctx: ctx, op: graphql.GetOperationContext(ctx), root: p.Root.Type, count: p.slots, path: make([]step, 0, 8)}
}

// Guard runs what writes the root object, and reports whether there is data: it answers for panics of fields
// that have no resolver. A response that is too long is data as far as it goes, and longer than Max.
func (r *Run) Guard(write func() bool) (ok bool) {
	defer func() {
		if p := recover(); p == tooLong {
			ok = true
		} else if p != nil {
			r.panicked(nil, p)
			ok = false
		}
	}()
	return write()
}

// Key begins a field of an object.
func (r *Run) Key(f *Field) { r.Buf = append(r.Buf, f.key...) }

// Open begins an object.
func (r *Run) Open() { r.Buf = append(r.Buf, '{') }

// Close ends it.
func (r *Run) Close() { r.Buf = append(r.Buf, '}') }

// Enter goes on to what a field leads to.
func (r *Run) Enter(f *Field) { r.path = append(r.path, step{field: f}) }

// Leave comes back.
func (r *Run) Leave() { r.path = r.path[:len(r.path)-1] }

// OpenList begins a list.
func (r *Run) OpenList() {
	r.Buf = append(r.Buf, '[')
	r.path = append(r.path, step{})
}

// tooLong ends a run from where it is.
var tooLong = new(int)

// Item begins the next element.
func (r *Run) Item(i int) {
	if r.Max > 0 && len(r.Buf) > r.Max {
		panic(tooLong)
	}
	if i > 0 {
		r.Buf = append(r.Buf, ',')
	}
	r.path[len(r.path)-1].index = i
}

// CloseList ends it.
func (r *Run) CloseList() {
	r.Buf = append(r.Buf, ']')
	r.Leave()
}

// Null writes null.
func (r *Run) Null() { r.Buf = append(r.Buf, "null"...) }

// Mark is a place to come back to.
type Mark struct{ buf, path, undid int }

// Mark remembers the place.
func (r *Run) Mark() Mark { return Mark{len(r.Buf), len(r.path), r.undid} }

// Undo takes back what was written since, and writes null.
func (r *Run) Undo(m Mark) {
	r.Buf, r.path = r.Buf[:m.buf], r.path[:m.path]
	r.undid++
	r.Null()
}

// Int writes a whole number.
func (r *Run) Int(n int64) { r.Buf = strconv.AppendInt(r.Buf, n, 10) }

// Boolean writes a truth value.
func (r *Run) Boolean(b bool) { r.Buf = strconv.AppendBool(r.Buf, b) }

// Write makes Run a writer for marshallers that are not known here.
func (r *Run) Write(p []byte) (int, error) {
	r.Buf = append(r.Buf, p...)
	return len(p), nil
}

// Marshal writes a value by its own marshaller. It reports false where that failed, which is noted; nothing is written
// then.
func (r *Run) Marshal(f *Field, m graphql.ContextMarshaler) bool {
	mark := len(r.Buf)
	if err := m.MarshalGQLContext(r.ctx, r); err != nil {
		r.Buf = r.Buf[:mark]
		r.op.Error(r.at(f), err)
		return false
	}
	return true
}

const hex = "0123456789ABCDEF"

// Word writes a text that needs no escaping.
func (r *Run) Word(s string) { r.Buf = append(append(append(r.Buf, '"'), s...), '"') }

// String writes a text.
func (r *Run) String(s string) {
	b := append(r.Buf, '"')
	start := 0
	for i := plain(s, 0); i < len(s); i = plain(s, i+1) {
		b = append(b, s[start:i]...)
		switch c := s[i]; c {
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		case '\n':
			b = append(b, '\\', 'n')
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	r.Buf = append(b, '"')
}

// plain is the place of the first character from i on that JSON escapes, or the length of the text. Eight bytes are
// looked at in one step: of x-n, for bytes x below 0x80, the highest bit is set where x < n.
func plain(s string, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, slash := x^ones*'"', x^ones*'\\'
		if ((x-ones*0x20)&^x|(quote-ones)&^quote|(slash-ones)&^slash)&high != 0 {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// Fail notes an error of a field's resolver. It gives false, which is what the field is worth then.
func (r *Run) Fail(f *Field, err error) bool {
	ctx := r.at(f)
	r.op.Error(ctx, graphql.AddFieldLocationToError(ctx, err))
	return false
}

// MustNotBeNull notes that a field of the type must not be null and is, unless an error of it tells why.
func (r *Run) MustNotBeNull(f *Field, declared string) bool {
	graphql.AddInvalidNullError(r.at(f), declared)
	return false
}

// Stranger notes that a value is of no type that the field may have, which is told as a panic is: it is a mistake in
// the code.
func (r *Run) Stranger(f *Field, value any) { r.panicked(f, fmt.Errorf("unexpected type %T", value)) }

func (r *Run) panicked(f *Field, with any) {
	ctx := r.at(f)
	r.op.Error(ctx, r.op.Recover(ctx, with))
}

// at makes the context that an error of the field is presented in. Only errors need the path in gqlgen's own form.
func (r *Run) at(f *Field) context.Context {
	r.undid++ // an object that was written with an error is not written again without
	ctx := graphql.WithFieldContext(r.ctx, &graphql.FieldContext{Object: r.root})
	steps := r.path
	if f != nil && !slices.ContainsFunc(steps, func(s step) bool { return s.field == f }) {
		steps = append(slices.Clip(steps), step{field: f})
	}
	for _, s := range steps {
		fc := &graphql.FieldContext{Index: &s.index}
		if s.field != nil {
			fc = fieldContext(s.field)
			if p := r.slot(s.field); p.field != nil {
				fc.Args, fc.IsMethod, fc.IsResolver = p.field.Args, true, true
			} else if r.from != nil && s.field.above == nil {
				fc.Args, fc.IsMethod, fc.IsResolver = r.from.Args, true, true
			}
		}
		ctx = graphql.WithFieldContext(ctx, fc)
	}
	return ctx
}

func fieldContext(f *Field) *graphql.FieldContext {
	return &graphql.FieldContext{Object: f.ObjectDefinition.Name, Field: f.CollectedField}
}

type fieldKey struct{}

// FieldFrom is the field whose resolver ctx was made for; nil where gqlgen runs it.
func FieldFrom(ctx context.Context) *Field {
	f, _ := ctx.Value(fieldKey{}).(*Field)
	return f
}

// Arguments reads a field's arguments, as gqlgen generates it.
type Arguments func(ctx context.Context, raw map[string]any) (map[string]any, error)

// Resolve calls a field's resolver. It reports false where that failed, which is noted.
func Resolve[T any](r *Run, f *Field, arguments Arguments, resolver func(context.Context, *graphql.FieldContext) (T, error)) (value T, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked(f, p)
			ok = false
		}
	}()
	p := r.slot(f)
	if p.ctx == nil && !r.prepare(p, f, arguments) {
		return value, false
	}
	ctx, timed, began := p.ctx, f.above == nil && r.Resolved != nil, time.Time{}
	var resolved func(error)
	if f.above == nil && r.Resolving != nil {
		ctx, resolved = r.Resolving(ctx, f.Name)
	}
	if timed {
		began = time.Now()
	}
	value, err := resolver(ctx, p.field)
	if timed {
		r.Resolved(f.Name, time.Since(began))
	}
	if resolved != nil {
		resolved(err)
	}
	if err != nil {
		return value, r.Fail(f, err)
	}
	return value, true
}

// prepare reads the arguments of a field, once for all objects.
func (r *Run) prepare(p *prepared, f *Field, arguments Arguments) bool {
	fc := fieldContext(f)
	fc.IsMethod, fc.IsResolver = true, true
	if arguments != nil {
		args, err := arguments(r.ctx, f.ArgumentMap(r.op.Variables))
		if err != nil {
			// Once more, so that what is wrong is told with the path of this object.
			ctx := r.at(f)
			if args, err = arguments(ctx, f.ArgumentMap(r.op.Variables)); err != nil {
				r.op.Error(ctx, err)
				return false
			}
		}
		fc.Args = args
	}
	p.field = fc
	p.ctx = context.WithValue(graphql.WithFieldContext(r.ctx, fc), fieldKey{}, f)
	return true
}
