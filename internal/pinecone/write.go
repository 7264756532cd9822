package pinecone

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// The documented limits of writes.
const (
	maxUpsertVectors = 1_000
	maxUpsertBytes   = 2 << 20
	maxIDs           = 1_000 // of a fetch or a delete
	maxIDLength      = 512
	maxMetadataBytes = 40 << 10
)

func (x *index) upsert(in, out message, f Fault) error {
	if n := proto.Size(in.Interface()); n > maxUpsertBytes {
		return status.Errorf(codes.OutOfRange, "message length too large: found %d bytes, the limit is: %d bytes", n, maxUpsertBytes)
	}
	vectors := in.messages("vectors")
	if n := len(vectors); n == 0 || n > maxUpsertVectors {
		return invalid("an upsert takes 1 to %d vectors, found %d", maxUpsertVectors, n)
	}
	records := make([]*record, len(vectors))
	for i, v := range vectors {
		if v.has("sparse_values") {
			return status.Error(codes.Unimplemented, "this emulator has no sparse vectors")
		}
		r := &record{id: v.text("id"), values: v.floats("values"), metadata: cloneObject(v.object("metadata"))}
		if err := x.check(r); err != nil {
			return err
		}
		records[i] = r
	}
	if f.Partial > 0 {
		records = records[:int(f.Partial*float64(len(records)))]
	}
	name := in.text("namespace")
	x.there(name)
	for _, r := range records {
		x.write(name, r.id, r, x.emulator.script.UpsertLag)
	}
	x.settle()
	out.set("upserted_count", uint32(len(records)))
	return nil
}

// check holds a record to the documented limits.
func (x *index) check(r *record) error {
	if n := len(r.id); n == 0 || n > maxIDLength {
		return invalid("the id of a vector has 1 to %d bytes, found %d", maxIDLength, n)
	}
	if err := x.checkValues(r.values); err != nil {
		return err
	}
	if r.metadata == nil {
		return nil
	}
	if n := proto.Size(r.metadata); n > maxMetadataBytes {
		return invalid("metadata size is %d bytes, which exceeds the limit of %d bytes per vector", n, maxMetadataBytes)
	}
	for _, key := range slices.Sorted(maps.Keys(r.metadata.GetFields())) {
		if err := checkMetadata(r.metadata.GetFields()[key]); err != nil {
			return invalid("metadata value of %q: %s", key, err)
		}
	}
	return nil
}

func (x *index) checkValues(values []float32) error {
	if n := x.dims(); len(values) != n {
		return invalid("Vector dimension %d does not match the dimension of the index %d", len(values), n)
	}
	zero := true
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return invalid("vectors hold finite numbers only")
		}
		zero = zero && v == 0
	}
	if zero {
		return invalid("Dense vectors must contain at least one non-zero value.")
	}
	return nil
}

// checkMetadata holds a value to what metadata may be: a text, a number, a boolean or a list of texts.
func checkMetadata(v *structpb.Value) error {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue, *structpb.Value_NumberValue, *structpb.Value_BoolValue:
		return nil
	case *structpb.Value_ListValue:
		for _, one := range kind.ListValue.GetValues() {
			if _, ok := one.GetKind().(*structpb.Value_StringValue); !ok {
				return fmt.Errorf("lists hold strings only")
			}
		}
		return nil
	}
	return fmt.Errorf("must be a string, number, boolean or list of strings, got %T", v.AsInterface())
}

func (x *index) update(in, out message, _ Fault) error {
	name, changes := in.text("namespace"), in.object("set_metadata")
	if filter := in.object("filter"); filter != nil {
		return x.updateMany(name, filter, changes, in.has("dry_run") && in.flag("dry_run"), out)
	}
	old := x.latest(name, in.text("id"))
	if old == nil {
		return nil // as the real service does
	}
	changed := &record{id: old.id, values: old.values, metadata: merged(old.metadata, changes)}
	if values := in.floats("values"); len(values) > 0 {
		changed.values = values
	}
	if err := x.check(changed); err != nil {
		return err
	}
	x.write(name, changed.id, changed, x.emulator.script.UpsertLag)
	x.settle()
	return nil
}

func (x *index) updateMany(name string, filter, changes *structpb.Struct, dry bool, out message) error {
	found, err := x.matching(name, filter)
	if err != nil {
		return err
	}
	out.set("matched_records", int32(len(found)))
	if dry {
		return nil
	}
	for _, old := range found {
		x.write(name, old.id, &record{old.id, old.values, merged(old.metadata, changes)}, x.emulator.script.UpsertLag)
	}
	x.settle()
	return nil
}

func (x *index) remove(in, _ message, _ Fault) error {
	name, ids, filter := in.text("namespace"), in.texts("ids"), in.object("filter")
	switch {
	case in.flag("delete_all"):
		if _, known := x.known(name); !known {
			return status.Error(codes.NotFound, "Namespace not found")
		}
		ids = x.ids(name)
	case filter != nil:
		found, err := x.matching(name, filter)
		if err != nil {
			return err
		}
		for _, r := range found {
			ids = append(ids, r.id)
		}
	case len(ids) == 0 || len(ids) > maxIDs:
		return invalid("a delete takes 1 to %d ids, found %d", maxIDs, len(ids))
	}
	for _, id := range ids {
		x.write(name, id, nil, x.emulator.script.DeleteLag)
	}
	x.settle()
	return nil
}

// matching gives the records of a namespace that a filter matches, by id.
func (x *index) matching(name string, filter *structpb.Struct) ([]*record, error) {
	x.settle()
	fits, err := compile(filter)
	if err != nil {
		return nil, err
	}
	var found []*record
	if ns := x.namespaces[name]; ns != nil {
		for _, id := range slices.Sorted(maps.Keys(ns.records)) {
			if r := ns.records[id]; fits(r.metadata) {
				found = append(found, r)
			}
		}
	}
	return found, nil
}

func cloneObject(s *structpb.Struct) *structpb.Struct {
	if s == nil {
		return nil
	}
	return proto.CloneOf(s)
}

// merged is metadata with some values set anew.
func merged(old, changes *structpb.Struct) *structpb.Struct {
	fields := make(map[string]*structpb.Value)
	maps.Copy(fields, old.GetFields())
	maps.Copy(fields, changes.GetFields())
	return cloneObject(&structpb.Struct{Fields: fields})
}
