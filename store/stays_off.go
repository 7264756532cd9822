package store

import (
	"context"
	"slices"
)

// What people switched off stays off where the same text is cut in another way. Passages are compared by their places then:
// a new one is off where it shares a quarter of itself with a passage that was off, or a quarter of that. It is less than
// half, so that a passage which is cut in two does not come back by one of its halves, and more than passages share with
// their neighbours by default. A passage that was there before, as it is, keeps what was said of it.

// shareThatCounts is one of so many parts.
const shareThatCounts = 4

// place is where a passage stands.
type place struct {
	ID                 int64
	CharStart, CharEnd int
	ContentHash        string
	Enabled            bool
}

// staysOff switches off passages of the version that is about to be activated, where it has the text of the version in use.
func (tx *writeTx) staysOff(ctx context.Context, before *documentRow) error {
	places := func(version int) (list []place, err error) {
		err = tx.NewSelect().Table("chunks").Column("id", "char_start", "char_end", "content_hash", "enabled").
			Where("document_id = ? AND version = ?", before.ID, version).Order("char_start").Scan(ctx, &list)
		return list, err
	}
	off, err := tx.NewSelect().Table("chunks").Where("document_id = ? AND version = ? AND NOT enabled", before.ID, before.ActiveVersion).Count(ctx)
	if err != nil || off == 0 {
		return err
	}
	var hashes []string
	err = tx.NewSelect().Table("document_texts").ColumnExpr("DISTINCT hash").
		Where("document_id = ? AND version IN (?, ?) AND char_start = 0", before.ID, before.ActiveVersion, before.Version).
		Where("hash IS NOT NULL").Scan(ctx, &hashes)
	if err != nil || len(hashes) != 1 {
		return err
	}
	was, err := places(before.ActiveVersion)
	if err != nil {
		return err
	}
	is, err := places(before.Version)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(hidden(was, is), 1_000) {
		if _, err := tx.NewUpdate().Table("chunks").Set("enabled = ?", false).Where("id IN (?)", list(batch)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hidden are the passages that have so much of one which was off. Both lists are in the order of the text.
func hidden(was, is []place) (ids []int64) {
	known := map[string]bool{}
	var off []place
	for _, p := range was {
		known[p.ContentHash] = true
		if !p.Enabled {
			off = append(off, p)
		}
	}
	first := 0 // of those that may reach into the present one; what ends before it begins ends before all that follow
	for _, p := range is {
		for first < len(off) && off[first].CharEnd <= p.CharStart {
			first++
		}
		if known[p.ContentHash] || !p.Enabled {
			continue
		}
		for _, o := range off[first:] {
			if o.CharStart >= p.CharEnd {
				break
			}
			shared := min(p.CharEnd, o.CharEnd) - max(p.CharStart, o.CharStart)
			if shared > 0 && shared*shareThatCounts >= min(p.CharEnd-p.CharStart, o.CharEnd-o.CharStart) {
				ids = append(ids, p.ID)
				break
			}
		}
	}
	return ids
}
