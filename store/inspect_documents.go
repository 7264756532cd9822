package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// again makes a version of documents anew from their originals. One that is worked on is left alone.
func (in *inspection) again(documents []int64) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, key := range documents {
			_, err := in.s.BeginRun(ctx, kyro.ID{}, kyro.DocumentID(key), kyro.NewRun{Cause: kyro.RunReprocessed, Now: in.Now})
			if code := kyro.ErrorCode(err); err != nil && code != kyro.CodeConflict && code != kyro.CodeNotFound {
				return err
			}
		}
		return nil
	}
}

func (in *inspection) documents(ctx context.Context) error {
	const ready = "d.deleted_at IS NULL AND d.status IN ('READY', 'READY_WITH_WARNINGS')"
	n, examples, list, err := in.ids(ctx, kyro.KindDocument, "SELECT d.id FROM documents d WHERE "+ready+
		" AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND c.version = d.active_version) ORDER BY d.id")
	if err == nil && n > 0 {
		err = in.Found(kyro.Finding{
			Check: "documents", Damage: true, Count: n, Examples: examples, Found: "Documents are READY and have no passages.",
			Mend: "They are made again from their originals.", Repairs: true, Most: mostOf(list),
		}, in.again(list))
	}
	if err != nil {
		return err
	}
	if held, err := in.s.Held(ctx); err != nil || held { // by a backup, for which jobs wait
		return err
	}
	// What is dead has a job that removes it; here are those where it is late.
	left := func(table string) string {
		return "SELECT document_id FROM " + table + " x JOIN documents d ON d.id = x.document_id WHERE d.deleted_at < ? OR" +
			" d.deleted_at IS NULL AND d.active_version > 0 AND x.version < d.active_version AND d.ready_at < ?"
	}
	late := kyro.Moment(in.Now.Add(-purgeGrace))
	n, examples, list, err = in.ids(ctx, kyro.KindDocument, "SELECT DISTINCT document_id FROM ("+left("chunks")+" UNION "+left("document_texts")+") AS late ORDER BY 1",
		late, late, late, late)
	if err != nil || n == 0 {
		return err
	}
	return in.Found(kyro.Finding{
		Check: "documents", Damage: true, Count: n, Examples: examples, Found: "Something is left of documents, or of versions, that were deleted more than an hour ago.",
		Mend: "Jobs remove it; they are put into the queue again.", Repairs: true, Most: mostOf(list),
	}, in.enqueue(kyro.JobPurge, list))
}

func (in *inspection) enqueue(kind kyro.JobKind, keys []int64) func(context.Context) error {
	return func(ctx context.Context) error {
		for some := range slices.Chunk(keys, repairATurn) {
			if err := in.s.EnqueueNow(ctx, convert(some, func(key *int64) kyro.Job { return kyro.Job{Kind: kind, Key: *key} })...); err != nil {
				return err
			}
		}
		return nil
	}
}

// wordsBatch is how many documents' indexes of words are looked at before somebody is told how far it is.
const wordsBatch = 200

