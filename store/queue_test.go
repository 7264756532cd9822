package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

// ingests gives the keys of the documents that got a job since the last time.
func (k *knowledge) ingests(t testing.TB) (keys []int64) {
	t.Helper()
	for _, job := range k.jobs.take() {
		if job.Kind == kyro.JobIngest {
			keys = append(keys, job.Key)
		}
	}
	return keys
}

func (k *knowledge) addMany(t testing.TB, n int) (ids []kyro.ID, keys []int64) {
	t.Helper()
	for i := range n {
		d := k.add(t, fmt.Sprintf("%s, number %d", k.bot, i))
		ids, keys = append(ids, d.ID), append(keys, d.ID.Key)
	}
	return ids, keys
}

func TestWhateverEndsARunFeedsTheNext(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		limits := kyro.DefaultLimits()
		limits.IngestWindow = 3
		k.store.Within(limits)
		ids, keys := k.addMany(t, 11)
		expect(t, "a window of them has jobs", k.ingests(t), keys[:3])
		other := k.other(t) // another bot of the same owner
		last, _ := other.addMany(t, 1)
		expect(t, "the owner's other bot waits as well", len(k.ingests(t)), 0)

		next := func(what string, want ...int64) {
			t.Helper()
			expect(t, what, k.ingests(t), want)
		}
		_, err := k.store.CancelDocument(ctx, k.owner, ids[0], k.tick())
		check(t, err)
		next("cancel", keys[3])
		_, err = k.store.DeleteDocument(ctx, k.owner, ids[1], k.tick())
		check(t, err)
		next("delete", keys[4])
		_, err = k.store.Step(ctx, ids[2], 1, kyro.DocumentStep{Status: kyro.DocumentFailed, Now: k.tick()})
		check(t, err)
		next("fail", keys[5])
		d := k.document(t, ids[3])
		k.activate(t, k.prepare(t, d, "text"))
		next("activate", keys[6])
		_, err = k.store.CancelDocument(ctx, k.owner, ids[10], k.tick())
		check(t, err)
		next("cancel of one without a job")
		_, err = k.store.DeleteDocument(ctx, k.owner, ids[9], k.tick())
		check(t, err)
		next("delete of one without a job")
		again, err := k.store.RestartDocument(ctx, k.owner, ids[0], k.tick())
		check(t, err)
		next("a retry waits as well")
		_, _, err = k.store.DeleteDocuments(ctx, k.owner, []kyro.ID{ids[4], ids[5]}, k.tick())
		check(t, err)
		next("deletes of two, of which one that is older goes first", keys[0], keys[7])
		expect(t, "the run of the retry", again.Run, int64(3))
		check(t, k.store.DeleteBot(ctx, k.owner, k.bot, k.tick()))
		next("delete of the bot", last[0].Key)
		owners, err := k.store.Feed(ctx)
		check(t, err)
		expect(t, "owners of whom something was missed", owners, 0)
	})
}

func TestFeedFindsWhatWasMissed(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ids, keys := k.addMany(t, 12)
		k.jobs.take()
		k.exec(t, fmt.Sprintf("UPDATE documents SET status = 'FAILED' WHERE id IN (%d, %d)", ids[0].Key, ids[5].Key))
		for i, want := range []int{1, 0} {
			owners, err := k.store.Feed(t.Context())
			check(t, err)
			expect(t, fmt.Sprint("owners, look ", i), owners, want)
		}
		expect(t, "jobs", k.ingests(t), keys[8:10])
	})
}

// Many ends at once give every place once.
func TestPlacesAreGivenOnce(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ids, keys := k.addMany(t, 24)
		var ends sync.WaitGroup
		for _, id := range ids[:8] {
			ends.Go(func() {
				_, err := k.store.Step(t.Context(), id, 1, kyro.DocumentStep{Status: kyro.DocumentFailed, Now: k.now})
				if err != nil {
					t.Error(err)
				}
			})
		}
		ends.Wait()
		got := k.ingests(t)
		slices.Sort(got)
		expect(t, "jobs", got, keys[:16])
	})
}

