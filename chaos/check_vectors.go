package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// vectorsWithin is how long after the end the index may still hold what was deleted, or miss what is there.
const vectorsWithin = 60 * time.Second

// vectorsTold is how many vectors of each sort a violation names.
const vectorsTold = 5

// checkVectors compares the emulated Pinecone with the database: it holds the chunks of active versions of live documents,
// each once, as the database has its vector, and nothing else. It waits until that is so, for at most so long.
func (r *round) checkVectors(ctx context.Context, d *data, within time.Duration) error {
	var differ []string
	var count int
	began := time.Now()
	for {
		// Documents and index are two things: what changes in between may differ, and is looked at again.
		wanted, err := d.wantedVectors(ctx)
		if err != nil {
			return err
		}
		count, differ = len(wanted), compareVectors(wanted, r.heldVectors())
		if len(differ) == 0 || time.Since(began) > within {
			break
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	r.count("vectors compared", count)
	for _, line := range differ {
		r.violated("the index is not what the database says, %s after the end: %s", time.Since(began).Round(time.Second), line)
	}
	return nil
}

// vectorPlace is where a vector is, as the index names it: the namespace of its bot, and its document, version and number.
type vectorPlace struct{ namespace, id string }

// wantedVector is what should be there.
type wantedVector struct {
	chunk  string // its key
	vector []byte // as the database has it, little-endian; nil where it has none
}

// wantedVectors reads what the index should hold. Only the default places are known here: a namespace for each bot.
func (d *data) wantedVectors(ctx context.Context) (map[vectorPlace]wantedVector, error) {
	var installation string
	if err := d.db.QueryRowContext(ctx, `SELECT name FROM installation`).Scan(&installation); err != nil {
		return nil, fmt.Errorf("read the name of the installation: %w", err)
	}
	rows, err := d.db.QueryContext(ctx, `SELECT c.id, c.bot_id, c.document_id, c.version, c.seq, e.vector
		FROM chunks c JOIN documents d ON d.id = c.document_id AND d.active_version = c.version
		JOIN bots b ON b.id = d.bot_id
		LEFT JOIN embeddings e ON e.content_hash = c.content_hash
		WHERE d.deleted_at IS NULL AND b.deleted_at IS NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	wanted := map[vectorPlace]wantedVector{}
	for rows.Next() {
		var chunk, bot, document int64
		var version, seq int
		var vector []byte
		if err := rows.Scan(&chunk, &bot, &document, &version, &seq, &vector); err != nil {
			return nil, err
		}
		place := vectorPlace{fmt.Sprintf("%s_b_%d", installation, bot), fmt.Sprintf("%d#%d#%05d", document, version, seq)}
		if _, twice := wanted[place]; twice {
			return nil, fmt.Errorf("the database has the chunk %s of %s twice, or its vector", place.id, place.namespace)
		}
		wanted[place] = wantedVector{fmt.Sprint(chunk), vector}
	}
	return wanted, rows.Err()
}

// heldVector is what is there.
type heldVector struct {
	chunk  string
	values []float32
}

func (r *round) heldVectors() map[vectorPlace]heldVector {
	held := map[vectorPlace]heldVector{}
	for _, record := range r.pinecone.Records() {
		chunk, _ := record.Metadata["chunk"].(string)
		held[vectorPlace{record.Namespace, record.ID}] = heldVector{chunk, record.Values}
	}
	return held
}

// compareVectors says how the two differ; nothing where they are the same.
func compareVectors(wanted map[vectorPlace]wantedVector, held map[vectorPlace]heldVector) (differ []string) {
	sorts := map[string][]string{}
	for place, w := range wanted {
		name := place.namespace + "/" + place.id
		switch h, there := held[place]; {
		case w.vector == nil:
			sorts["chunks without a vector in the database"] = append(sorts["chunks without a vector in the database"], name)
		case !there:
			sorts["vectors missing"] = append(sorts["vectors missing"], name)
		case h.chunk != w.chunk:
			sorts["vectors of another chunk"] = append(sorts["vectors of another chunk"], name)
		case !sameVector(w.vector, h.values):
			sorts["vectors that differ from the database"] = append(sorts["vectors that differ from the database"], name)
		}
	}
	for place := range held {
		if _, there := wanted[place]; !there {
			sorts["vectors left over"] = append(sorts["vectors left over"], place.namespace+"/"+place.id)
		}
	}
	for _, sort := range slices.Sorted(maps.Keys(sorts)) {
		names := slices.Sorted(slices.Values(sorts[sort]))
		told := strings.Join(names[:min(len(names), vectorsTold)], ", ")
		differ = append(differ, fmt.Sprintf("%d %s, such as %s", len(names), sort, told))
	}
	return differ
}

func sameVector(stored []byte, values []float32) bool {
	if len(stored) != 4*len(values) {
		return false
	}
	for i, v := range values {
		if math.Float32bits(v) != binary.LittleEndian.Uint32(stored[4*i:]) {
			return false
		}
	}
	return true
}
