package kyro_test

import (
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