// words compares the index of words with the passages: each must have as many terms as it says, and in as many entries.
func (in *inspection) words(ctx context.Context) error {
	var all []int64
	if err := in.db.NewRaw("SELECT id FROM documents WHERE deleted_at IS NULL AND active_version > 0 ORDER BY id").Scan(ctx, &all); err != nil {
		return err
	}
	var wrong []int64
	for i, key := range all {
		if i%wordsBatch == wordsBatch-1 {
			in.Doing(fmt.Sprintf("the index of words: %d of %d documents", i+1, len(all)))
		}
		fits, err := in.indexed(ctx, key)
		if err != nil {
			return err
		}
		if !fits {
			wrong = append(wrong, key)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return in.Found(kyro.Finding{
		Check: "word-index", Damage: true, Count: len(wrong), Examples: documentIDs(wrong), Found: "The index of words is not that of the passages: searches miss some.",
		Mend: "The documents are made again from their originals.", Repairs: true, Most: mostOf(wrong),
	}, in.again(wrong[:min(len(wrong), repairMost)]))
}

func documentIDs(keys []int64) (ids []string) {
	for _, key := range kyro.Examples(keys) {
		ids = append(ids, kyro.DocumentID(key).String())
	}
	return ids
}

// indexed reports whether the active version of a document has the index of words of its passages.
func (in *inspection) indexed(ctx context.Context, document int64) (bool, error) {
	var chunks []struct{ Seq, TermCount int }
	err := in.db.NewRaw("SELECT c.seq, c.term_count FROM chunks c JOIN documents d ON d.id = c.document_id AND d.active_version = c.version WHERE d.id = ?", document).
		Scan(ctx, &chunks)
	if err != nil {
		return false, err
	}
	type sums struct{ want, got int }
	terms := map[int]*sums{}
	for _, c := range chunks {
		terms[c.Seq] = &sums{want: c.TermCount}
	}
	rows, err := in.db.QueryContext(ctx, "SELECT p.chunk_count, p.body FROM postings p JOIN documents d ON d.id = p.document_id AND d.active_version = p.version WHERE d.id = ?", document)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	fits := true
	for rows.Next() {
		var count int
		var body []byte
		if err := rows.Scan(&count, &body); err != nil {
			return false, err
		}
		err := eachPosting(body, func(p posting) {
			count--
			if c := terms[p.seq]; c == nil || p.length != c.want {
				fits = false
			} else {
				c.got += p.tf
			}
		})
		if errors.Is(err, errPostings) || count != 0 {
			fits = false
		} else if err != nil {
			return false, err
		}
	}
	for _, c := range terms {
		fits = fits && c.want == c.got
	}
	return fits, rows.Err()
}

// vectors looks at the vectors of the model that is in use.
func (in *inspection) vectors(ctx context.Context) error {
	if in.Model == "" { // nobody says which
		return nil
	}
	broken, hashes, err := keysOf[string](ctx, in.db, "SELECT content_hash FROM embeddings WHERE model = ? AND dims = ? AND length(vector) <> 4 * dims", in.Model, in.Dims)
	if err != nil {
		return err
	}
	if broken > 0 {
		err := in.Found(kyro.Finding{
			Check: "vectors", Damage: true, Count: broken, Found: "Vectors do not have the length that they should have.",
			Mend: "They are removed, and made again in the background.", Repairs: true, Most: mostOf(hashes),
		}, mend(in, mending{wrong: "length(vector) <> 4 * dims", key: "content_hash", turn: repairATurn, embeddings: true, statements: []string{
			"UPDATE documents SET embedded_with = '', refreshing_with = '' WHERE id IN (SELECT document_id FROM chunks WHERE content_hash IN (SELECT content_hash FROM embeddings WHERE %s))",
			"DELETE FROM embeddings WHERE %s",
		}}, hashes))
		if err != nil {
			return err
		}
	}
	if in.With == "" {
		return nil
	}
	const active = " FROM documents d WHERE d.deleted_at IS NULL AND d.active_version > 0"
	const lacks = "d.embedded_with = ? AND EXISTS (SELECT 1 FROM chunks c" +
		" WHERE c.document_id = d.id AND c.version = d.active_version AND NOT EXISTS (SELECT 1 FROM embeddings e" +
		" WHERE e.content_hash = c.content_hash AND e.model = ? AND e.dims = ?))"
	n, examples, list, err := in.ids(ctx, kyro.KindDocument, "SELECT d.id"+active+" AND "+lacks+" ORDER BY d.id", in.With, in.Model, in.Dims)
	if err == nil && n > 0 {
		err = in.Found(kyro.Finding{
			Check: "vectors", Damage: true, Count: n, Examples: examples, Found: "Documents are said to have all their vectors, and some are missing.",
			Mend: "They are made again in the background.", Repairs: true, Most: mostOf(list),
		}, func(ctx context.Context) error {
			for batch := range slices.Chunk(list, repairATurn) {
				err := in.s.write(ctx, "doubt vectors", func(ctx context.Context, tx *writeTx) error {
					_, err := tx.NewUpdate().TableExpr("documents AS d").Set("embedded_with = ''").Set("refreshing_with = ''").
						Where("d.id IN (?)", bun.List(batch)).Where(lacks, in.With, in.Model, in.Dims).Exec(ctx)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	n, examples, _, err = in.ids(ctx, kyro.KindDocument, "SELECT d.id"+active+" AND d.embedded_with <> ? ORDER BY d.id", in.With)
	if err != nil || n == 0 {
		return err
	}
	return in.Found(kyro.Finding{
		Check: "vectors", Count: n, Examples: examples, Found: "Documents have vectors of another model or in another index, or none: they are found by words.",
		Mend: "A running server makes them again in the background.",
	}, nil)
}
