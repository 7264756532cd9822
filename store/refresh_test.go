package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"kyrochat/kyro"
)

// begun begins to refresh and gives the documents that got a job.
func (k *knowledge) begun(t testing.TB, with string, limit, most int) (ids []kyro.ID) {
	t.Helper()
	k.jobs.take()
	n, _, err := k.store.BeginRefresh(t.Context(), with, limit, most)
	check(t, err)
	for _, job := range k.jobs.take() {
		if job.Kind != kyro.JobEmbed {
			t.Errorf("job %+v", job)
		}
		ids = append(ids, kyro.DocumentID(job.Key))
	}
	slices.SortFunc(ids, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
	if len(ids) != n {
		t.Errorf("%d jobs, %d begun", len(ids), n)
	}
	return ids
}

func (k *knowledge) vectorState(t testing.TB, id kyro.ID) kyro.VectorState {
	t.Helper()
	states, err := k.store.VectorStates(t.Context(), []kyro.ID{id})
	check(t, err)
	if len(states) != 1 {
		t.Fatalf("%d states of %s", len(states), id)
	}
	return states[0]
}

func TestRefreshFindsWhatWasMadeWithSomethingElse(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		// Prepared with "m@1"; the names of the others stand before and behind it in any order of letters.
		one, two := k.ready(t, "one", "a", "b"), k.ready(t, "two", "c")
		gone, unready := k.ready(t, "gone", "d"), k.prepare(t, k.add(t, "unready"), "e")
		renewed := k.renew(t, k.ready(t, "renewed", "f")) // its active version answers still
		_, err := k.store.DeleteDocument(ctx, k.owner, gone.ID, k.tick())
		check(t, err)

		expect(t, "with the same", k.begun(t, "m@1", 10, 10), nil)
		want := []kyro.ID{one.ID, two.ID, renewed.ID}
		expect(t, "with another", k.begun(t, "n@1|Index", 10, 10), want)
		expect(t, "once", k.begun(t, "n@1|Index", 10, 10), nil)
		expect(t, "with a third, which comes before the others", k.begun(t, "a@1", 2, 10), want[:2])
		expect(t, "the rest of it", k.begun(t, "a@1", 2, 10), want[2:])
		_ = unready

		state := k.vectorState(t, one.ID)
		expect(t, "state", state, kyro.VectorState{
			BotID: k.bot, DocumentID: one.ID, Title: "one", Version: 1, ActiveVersion: 1, Chunks: 2, EmbeddedWith: "m@1",
		})
		before := k.document(t, one.ID)
		generation := k.generation(t)
		check(t, k.store.FinishRefresh(ctx, state.Active(), "a@1"))
		if k.generation(t) <= generation {
			t.Error("the knowledge has not grown")
		}
		expect(t, "the document as its owner sees it", k.document(t, one.ID), before)
		expect(t, "finished", k.vectorState(t, one.ID).EmbeddedWith, "a@1")
		expect(t, "then", k.begun(t, "a@1", 10, 10), nil)

		check(t, k.store.EndRefresh(ctx, two.ID))
		expect(t, "given up", k.begun(t, "a@1", 10, 10), []kyro.ID{two.ID})

		expectCode(t, k.store.FinishRefresh(ctx, kyro.IndexedVersion{BotID: k.bot, DocumentID: two.ID, Version: 2}, "a@1"), kyro.CodeConflict)
		expectCode(t, k.store.FinishRefresh(ctx, versionOf(gone), "a@1"), kyro.CodeConflict)

		// The version that was being made comes with what its worker is configured with.
		k.prepare(t, renewed, "g")
		k.activate(t, renewed)
		expect(t, "renewed", k.vectorState(t, renewed.ID).EmbeddedWith, "m@1")
		expect(t, "renewed, then", k.begun(t, "a@1", 10, 10), []kyro.ID{renewed.ID})
	})
}

func TestRefreshIsBounded(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		for i := range 7 {
			k.ready(t, fmt.Sprint(i), "a")
		}
		counts := []int{}
		for range 3 {
			counts = append(counts, len(k.begun(t, "n@1", 2, 5)))
		}
		expect(t, "begun", append(counts, len(k.begun(t, "n@1", 2, 5))), []int{2, 2, 1, 0})
		more := func(what string, limit, most int, want bool) {
			t.Helper()
			_, more, err := k.store.BeginRefresh(t.Context(), "n@1", limit, most)
			check(t, err)
			expect(t, what, more, want)
		}
		more("two have no job", 2, 5, true)
		check(t, k.store.FinishRefresh(t.Context(), k.vectorState(t, kyro.DocumentID(1)).Active(), "n@1"))
		expect(t, "after one is done", len(k.begun(t, "n@1", 2, 5)), 1)
		more("one has no job", 9, 5, true)
		more("it gets one", 9, 9, false)
		more("all have one", 9, 9, false)
	})
}

// Two processes that look at the same time give every document one job.
func TestRefreshBeginsOnceForAllProcesses(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		for i := range 20 {
			k.ready(t, fmt.Sprint(i), "a")
		}
		k.jobs.take()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					if _, _, err := k.store.BeginRefresh(t.Context(), "n@1", 3, 100); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		jobs := map[int64]int{}
		for _, job := range k.jobs.take() {
			jobs[job.Key]++
		}
		for key, n := range jobs {
			if n != 1 {
				t.Errorf("document %d has %d jobs", key, n)
			}
		}
		expect(t, "documents with a job", len(jobs), 20)
	})
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		one, two, three := k.ready(t, "one", "a"), k.ready(t, "two", "b"), k.ready(t, "three", "c")
		former := versionOf(three)
		three = k.renew(t, three)
		k.prepare(t, three, "d")
		three = k.activate(t, three)
		gone := k.ready(t, "gone", "e")
		_, err := k.store.DeleteDocument(ctx, k.owner, gone.ID, k.tick())
		check(t, err)

		states, err := k.store.Embedded(ctx, "m@1", kyro.ID{}, 2)
		check(t, err)
		expect(t, "the first two", []kyro.ID{states[0].DocumentID, states[1].DocumentID}, []kyro.ID{one.ID, two.ID})
		states, err = k.store.Embedded(ctx, "m@1", states[1].DocumentID, 2)
		check(t, err)
		expect(t, "the rest", [2]any{len(states), states[0].DocumentID}, [2]any{1, three.ID})
		states, err = k.store.Embedded(ctx, "n@1", kyro.ID{}, 2)
		check(t, err)
		expect(t, "with something else", len(states), 0)

		doubted := []kyro.IndexedVersion{versionOf(one), former, versionOf(gone)}
		check(t, k.store.Doubt(ctx, "n@1", doubted))
		expect(t, "of something else", k.begun(t, "m@1", 10, 10), nil)
		check(t, k.store.Doubt(ctx, "m@1", doubted))
		check(t, k.store.Doubt(ctx, "m@1", nil))
		expect(t, "doubted", k.begun(t, "m@1", 10, 10), []kyro.ID{one.ID})
		states, err = k.store.VectorStates(ctx, []kyro.ID{gone.ID, two.ID, kyro.DocumentID(1 << 40)})
		check(t, err)
		expect(t, "live ones", [2]any{len(states), states[0].DocumentID}, [2]any{1, two.ID})
	})
}
