package pinecone

import (
	"fmt"

	_ "github.com/pinecone-io/go-pinecone/v5/pinecone" // registers the messages of the data plane
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
)

// message reads and writes a message of the data plane by the names of its fields. The SDK keeps its generated types to
// itself, and a second set of the same names cannot be registered beside them; but what is registered can be found.
type message struct{ protoreflect.Message }

// vectorService is the description of the data plane's only service.
func vectorService() (protoreflect.ServiceDescriptor, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName("VectorService")
	if err != nil {
		return nil, fmt.Errorf("the SDK registers no VectorService: %w", err)
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("VectorService is registered as %T", found)
	}
	return service, nil
}

func newMessage(of protoreflect.MessageDescriptor) (message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		return message{}, err
	}
	return message{kind.New()}, nil
}

func (m message) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	f := m.Descriptor().Fields().ByName(name)
	if f == nil {
		panic(fmt.Sprintf("%s has no field %s", m.Descriptor().FullName(), name))
	}
	return f
}

func (m message) text(name protoreflect.Name) string { return m.Get(m.field(name)).String() }

func (m message) flag(name protoreflect.Name) bool { return m.Get(m.field(name)).Bool() }

func (m message) number(name protoreflect.Name) int { return int(m.Get(m.field(name)).Uint()) }

func (m message) has(name protoreflect.Name) bool { return m.Has(m.field(name)) }

func (m message) texts(name protoreflect.Name) []string {
	list := m.Get(m.field(name)).List()
	all := make([]string, list.Len())
	for i := range all {
		all[i] = list.Get(i).String()
	}
	return all
}

func (m message) floats(name protoreflect.Name) []float32 {
	list := m.Get(m.field(name)).List()
	all := make([]float32, list.Len())
	for i := range all {
		all[i] = float32(list.Get(i).Float())
	}
	return all
}

func (m message) messages(name protoreflect.Name) []message {
	list := m.Get(m.field(name)).List()
	all := make([]message, list.Len())
	for i := range all {
		all[i] = message{list.Get(i).Message()}
	}
	return all
}

// object is a field of free form; nil where it is not set.
func (m message) object(name protoreflect.Name) *structpb.Struct {
	if !m.has(name) {
		return nil
	}
	object, _ := m.Get(m.field(name)).Message().Interface().(*structpb.Struct)
	return object
}

// set sets a field of the wire's exact type, such as uint32.
func (m message) set(name protoreflect.Name, value any) {
	m.Set(m.field(name), protoreflect.ValueOf(value))
}

func (m message) setObject(name protoreflect.Name, object *structpb.Struct) {
	if object != nil {
		m.set(name, proto.CloneOf(object).ProtoReflect())
	}
}

func (m message) setFloats(name protoreflect.Name, values []float32) {
	list := m.Mutable(m.field(name)).List()
	for _, v := range values {
		list.Append(protoreflect.ValueOfFloat32(v))
	}
}

// inside is a message field, made where it is not there yet.
func (m message) inside(name protoreflect.Name) message {
	return message{m.Mutable(m.field(name)).Message()}
}

// add appends a message to a list.
func (m message) add(name protoreflect.Name) message {
	return message{m.Mutable(m.field(name)).List().AppendMutable().Message()}
}

// put adds a message to a map.
func (m message) put(name protoreflect.Name, key string) message {
	return message{m.Mutable(m.field(name)).Map().Mutable(protoreflect.ValueOfString(key).MapKey()).Message()}
}