func TestRoomForDocuments(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		size := int64(100)
		add := func() error {
			_, _, err := k.store.AddDocument(t.Context(), kyro.NewDocument{
				BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentFile, Title: "x", SizeBytes: &size, Now: k.now,
			}, nil, nil)
			return err
		}
		within := func(l kyro.Limits) {
			l.IngestWindow = 8
			k.store.Within(l)
		}
		within(kyro.Limits{MaxDocuments: 5})
		var added, refused int
		var mu sync.Mutex
		var adds sync.WaitGroup
		for range 12 {
			adds.Go(func() {
				err := add()
				mu.Lock()
				defer mu.Unlock()
				switch kyro.ErrorCode(err) {
				case "":
					added++
				case kyro.CodeLimitReached:
					refused++
				default:
					t.Error(err)
				}
			})
		}
		adds.Wait()
		expect(t, "at once", [2]int{added, refused}, [2]int{5, 7})
		within(kyro.Limits{MaxStorageBytes: 599})
		expectCode(t, add(), kyro.CodeLimitReached)
		within(kyro.Limits{MaxStorageBytes: 600})
		check(t, add())
		within(kyro.Limits{MaxUnfinished: 6})
		expectCode(t, add(), kyro.CodeLimitReached)
		within(kyro.Limits{MaxUnfinished: 7})
		check(t, add())
		within(kyro.Limits{})
		check(t, add())
	})
}

func TestChangesOfManyDocuments(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		other := k.other(t)
		ready := k.ready(t, "ready", "text")
		failed, theirs := k.add(t, "failed"), other.add(t, "of another bot")
		for _, d := range []kyro.Document{failed, theirs} {
			_, err := k.store.CancelDocument(ctx, k.owner, d.ID, k.tick())
			check(t, err)
		}
		none := kyro.DocumentID(1 << 40)
		all := []kyro.ID{ready.ID, none, failed.ID, theirs.ID}
		k.jobs.take()
		changed, errs, err := k.store.RestartDocuments(ctx, k.owner, all, k.tick())
		check(t, err)
		expect(t, "restarted", []kyro.ID{changed[0].ID, changed[1].ID}, []kyro.ID{failed.ID, theirs.ID})
		expect(t, "stored", k.document(t, theirs.ID), changed[1])
		expectCode(t, errs[ready.ID], kyro.CodeConflict)
		expectCode(t, errs[none], kyro.CodeNotFound)
		expect(t, "jobs", k.ingests(t), []int64{failed.ID.Key, theirs.ID.Key})

		stranger, _, err := k.store.CreateUser(ctx, kyro.NewUser{Email: "s@example.com", Name: "S", CreatedAt: k.now}, kyro.Session{})
		check(t, err)
		changed, errs, err = k.store.DeleteDocuments(ctx, stranger.ID, all, k.tick())
		check(t, err)
		expect(t, "a stranger deletes", [2]int{len(changed), len(errs)}, [2]int{0, 4})

		entry := kyro.AuditEntry{Action: kyro.AuditDocumentDeleted, UserID: k.owner, Succeeded: true, At: k.now}
		changed, errs, err = k.store.DeleteDocuments(ctx, k.owner, all, k.tick(), entry)
		check(t, err)
		expect(t, "deleted", len(changed), 3)
		expectCode(t, errs[none], kyro.CodeNotFound)
		left, err := k.store.Documents(ctx, k.owner, all)
		check(t, err)
		expect(t, "left", len(left), 0)
		purges := k.jobs.take()
		expect(t, "purges", len(purges), 3)
		found, _ := k.search(t, "text")
		expect(t, "found", found, []string{})
		expect(t, "lines of the audit log", k.count(t, "audit_log", "action = '"+string(kyro.AuditDocumentDeleted)+"'"), 3)
	})
}

