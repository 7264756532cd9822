package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"time"

	"kyrochat/graph"
	"kyrochat/kyro"
)

// enums are the nouns of kyro that the contract knows as enums. Their values are written as it writes them.
var enums = map[reflect.Type]string{
	reflect.TypeFor[kyro.Code]():           "ErrorCode",
	reflect.TypeFor[kyro.SignUpMode]():     "SignUpMode",
	reflect.TypeFor[kyro.DocumentKind]():   "DocumentKind",
	reflect.TypeFor[kyro.DocumentStatus](): "DocumentStatus",
	reflect.TypeFor[kyro.MessageRole]():    "MessageRole",
	reflect.TypeFor[kyro.MessageStatus]():  "MessageStatus",
	reflect.TypeFor[kyro.Grounding]():      "Grounding",
	reflect.TypeFor[kyro.FinishReason]():   "FinishReason",
	reflect.TypeFor[kyro.MessageNotice]():  "MessageNotice",
	reflect.TypeFor[kyro.Rating]():         "Rating",
	reflect.TypeFor[kyro.FeedbackReason](): "FeedbackReason",
	reflect.TypeFor[kyro.UsageKind]():      "UsageKind",
	reflect.TypeFor[kyro.BudgetPeriod]():   "BudgetPeriod",
	reflect.TypeFor[kyro.Interval]():       "Interval",
	reflect.TypeFor[kyro.ExportKind]():     "ExportKind",
	reflect.TypeFor[kyro.ExportFormat]():   "ExportFormat",
	reflect.TypeFor[kyro.ExportStatus]():   "ExportStatus",
}

var theSchema = graph.NewExecutableSchema(graph.Config{}).Schema()

var texts = []string{
	"", "plain", `a "quoted" text`, `back\slash and /slash`, "lines\nand\r\nmore\ttabs", "\x00\x01\x1f\x7f\b\f", "emoji 😀 and 👩‍👩‍👧", "Ünïcödé ⟨x⟩ \u2028\u2029",
	"not UTF-8: \xff\xfe \xc3( end", "cut \xf0\x9f\x98", "<script>&amp;</script>", "null", "{\"a\":[1]}", "\ufeffbom",
}

var moments = []time.Time{
	{}, time.Unix(0, 0), time.Date(2026, 11, 22, 11, 0, 0, 123456789, time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Date(12, 1, 2, 3, 4, 5, 6000, time.FixedZone("", -12*3600)),
}

// stranger is a node of no type of the schema.
type stranger struct{}

func (stranger) NodeID() kyro.ID { return kyro.ID{} }

// filler fills values of any type of the resolvers.
type filler struct {
	world *world
	dice  *rand.Rand
}

func (f *filler) fill(pointer any) { f.value(reflect.ValueOf(pointer).Elem()) }

func (f *filler) one(in int) bool { return f.dice.IntN(in) == 0 }

func pick[T any](d *rand.Rand, of []T) T { return of[d.IntN(len(of))] }

func (f *filler) value(v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(pick(f.dice, moments)))
		return
	case reflect.TypeFor[kyro.ID]():
		kinds := []kyro.Kind{kyro.KindUser, kyro.KindBot, kyro.KindDocument, kyro.KindChunk, kyro.KindConversation, kyro.KindMessage}
		if !f.one(20) {
			v.Set(reflect.ValueOf(kyro.ID{Kind: pick(f.dice, kinds), Key: f.dice.Int64()}))
		}
		return
	case reflect.TypeFor[kyro.Node]():
		f.node(v)
		return
	case reflect.TypeFor[func(int) string]():
		cursor := pick(f.dice, texts)
		v.Set(reflect.ValueOf(func(i int) string { return fmt.Sprint(cursor, i) }))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text(v.Type()))
	case reflect.Bool:
		v.SetBool(f.one(2))
	case reflect.Int, reflect.Int64:
		v.SetInt(pick(f.dice, []int64{0, 1, -1, 42, math.MaxInt32, math.MaxInt64, math.MinInt64, f.dice.Int64()}))
	case reflect.Float64:
		v.SetFloat(pick(f.dice, []float64{0, math.Copysign(0, -1), 1, 0.1, 1e21, 1e-7, -2.5, math.MaxFloat64, math.SmallestNonzeroFloat64, f.dice.Float64()}))
	case reflect.Uint32, reflect.Map: // figures, of which resolvers tell
	case reflect.Pointer:
		f.pointer(v)
	case reflect.Slice:
		f.list(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.value(v.Field(i))
			}
		}
	default:
		panic(fmt.Sprintf("no values of %s", v.Type()))
	}
}

func (f *filler) text(of reflect.Type) string {
	if enum, ok := enums[of]; ok {
		if f.one(30) {
			return "a value that is none"
		}
		return pick(f.dice, theSchema.Types[enum].EnumValues).Name
	}
	return pick(f.dice, texts)
}

// pointer makes nil of what may be null often, and of what may not at the world's rate.
func (f *filler) pointer(v reflect.Value) {
	leaf := v.Type().Elem().Kind() != reflect.Struct || v.Type().Elem() == reflect.TypeFor[time.Time]()
	if f.dice.IntN(100) < f.world.nulls || leaf && f.one(4) {
		return
	}
	v.Set(reflect.New(v.Type().Elem()))
	f.value(v.Elem())
	if v.Type().Elem().Kind() == reflect.Float64 && f.world.impossible && f.one(3) {
		v.Elem().SetFloat(pick(f.dice, []float64{math.NaN(), math.Inf(1), math.Inf(-1)}))
	}
}

func (f *filler) list(v reflect.Value) {
	if f.one(10) {
		return
	}
	n := f.dice.IntN(f.world.longest + 1)
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		f.value(v.Index(i))
	}
}

func (f *filler) node(v reflect.Value) {
	switch {
	case f.one(12):
		return
	case f.one(12):
		v.Set(reflect.ValueOf((*kyro.Bot)(nil)))
		return
	case f.world.strangers && f.one(8):
		v.Set(reflect.ValueOf(stranger{}))
		return
	}
	node := pick(f.dice, []kyro.Node{&kyro.User{}, &kyro.Bot{}, &kyro.Document{}, &kyro.Chunk{}, &kyro.Crawl{}, &kyro.Gap{}, &kyro.UploadSlot{}, &kyro.Export{}, &kyro.Conversation{}, &kyro.Message{}})
	f.value(reflect.ValueOf(node).Elem())
	v.Set(reflect.ValueOf(node))
}
