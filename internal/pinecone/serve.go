package pinecone

import (
	"cmp"
	"context"
	"path"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// methods are what the data plane can do. Each reads its request and writes its answer, under the emulator's lock.
var methods = map[string]func(x *index, in, out message, f Fault) error{
	"Upsert":             (*index).upsert,
	"Query":              (*index).query,
	"Fetch":              (*index).fetch,
	"List":               (*index).list,
	"Update":             (*index).update,
	"Delete":             (*index).remove,
	"DescribeIndexStats": (*index).stats,
	"ListNamespaces":     (*index).listNamespaces,
	"DescribeNamespace":  (*index).describeNamespace,
	"DeleteNamespace":    (*index).deleteNamespace,
}

// serve answers one call of the data plane.
func (x *index) serve(service protoreflect.ServiceDescriptor, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	name := path.Base(full)
	described, do := service.Methods().ByName(protoreflect.Name(name)), methods[name]
	if described == nil || do == nil {
		return status.Errorf(codes.Unimplemented, "unknown method %s", full)
	}
	in, err := newMessage(described.Input())
	if err != nil {
		return err
	}
	out, err := newMessage(described.Output())
	if err != nil {
		return err
	}
	if err := stream.RecvMsg(in.Interface()); err != nil {
		return err
	}
	ctx := stream.Context()
	x.emulator.note(x.call(name, in))
	if err := x.emulator.admit(ctx); err != nil {
		return err
	}
	f := x.emulator.fault(name)
	f.wait(ctx)
	if !f.fails() || f.After {
		x.emulator.mu.Lock()
		err = do(x, in, out, f)
		x.emulator.mu.Unlock()
	}
	if f.fails() {
		return x.fail(ctx, f)
	}
	if err != nil {
		return err
	}
	return stream.SendMsg(out.Interface())
}

// admit checks the key.
func (e *Emulator) admit(ctx context.Context) error {
	asked, _ := metadata.FromIncomingContext(ctx)
	if key := asked.Get("api-key"); len(key) != 1 || key[0] != e.APIKey {
		return status.Error(codes.Unauthenticated, "Invalid API Key")
	}
	return nil
}

func (f Fault) fails() bool { return f.Code != "" || f.Hang || f.Cut }

// fail ends a call as the fault says.
func (x *index) fail(ctx context.Context, f Fault) error {
	if f.Cut {
		x.cut(ctx)
	}
	if f.Cut || f.Hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	code, err := codeOf(f.Code)
	if err != nil {
		return err
	}
	failed := status.New(code, cmp.Or(f.Message, "scripted misbehaviour"))
	if f.RetryMS > 0 {
		wait := durationpb.New(time.Duration(f.RetryMS) * time.Millisecond)
		if told, err := failed.WithDetails(&errdetails.RetryInfo{RetryDelay: wait}); err == nil {
			failed = told
		}
	}
	return failed.Err()
}

// call is what is remembered of a request.
func (x *index) call(method string, in message) Call {
	c := Call{Index: x.name, Method: method, Bytes: proto.Size(in.Interface())}
	fields := in.Descriptor().Fields()
	if fields.ByName("namespace") != nil {
		c.Namespace = in.text("namespace")
	}
	if fields.ByName("filter") != nil {
		if filter := in.object("filter"); filter != nil {
			c.Filter = filter.AsMap()
		}
	}
	switch method {
	case "Upsert":
		for _, v := range in.messages("vectors") {
			c.IDs = append(c.IDs, v.text("id"))
		}
	case "Fetch":
		c.IDs = in.texts("ids")
	case "Delete":
		c.IDs, c.All = in.texts("ids"), in.flag("delete_all")
	case "Update":
		c.IDs = []string{in.text("id")}
	case "Query":
		c.TopK, c.Metadata = in.number("top_k"), in.flag("include_metadata")
	case "List", "ListNamespaces":
		c.Prefix = in.text("prefix")
	}
	return c
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
