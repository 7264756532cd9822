package store_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
	"kyrochat/store"
)

var (
	_ ingest.SlotStore   = (*store.Store)(nil)
	_ ingest.ObjectStore = (*store.Store)(nil)
)

func (k *knowledge) slot(t testing.TB) kyro.UploadSlot {
	t.Helper()
	u, err := k.store.CreateSlot(t.Context(), kyro.UploadSlot{
		OwnerID: k.owner, BotID: k.bot, FileName: "a.txt", CreatedAt: k.tick(), ExpiresAt: k.now.Add(time.Hour),
	}, kyro.MaxSlots)
	check(t, err)
	return u
}

// fill makes the document of a slot.
func (k *knowledge) fill(t testing.TB, u kyro.UploadSlot, size int64, object string) (kyro.Document, error) {
	t.Helper()
	d, _, err := k.store.AddDocument(t.Context(), kyro.NewDocument{
		BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentFile, Title: "a", FileName: "a.txt", Now: k.tick(), SlotID: u.ID,
		SizeBytes: &size, Object: object,
	}, nil, nil)
	return d, err
}

func TestSlots(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		u := k.slot(t)
		body := noise(700)
		check(t, k.store.AddPart(ctx, u.ID, 0, 300, body[:300]))
		for _, at := range []int64{0, 299, 301} {
			expectCode(t, k.store.AddPart(ctx, u.ID, at, 10, body[:10]), kyro.CodeConflict)
		}
		check(t, k.store.AddPart(ctx, u.ID, 300, 400, body[300:]))
		got, err := io.ReadAll(k.store.Parts(ctx, u.ID))
		check(t, err)
		if !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back", len(got))
		}
		seen, err := k.store.Slots(ctx, k.owner, []kyro.ID{u.ID})
		check(t, err)
		expect(t, "received", seen[0].ReceivedBytes, 700)
		others, err := k.store.Slots(ctx, kyro.UserID(k.owner.Key+1), []kyro.ID{u.ID})
		check(t, err)
		expect(t, "slots of others", len(others), 0)

		_, err = k.fill(t, u, 699, "")
		expectCode(t, err, kyro.CodeConflict)
		d, err := k.fill(t, u, 700, "")
		check(t, err)
		_, err = k.fill(t, u, 700, "")
		expectCode(t, err, kyro.CodeConflict)
		expect(t, "documents", k.count(t, "documents", "1 = 1"), 1)
		expect(t, "parts", k.count(t, "upload_parts", "1 = 1"), 0)
		open, err := k.store.OpenSlot(ctx, u.ID, k.now)
		check(t, err)
		expect(t, "the document", open.DocumentID, d.ID)
		expectCode(t, k.store.AddPart(ctx, u.ID, 700, 1, body[:1]), kyro.CodeConflict)
		check(t, k.store.DropSlot(ctx, u.ID)) // which leaves it
		unknown, err := k.store.UnknownSlots(ctx, []kyro.ID{u.ID, kyro.UploadID(99)})
		check(t, err)
		expect(t, "slots without a use for parts", unknown, []kyro.ID{u.ID, kyro.UploadID(99)})
	})
}

// TestUploadsAreLimited: what is sent, and comes to nothing, takes as much room as documents do.
func TestUploadsAreLimited(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx, limits := t.Context(), kyro.DefaultLimits()
		limits.MaxStorageBytes = 1_000
		k.store.Within(limits)
		first, second := k.slot(t), k.slot(t)
		_, err := k.fill(t, kyro.UploadSlot{}, 300, "")
		check(t, err)
		check(t, k.store.AddPart(ctx, first.ID, 0, 400, noise(400)))
		check(t, k.store.AddPart(ctx, second.ID, 0, 300, noise(300)))
		expectCode(t, k.store.AddPart(ctx, second.ID, 300, 1, noise(1)), kyro.CodeLimitReached)
		size := int64(1)
		_, err = k.store.CreateSlot(ctx, kyro.UploadSlot{
			OwnerID: k.owner, BotID: k.bot, FileName: "b.txt", SizeBytes: &size, CreatedAt: k.tick(), ExpiresAt: k.now.Add(time.Hour),
		}, kyro.MaxSlots)
		expectCode(t, err, kyro.CodeLimitReached)
		open, err := k.store.OpenSlot(ctx, second.ID, k.now)
		check(t, err)
		expect(t, "received", open.ReceivedBytes, 300)
		expect(t, "bytes of parts", k.count(t, "upload_parts", "at = 300"), 0)

		check(t, k.store.DropSlot(ctx, first.ID))
		check(t, k.store.AddPart(ctx, second.ID, 300, 100, noise(100)))
		_, err = k.fill(t, second, 400, "") // which counts once
		check(t, err)
		check(t, k.store.AddPart(ctx, k.slot(t).ID, 0, 300, noise(300)))
		expectCode(t, k.store.AddPart(ctx, k.slot(t).ID, 0, 1, noise(1)), kyro.CodeLimitReached)
	})
}

