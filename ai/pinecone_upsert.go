package ai

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/protobuf/proto"

	"kyrochat/kyro"
)

// What goes into one upsert. Pinecone takes 1,000 vectors and 2 MB at the most.
const (
	pineconeBatch      = 200
	pineconeBatchBytes = 1_800_000
)

// Upsert puts vectors into the index, in batches, one after another. Where it fails, some may be in it: putting them
// again changes nothing. Other processes, and Visible, see them a little later.
func (p *Pinecone) Upsert(ctx context.Context, vectors []kyro.IndexedVector) error {
	byNamespace := make(map[string][]kyro.IndexedVector)
	var namespaces []string
	for _, v := range vectors {
		if len(v.Vector) != p.dims {
			return fmt.Errorf("index vectors: that of %s has %d dimensions, the index %d", v.ChunkID, len(v.Vector), p.dims)
		}
		name := p.placing.namespace(v.BotID)
		if byNamespace[name] == nil {
			namespaces = append(namespaces, name)
		}
		byNamespace[name] = append(byNamespace[name], v)
	}
	for _, name := range namespaces {
		for batch := range p.batches(byNamespace[name]) {
			err := p.ask(ctx, p.writes, "Upsert", func(ctx context.Context) error {
				took, err := p.line.to(name).UpsertVectors(ctx, batch)
				if err == nil && int(took) < len(batch) {
					err = partial{int(took), len(batch)}
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("index vectors: %w", err)
			}
		}
	}
	return nil
}

// batches gives vectors as the SDK wants them, as many at once as an upsert takes.
func (p *Pinecone) batches(vectors []kyro.IndexedVector) iter.Seq[[]*pinecone.Vector] {
	return func(yield func([]*pinecone.Vector) bool) {
		var batch []*pinecone.Vector
		bytes := 0
		for _, v := range vectors {
			one := &pinecone.Vector{Id: p.placing.id(v.VectorPlace), Values: &v.Vector, Metadata: p.metadata(v)}
			const around = 32 // tags and lengths
			size := 4*len(v.Vector) + len(one.Id) + proto.Size(one.Metadata) + around
			if len(batch) == pineconeBatch || len(batch) > 0 && bytes+size > pineconeBatchBytes {
				if !yield(batch) {
					return
				}
				batch, bytes = nil, 0
			}
			batch, bytes = append(batch, one), bytes+size
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// Visible reports whether reads see the version: its first, middle and last vector are there, and of the model.
func (p *Pinecone) Visible(ctx context.Context, v kyro.IndexedVersion) (bool, error) {
	if v.Chunks <= 0 {
		return true, nil
	}
	places := make(map[string]kyro.VectorPlace)
	var ids []string
	for _, i := range []int{0, v.Chunks / 2, v.Chunks - 1} {
		at := kyro.VectorPlace{BotID: v.BotID, DocumentID: v.DocumentID, Version: v.Version, Index: i}
		if id := p.placing.id(at); !slices.Contains(ids, id) {
			ids, places[id] = append(ids, id), at
		}
	}
	var found *pinecone.FetchVectorsResponse
	err := p.ask(ctx, p.writes, "Fetch", func(ctx context.Context) (err error) {
		found, err = p.line.to(p.placing.namespace(v.BotID)).FetchVectors(ctx, ids)
		if noNamespace(err) {
			found, err = &pinecone.FetchVectorsResponse{}, nil
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read vectors back: %w", err)
	}
	for id, at := range places {
		one := found.Vectors[id]
		if one == nil || one.Id != id {
			return false, nil
		}
		if _, confirmed := p.confirms(one.Metadata, at); !confirmed {
			return false, nil
		}
	}
	return true, nil
}
