package kyro_test

import (
	"slices"
	"testing"

	"kyrochat/kyro"
)

// Where nothing is recorded, whoever tells of what they do pays nothing for it.
func TestWhatIsNotRecordedCostsNothing(t *testing.T) {
	ctx := kyro.WithViewer(t.Context(), kyro.Viewer{})
	var none kyro.Traces
	allocated := testing.AllocsPerRun(100, func() {
		ctx, root := none.Begin(ctx, "request", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		ctx, span := kyro.BeginPart(ctx, "part")
		span.Note("key", "value")
		span.Called(kyro.Called{System: "redis", Name: "get"})
		span.End("OK")
		root.Rename("other")
		root.Link(span.Context())
		root.End(kyro.TraceFrom(ctx).TraceID())
		if root.Recorded() || span.Recorded() {
			t.Error("something is recorded")
		}
	})
	if allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}

// recorder keeps the names of what began.
type recorder struct {
	name  string
	began *[]string
}

func (r recorder) Begin(name string) kyro.TraceRecorder {
	*r.began = append(*r.began, r.name+"/"+name)
	return recorder{r.name + "/" + name, r.began}
}
func (recorder) Called(kyro.Called) {}
func (recorder) Rename(string)      {}
func (recorder) Note(_, _ string)   {}
func (recorder) Link(string)        {}
func (recorder) End(string)         {}
func (r recorder) TraceID() string  { return r.name }
func (r recorder) Context() string  { return "from " + r.name }

func TestPartsOfWhatIsRecorded(t *testing.T) {
	t.Parallel()
	var began []string
	traces := kyro.Traces(func(name, from string) kyro.Trace { return kyro.NewTrace(recorder{from + name, &began}) })
	ctx, _ := traces.Begin(t.Context(), "request", "client>")
	inner, _ := kyro.BeginPart(ctx, "read")
	_, last := kyro.BeginPart(inner, "statement")
	kyro.BeginPart(kyro.WithTrace(ctx, kyro.Trace{}), "unseen") // of nothing, whatever is around it
	want := []string{"client>request/read", "client>request/read/statement"}
	if !slices.Equal(began, want) {
		t.Errorf("began %q, want %q", began, want)
	}
	if !last.Recorded() || last.TraceID() != want[1] || last.Context() != "from "+want[1] {
		t.Errorf("the last is %q, from %q", last.TraceID(), last.Context())
	}
}