func TestTwoWhoSendAtOnce(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		u := k.slot(t)
		won, sending := make([]bool, 8), sync.WaitGroup{}
		for i := range won {
			sending.Go(func() {
				won[i] = k.store.AddPart(t.Context(), u.ID, 0, 4, []byte(fmt.Sprintf("%04d", i))) == nil
			})
		}
		sending.Wait()
		got, err := io.ReadAll(k.store.Parts(t.Context(), u.ID))
		check(t, err)
		winner := slices.Index(won, true)
		if winner < 0 || slices.Contains(won[winner+1:], true) || string(got) != fmt.Sprintf("%04d", winner) {
			t.Errorf("%v won, and %q is there", won, got)
		}
	})
}

func TestSlotsEnd(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		var all []kyro.UploadSlot
		for range kyro.MaxSlots {
			all = append(all, k.slot(t))
			check(t, k.store.AddPart(ctx, all[len(all)-1].ID, 0, 3, []byte("abc")))
		}
		another := kyro.UploadSlot{OwnerID: k.owner, BotID: k.bot, FileName: "b.txt", CreatedAt: k.now, ExpiresAt: k.now.Add(time.Hour)}
		_, err := k.store.CreateSlot(ctx, another, kyro.MaxSlots)
		expectCode(t, err, kyro.CodeLimitReached)
		check(t, k.store.DropSlot(ctx, all[0].ID))
		_, err = k.store.CreateSlot(ctx, another, kyro.MaxSlots)
		check(t, err)
		another.BotID = kyro.BotID(999)
		_, err = k.store.CreateSlot(ctx, another, kyro.MaxSlots)
		expectCode(t, err, kyro.CodeNotFound)

		_, err = k.store.OpenSlot(ctx, all[0].ID, k.now)
		expectCode(t, err, kyro.CodeNotFound)
		_, err = k.store.OpenSlot(ctx, all[1].ID, all[1].ExpiresAt)
		expectCode(t, err, kyro.CodeNotFound)
		check(t, k.store.SweepSlots(ctx, all[5].ExpiresAt))
		expect(t, "slots", k.count(t, "upload_slots", "1 = 1"), kyro.MaxSlots-5)
		check(t, k.store.SweepSlots(ctx, k.now.Add(2*time.Hour)))
		expect(t, "slots", k.count(t, "upload_slots", "1 = 1"), 0)
		expect(t, "parts", k.count(t, "upload_parts", "1 = 1"), 0)

		last := k.slot(t)
		k.exec(t, fmt.Sprintf("UPDATE users SET deactivated_at = created_at WHERE id = %d", k.owner.Key))
		_, err = k.store.OpenSlot(ctx, last.ID, k.now)
		expectCode(t, err, kyro.CodeNotFound)
	})
}

func TestObjectsOfDocuments(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		u := k.slot(t)
		check(t, k.store.AddPart(ctx, u.ID, 0, 3, []byte("abc")))
		d, err := k.fill(t, u, 3, "first")
		check(t, err)
		for version, want := range map[int]string{0: "", 1: "first", 2: "first"} {
			object, err := k.store.Object(ctx, d.ID, version)
			check(t, err)
			expect(t, fmt.Sprint("object of version ", version), object, want)
		}
		unknown, err := k.store.UnknownObjects(ctx, []string{"first", "orphan"})
		check(t, err)
		expect(t, "unknown", strings.Join(unknown, " "), "orphan")
		_, err = k.store.OwnDocument(ctx, k.owner, d.ID)
		check(t, err)
		_, err = k.store.OwnDocument(ctx, kyro.UserID(k.owner.Key+1), d.ID)
		expectCode(t, err, kyro.CodeNotFound)
		objects, err := k.store.DeadObjects(ctx, d.ID)
		check(t, err)
		expect(t, "objects to remove of a live document", len(objects), 0)
		_, err = k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		object, err := k.store.Object(ctx, d.ID, 1)
		check(t, err)
		expect(t, "object of a deleted document", object, "")
		objects, err = k.store.DeadObjects(ctx, d.ID)
		check(t, err)
		expect(t, "objects to remove", objects, []string{"first"})
		k.purge(t, d.ID)
		objects, err = k.store.DeadObjects(ctx, d.ID)
		check(t, err)
		expect(t, "objects after the purge", len(objects), 0)
		expect(t, "slots after the purge", k.count(t, "upload_slots", "1 = 1"), 0)
	})
}
