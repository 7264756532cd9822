package ai

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"kyrochat/kyro"
)

// placing says where vectors are: each bot in a namespace of its own, or all in one. Namespaces begin with the name of
// the installation, since keys of rows are unique within a database only: two that share an index must not search, or
// clear away, each other's vectors. The id of a vector is made of the document's key, the version and the number of the
// chunk, 7#2#00013, so that the ids of a version can be worked out from its row. In the shared namespace the bot's key
// comes before it: 3#7#2#00013.
type placing struct {
	shared       bool
	installation string
}

// prefix is how the namespaces of bots begin.
func (p placing) prefix() string { return p.installation + "_b_" }

func (p placing) namespace(bot kyro.ID) string {
	if p.shared {
		return p.installation
	}
	return p.prefix() + strconv.FormatInt(bot.Key, 10)
}

func (p placing) id(v kyro.VectorPlace) string {
	id := fmt.Sprintf("%d#%d#%05d", v.DocumentID.Key, v.Version, v.Index)
	if p.shared {
		return strconv.FormatInt(v.BotID.Key, 10) + "#" + id
	}
	return id
}

// bot reads a namespace. Whatever has another form is not ours.
func (p placing) bot(namespace string) (kyro.ID, bool) {
	rest, ours := strings.CutPrefix(namespace, p.prefix())
	key, err := strconv.ParseInt(rest, 10, 64)
	bot := kyro.BotID(key)
	return bot, ours && err == nil && key > 0 && p.namespace(bot) == namespace
}

// noNamespace reports that there is no such namespace: nothing was put into it yet, or it was deleted.
func noNamespace(err error) bool {
	s := status.Convert(err)
	return s.Code() == codes.NotFound && strings.Contains(strings.ToLower(s.Message()), "namespace")
}

// read reads the id of a vector in the namespace of a bot; the shared namespace is nobody's, and the id says the bot.
// Whatever has another form is not ours.
func (p placing) read(bot kyro.ID, id string) (kyro.VectorPlace, bool) {
	parts := strings.Split(id, "#")
	if p.shared {
		if len(parts) != 4 {
			return kyro.VectorPlace{}, false
		}
		bot, parts = kyro.BotID(digits(parts[0])), parts[1:]
	}
	if len(parts) != 3 {
		return kyro.VectorPlace{}, false
	}
	v := kyro.VectorPlace{
		BotID: bot, DocumentID: kyro.DocumentID(digits(parts[0])),
		Version: int(digits(parts[1])), Index: int(digits(parts[2])),
	}
	return v, v.BotID.Key > 0 && v.DocumentID.Key > 0 && v.Version > 0 && v.Index >= 0 && p.id(v) == id
}

// digits reads a number in digits, or -1.
func digits(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// metadata is what a vector carries. Keys are texts, since numbers of the wire are floats.
func (p *Pinecone) metadata(v kyro.IndexedVector) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"bot":   keyText(v.BotID),
		"doc":   keyText(v.DocumentID),
		"ver":   structpb.NewNumberValue(float64(v.Version)),
		"seq":   structpb.NewNumberValue(float64(v.Index)),
		"chunk": keyText(v.ChunkID),
		"model": structpb.NewStringValue(p.model),
	}}
}

func keyText(id kyro.ID) *structpb.Value {
	return structpb.NewStringValue(strconv.FormatInt(id.Key, 10))
}

// confirms reports that the metadata of a vector says the same as its id, and is of the model that is in use; and which
// chunk it is for.
func (p *Pinecone) confirms(metadata *structpb.Struct, at kyro.VectorPlace) (chunk kyro.ID, confirmed bool) {
	fields := metadata.GetFields()
	chunk = kyro.ChunkID(digits(fields["chunk"].GetStringValue()))
	return chunk, chunk.Key > 0 && isKey(fields["chunk"], chunk) &&
		fields["model"].GetStringValue() == p.model &&
		isKey(fields["bot"], at.BotID) && isKey(fields["doc"], at.DocumentID) &&
		isNumber(fields["ver"], at.Version) && isNumber(fields["seq"], at.Index)
}

func isKey(v *structpb.Value, id kyro.ID) bool {
	return v.GetStringValue() == keyText(id).GetStringValue()
}

func isNumber(v *structpb.Value, n int) bool {
	got, ok := v.GetKind().(*structpb.Value_NumberValue)
	return ok && got.NumberValue == float64(n)
}
