package ai

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/protobuf/types/known/structpb"

	"kyrochat/kyro"
)

// pineconeTopK is the most that a query gives.
const pineconeTopK = 10_000

// SearchVectors gives the chunks of the bot that are nearest to the query, best first, at most limit of them. It takes
// a second at the most. Namespace and filter keep others' vectors out, and because an index may fail at that, so does
// this: a match that does not say that it is the bot's and of the model, or whose metadata is missing or contradicts its
// id, is left out. Hits may be of versions that are not active any more: that, rows say.
func (p *Pinecone) SearchVectors(ctx context.Context, bot kyro.ID, query []float32, limit int) ([]kyro.VectorHit, error) {
	if len(query) != p.dims {
		return nil, fmt.Errorf("search vectors: the query has %d dimensions, the index %d", len(query), p.dims)
	}
	if limit <= 0 {
		return nil, ctx.Err()
	}
	request := &pinecone.QueryByVectorValuesRequest{
		Vector: query, TopK: uint32(min(limit, pineconeTopK)), MetadataFilter: p.only(bot), IncludeMetadata: true,
	}
	var found *pinecone.QueryVectorsResponse
	err := p.ask(ctx, p.queries, "Query", func(ctx context.Context) (err error) {
		found, err = p.line.to(p.placing.namespace(bot)).QueryByVectorValues(ctx, request)
		if noNamespace(err) {
			found, err = &pinecone.QueryVectorsResponse{}, nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search vectors: %w", err)
	}
	hits := p.hits(bot, found.Matches)
	if dropped := len(found.Matches) - len(hits); dropped > 0 {
		p.log.WarnContext(ctx, "the index gave vectors that were not asked for; they are left out", "bot", bot, "vectors", dropped)
	}
	return hits[:min(limit, len(hits))], nil
}

// only is the filter for what the bot may find.
func (p *Pinecone) only(bot kyro.ID) *structpb.Struct {
	equals := func(v *structpb.Value) *structpb.Value {
		return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"$eq": v}})
	}
	fields := map[string]*structpb.Value{"model": equals(structpb.NewStringValue(p.model))}
	if p.placing.shared {
		fields["bot"] = equals(keyText(bot))
	}
	return &structpb.Struct{Fields: fields}
}

// hits reads the matches that are right, each chunk once, best first; equal ones in order of chunks.
func (p *Pinecone) hits(bot kyro.ID, matches []*pinecone.ScoredVector) []kyro.VectorHit {
	hits := make([]kyro.VectorHit, 0, len(matches))
	seen := make(map[kyro.ID]bool, len(matches))
	for _, m := range matches {
		if m == nil || m.Vector == nil {
			continue
		}
		at, ours := p.placing.read(bot, m.Vector.Id)
		chunk, confirmed := p.confirms(m.Vector.Metadata, at)
		score := float64(m.Score)
		if !ours || !confirmed || at.BotID != bot || math.IsNaN(score) || seen[chunk] {
			continue
		}
		seen[chunk] = true
		hits = append(hits, kyro.VectorHit{ChunkID: chunk, Similarity: max(-1, min(1, score))})
	}
	slices.SortFunc(hits, func(a, b kyro.VectorHit) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.ChunkID.Key, b.ChunkID.Key))
	})
	return hits
}
