package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// vectorBatch is how many vectors are read at a time: 768 dimensions make 1.5 MiB of them.
const vectorBatch = 512

type embeddingRow struct {
	bun.BaseModel `bun:"table:embeddings,alias:e"`

	ContentHash string `bun:",pk"`
	Model       string `bun:",pk"`
	Dims        int    `bun:",pk"`
	Vector      []byte
}

// SaveEmbeddings implements ingest.Store. What is stored already stays: the same content gives the same vector. What no
// chunk has any more is left out, since a vector says much about its text, and no purge would come to it again. What the
// embeddings took goes on the account of their bot's owner, but for a bot that is purged.
func (s *Store) SaveEmbeddings(ctx context.Context, model string, dims int, vectors map[string][]float32, used ...kyro.EmbeddingUsage) error {
	if len(vectors) == 0 {
		return nil
	}
	for _, vector := range vectors {
		if len(vector) != dims {
			return fmt.Errorf("save embeddings: a vector of %d dimensions where %s gives %d", len(vector), model, dims)
		}
	}
	return s.write(ctx, "save embeddings", func(ctx context.Context, tx *writeTx) error {
		if err := s.countOnEmbeddings(ctx, tx); err != nil {
			return err
		}
		var hashes []string
		err := tx.NewSelect().Table("chunks").ColumnExpr("DISTINCT content_hash").
			Where("content_hash IN (?)", list(slices.Collect(maps.Keys(vectors)))).Scan(ctx, &hashes)
		if err != nil || len(hashes) == 0 {
			return err
		}
		slices.Sort(hashes) // so that two workers that store the same content cannot wait for each other
		rows := convert(hashes, func(hash *string) embeddingRow {
			return embeddingRow{ContentHash: *hash, Model: model, Dims: dims, Vector: encodeVector(vectors[*hash])}
		})
		_, err = tx.NewInsert().Model(&rows).On("CONFLICT (content_hash, model, dims) DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		return s.countEmbeddings(ctx, tx, model, used)
	})
}

// BotKnowledge is a number that grows whenever the live chunks of a bot change, so that who keeps a copy of them
// knows when it is old. NOT_FOUND where there is no such live bot.
func (s *Store) BotKnowledge(ctx context.Context, bot kyro.ID) (generation int64, err error) {
	err = s.read().NewSelect().Table("bots").Column("knowledge").
		Where("id = ? AND deleted_at IS NULL", bot.Key).Scan(ctx, &generation)
	return generation, failed("read knowledge", notFound(err, kyro.KindBot))
}

// BotVectors visits the embeddings of the bot's live chunks, in the order of the chunks' ids. Chunks without an
// embedding by the model are left out. Vectors are read in batches, so that a slow visitor holds no connection;
// what changes meanwhile may be seen or not, and BotKnowledge read before tells that it did. An error of visit
// ends the reading and is given back as it is.
func (s *Store) BotVectors(ctx context.Context, bot kyro.ID, model string, dims int, visit func(kyro.ChunkVector) error) error {
	var chunks []chunkRow
	err := active(s.read().NewSelect().Model(&chunks)).Column("id", "content_hash").
		Where("d.bot_id = ? AND d.active_version > 0 AND c.enabled", bot.Key).Order("c.id").Scan(ctx)
	if err != nil {
		return failed("read chunks with vectors", err)
	}
	for batch := range slices.Chunk(chunks, vectorBatch) {
		vectors, err := s.vectors(ctx, batch, model, dims)
		if err != nil {
			return failed("read vectors", err)
		}
		for _, c := range batch {
			encoded, ok := vectors[c.ContentHash]
			if !ok {
				continue
			}
			vector, err := decodeVector(encoded, dims)
			if err != nil {
				return fmt.Errorf("read the vector of %s: %w", kyro.ChunkID(c.ID), err)
			}
			if err := visit(kyro.ChunkVector{ChunkID: kyro.ChunkID(c.ID), Vector: vector}); err != nil {
				return err
			}
		}
	}
	return nil
}

// vectors reads the stored vectors of chunks by their content.
func (s *Store) vectors(ctx context.Context, chunks []chunkRow, model string, dims int) (map[string][]byte, error) {
	hashes := make([]string, len(chunks))
	for i, c := range chunks {
		hashes[i] = c.ContentHash
	}
	rows, err := s.read().NewSelect().Table("embeddings").Column("content_hash", "vector").
		Where("content_hash IN (?) AND model = ? AND dims = ?", list(hashes), model, dims).Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	vectors := make(map[string][]byte, len(chunks))
	for rows.Next() {
		var hash string
		var vector []byte
		if err := rows.Scan(&hash, &vector); err != nil {
			return nil, err
		}
		vectors[hash] = vector
	}
	return vectors, rows.Err()
}

// encodeVector writes a vector as little-endian float32.
func encodeVector(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func decodeVector(b []byte, dims int) ([]float32, error) {
	if len(b) != 4*dims {
		return nil, fmt.Errorf("%d bytes are not a vector of %d dimensions", len(b), dims)
	}
	v := make([]float32, dims)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}
