package store_test

import (
	"archive/zip"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"kyrochat/export"
	"kyrochat/export/folder"
	"kyrochat/kyro"
)

// TestGapsInAnArchive: all gaps of a bot are in the data of its owner, also those that are dismissed, over several pages, and
// with each question.
func TestGapsInAnArchive(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx, dir := t.Context(), t.TempDir()
		ferry := k.asked(t, "ferry", kyro.GroundingNotFound)
		k.asked(t, "ferry again", kyro.GroundingNotFound)
		k.asked(t, "tea", kyro.GroundingNotFound)
		k.place(t)
		_, found := k.gaps(t)
		_, err := k.store.DismissGap(ctx, k.owner, found[0].ID, true)
		check(t, err)

		files, err := folder.Open(dir, true)
		check(t, err)
		now := k.tick()
		s := export.New(export.Config{Store: onePerPage{k.store}, Folder: files, Now: func() time.Time { return now }})
		e, err := s.MyData(ctx, kyro.Viewer{UserID: k.owner, SessionID: kyro.SessionID(1)})
		check(t, err)
		check(t, s.Work(ctx, kyro.Job{Kind: kyro.JobExport, Key: e.ID.Key}))
		z, err := zip.OpenReader(filepath.Join(dir, "1"))
		check(t, err)
		defer func() { _ = z.Close() }()
		file, err := z.Open("knowledge-gaps.json")
		check(t, err)
		var gaps []struct {
			Status, Question string
			NotFound         int
			Questions        []struct{ MessageID string }
		}
		check(t, json.NewDecoder(file).Decode(&gaps))
		if len(gaps) != 2 || gaps[0].Status != "DISMISSED" || gaps[0].NotFound != 2 || len(gaps[0].Questions) != 2 ||
			gaps[0].Questions[1].MessageID != ferry.User.ID.String() || gaps[1].Status != "OPEN" || gaps[1].Question != "tea" || len(gaps[1].Questions) != 1 {
			t.Errorf("%+v", gaps)
		}
	})
}

// onePerPage reads gaps and their questions one by one.
type onePerPage struct{ export.Store }

func (s onePerPage) GapPages(ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.GapFilter, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Gap], error) {
	page.Limit = 1
	return s.Store.GapPages(ctx, owner, bots, filter, page)
}

func (s onePerPage) GapQuestionPages(ctx context.Context, owner kyro.ID, gaps []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error) {
	page.Limit = 1
	return s.Store.GapQuestionPages(ctx, owner, gaps, page)
}
