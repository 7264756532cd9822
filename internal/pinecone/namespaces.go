package pinecone

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (x *index) listNamespaces(in, out message, _ Fault) error {
	x.read()
	var names []string
	for name := range x.namespaces {
		if _, known := x.known(name); known {
			names = append(names, name)
		}
	}
	total := len(names)
	page, next, err := pageOf(names, in)
	if err != nil {
		return err
	}
	for _, name := range page {
		one := out.add("namespaces")
		one.set("name", name)
		one.set("record_count", uint64(len(x.namespaces[name].records)))
	}
	if next != "" {
		out.inside("pagination").set("next", next)
	}
	out.set("total_count", int32(total))
	return nil
}

func (x *index) describeNamespace(in, out message, _ Fault) error {
	x.read()
	name := in.text("namespace")
	ns, known := x.known(name)
	if !known {
		return status.Error(codes.NotFound, "Namespace not found")
	}
	out.set("name", name)
	out.set("record_count", uint64(len(ns.records)))
	return nil
}

// deleteNamespace deletes a namespace with all that is in it. Its records go with the lag of deletes.
func (x *index) deleteNamespace(in, _ message, _ Fault) error {
	name := in.text("namespace")
	ns, known := x.known(name)
	if !known {
		return status.Error(codes.NotFound, "Namespace not found")
	}
	ns.gone = true
	for _, id := range x.ids(name) {
		x.write(name, id, nil, x.emulator.script.DeleteLag)
	}
	x.settle()
	if len(ns.records) == 0 {
		delete(x.namespaces, name)
	}
	return nil
}