// What waits for a quota or a site leaves its place to the owner's next ones, but not without end.
func TestWhatWaitsLeavesItsPlace(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		limits := kyro.DefaultLimits()
		limits.IngestWindow = 2
		k.store.Within(limits)
		ids, keys := k.addMany(t, 12)
		expect(t, "a window of them has jobs", k.ingests(t), keys[:2])
		wait := func(i int) {
			t.Helper()
			at := k.tick().Add(time.Hour)
			var err error
			if i%2 == 0 {
				_, err = k.store.Step(t.Context(), ids[i], 1, kyro.DocumentStep{Status: kyro.DocumentWaitingQuota, RetryAt: &at, Now: k.now})
			} else {
				_, err = k.store.PostponeFetch(t.Context(), ids[i], 1, true, kyro.DocumentStep{Status: kyro.DocumentFetching, RetryAt: &at, Now: k.now})
			}
			check(t, err)
		}
		for i := range 6 {
			wait(i)
			expect(t, fmt.Sprint("the next, while so many wait: ", i+1), k.ingests(t), keys[i+2:i+3])
		}
		wait(6)
		expect(t, "four windows have jobs", len(k.ingests(t)), 0)
		wait(7)
		owners, err := k.store.Feed(t.Context())
		check(t, err)
		expect(t, "owners of whom something was missed", owners, 0)
		// Those that go on have their places again, and nobody gets one until they are fewer than a window.
		for i := range 3 {
			_, err := k.store.Step(t.Context(), ids[i], 1, kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.tick()})
			check(t, err)
		}
		_, err = k.store.CancelDocument(t.Context(), k.owner, ids[7], k.tick())
		check(t, err)
		expect(t, "while more than a window are worked on", len(k.ingests(t)), 0)
		for i := range 2 {
			_, err = k.store.CancelDocument(t.Context(), k.owner, ids[i], k.tick())
			check(t, err)
		}
		expect(t, "when there is a place", k.ingests(t), keys[8:9])
	})
}

func TestDocumentsWithoutAJobAreFound(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		ids, keys := k.addMany(t, 10)
		jobs := k.jobs.take()
		at, long := k.now.Add(time.Hour), k.now.Add(time.Minute)
		_, err := k.store.Step(ctx, ids[0], 1, kyro.DocumentStep{Status: kyro.DocumentWaitingQuota, RetryAt: &at, Now: k.now})
		check(t, err)
		k.jobs.take()
		_, err = k.store.Step(ctx, ids[1], 1, kyro.DocumentStep{Status: kyro.DocumentExtracting, Now: long})
		check(t, err)
		_, err = k.store.CancelDocument(ctx, k.owner, ids[2], k.now)
		check(t, err)
		k.jobs.take()
		got, err := k.store.Overdue(ctx, long, kyro.ID{}, 3)
		check(t, err)
		expect(t, "the first", got, jobs[3:6])
		got, err = k.store.Overdue(ctx, long, ids[5], 100)
		check(t, err)
		want := []kyro.Job{jobs[6], jobs[7], {Kind: kyro.JobIngest, Key: keys[8], Run: 1}, {Kind: kyro.JobIngest, Key: keys[9], Run: 1}}
		expect(t, "those behind them", got, want)

		for _, c := range []struct {
			job  kyro.Job
			want bool
		}{{jobs[3], true}, {jobs[2], false}, {kyro.Job{Kind: kyro.JobIngest, Key: keys[4], Run: 2}, false}} {
			enqueued, err := k.store.EnqueueAgain(ctx, c.job)
			check(t, err)
			expect(t, fmt.Sprint(c.job, " is enqueued again"), enqueued, c.want)
		}
		expect(t, "jobs", k.jobs.take(), []kyro.Job{jobs[3]})
	})
}
