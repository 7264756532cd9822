package ai

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"kyrochat/kyro"
)

// pineconeIDs is how many ids a delete takes.
const pineconeIDs = 1_000

// Remove takes a version out of the index. Vectors that are not there are no error. Reads may see some for a while.
func (p *Pinecone) Remove(ctx context.Context, v kyro.IndexedVersion) error {
	ids := make([]string, max(v.Chunks, 0))
	for i := range ids {
		ids[i] = p.placing.id(kyro.VectorPlace{BotID: v.BotID, DocumentID: v.DocumentID, Version: v.Version, Index: i})
	}
	return p.remove(ctx, p.placing.namespace(v.BotID), ids)
}

// RemoveBot takes all vectors of a bot out of the index. None is no error.
func (p *Pinecone) RemoveBot(ctx context.Context, bot kyro.ID) error {
	method, call := "DeleteNamespace", func(ctx context.Context) error {
		return p.line.to("").DeleteNamespace(ctx, p.placing.namespace(bot))
	}
	if p.placing.shared {
		filter := &structpb.Struct{Fields: map[string]*structpb.Value{
			"bot": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"$eq": keyText(bot)}}),
		}}
		method, call = "Delete", func(ctx context.Context) error {
			return p.line.to(p.placing.installation).DeleteVectorsByFilter(ctx, filter)
		}
	}
	if err := p.ask(ctx, p.writes, method, func(ctx context.Context) error { return gone(call(ctx)) }); err != nil {
		return fmt.Errorf("remove the vectors of a bot: %w", err)
	}
	return nil
}

// RemovePlaces takes single vectors out of the index. Those that are not there are no error.
func (p *Pinecone) RemovePlaces(ctx context.Context, places []kyro.VectorPlace) error {
	byNamespace := make(map[string][]string)
	var namespaces []string
	for _, v := range places {
		name := p.placing.namespace(v.BotID)
		if byNamespace[name] == nil {
			namespaces = append(namespaces, name)
		}
		byNamespace[name] = append(byNamespace[name], p.placing.id(v))
	}
	for _, name := range namespaces {
		if err := p.remove(ctx, name, byNamespace[name]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pinecone) remove(ctx context.Context, namespace string, ids []string) error {
	for some := range slices.Chunk(ids, pineconeIDs) {
		err := p.ask(ctx, p.writes, "Delete", func(ctx context.Context) error {
			return gone(p.line.to(namespace).DeleteVectorsById(ctx, some))
		})
		if err != nil {
			return fmt.Errorf("remove vectors: %w", err)
		}
	}
	return nil
}

// gone takes it for a success that what was to be deleted is not there.
func gone(err error) error {
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}
