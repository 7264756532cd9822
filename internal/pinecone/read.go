package pinecone

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// The documented limits of reads.
const (
	maxTopK  = 10_000
	listPage = 100
)

// dims is the dimension that the index says it has.
func (x *index) dims() int { return cmp.Or(x.emulator.script.Dimension, x.dimension) }

// measure is the metric that the index says it has.
func (x *index) measure() string { return cmp.Or(x.emulator.script.Metric, x.metric) }

func (x *index) query(in, out message, _ Fault) error {
	x.read()
	name, script := in.text("namespace"), x.emulator.script
	top := in.number("top_k")
	if top < 1 || top > maxTopK {
		return invalid("top_k must be between 1 and %d, found %d", maxTopK, top)
	}
	if in.has("sparse_vector") {
		return invalid("this emulator has no sparse vectors")
	}
	asked := in.floats("vector")
	if id := in.text("id"); id != "" {
		if ns := x.namespaces[name]; ns != nil && ns.records[id] != nil {
			asked = ns.records[id].values
		}
	}
	if err := x.checkValues(asked); err != nil {
		return err
	}
	fits, err := compile(in.object("filter"))
	if err != nil {
		return err
	}
	type match struct {
		*record
		score float32
	}
	var matches []match
	for space, ns := range x.namespaces {
		if space != name && !script.IgnoreNamespaces {
			continue
		}
		for _, r := range ns.records {
			if script.IgnoreFilters || fits(r.metadata) {
				matches = append(matches, match{r, x.score(asked, r.values)})
			}
		}
	}
	slices.SortFunc(matches, func(a, b match) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
	if x.measure() == "euclidean" {
		slices.Reverse(matches) // the nearest has the least distance
	}
	for _, m := range matches[:min(top, len(matches))] {
		one := out.add("matches")
		one.set("id", m.id)
		one.set("score", m.score)
		if in.flag("include_values") {
			one.setFloats("values", m.values)
		}
		if in.flag("include_metadata") && !script.NoMetadata {
			one.setObject("metadata", m.metadata)
		}
	}
	out.set("namespace", name)
	spend(out)
	return nil
}

// score compares two vectors by the metric: exactly, in double precision.
func (x *index) score(a, b []float32) float32 {
	if len(a) != len(b) {
		return 0 // one of another dimension, from before the script changed it
	}
	var dot, aa, bb, distance float64
	for i := range a {
		p, q := float64(a[i]), float64(b[i])
		dot, aa, bb, distance = dot+p*q, aa+p*p, bb+q*q, distance+(p-q)*(p-q)
	}
	switch x.measure() {
	case "dotproduct":
		return float32(dot)
	case "euclidean":
		return float32(distance)
	}
	return float32(dot / math.Sqrt(aa*bb))
}

func (x *index) fetch(in, out message, _ Fault) error {
	x.read()
	ids := in.texts("ids")
	if n := len(ids); n == 0 || n > maxIDs {
		return invalid("a fetch takes 1 to %d ids, found %d", maxIDs, n)
	}
	name := in.text("namespace")
	if ns := x.namespaces[name]; ns != nil {
		for _, id := range ids {
			r := ns.records[id]
			if r == nil {
				continue
			}
			one := out.put("vectors", id)
			one.set("id", id)
			one.setFloats("values", r.values)
			if !x.emulator.script.NoMetadata {
				one.setObject("metadata", r.metadata)
			}
		}
	}
	out.set("namespace", name)
	spend(out)
	return nil
}

func (x *index) list(in, out message, _ Fault) error {
	x.read()
	name := in.text("namespace")
	var ids []string
	if ns := x.namespaces[name]; ns != nil {
		ids = slices.Collect(maps.Keys(ns.records))
	}
	page, next, err := pageOf(ids, in)
	if err != nil {
		return err
	}
	for _, id := range page {
		out.add("vectors").set("id", id)
	}
	if next != "" {
		out.inside("pagination").set("next", next)
	}
	out.set("namespace", name)
	spend(out)
	return nil
}

// pageOf gives the page of names that is asked for, in order, and the token of the next one: the last name of this one.
func pageOf(names []string, in message) (page []string, next string, err error) {
	limit := listPage
	if in.has("limit") {
		if limit = int(in.Get(in.field("limit")).Uint()); limit < 1 || limit > listPage {
			return nil, "", invalid("limit must be between 1 and %d, found %d", listPage, limit)
		}
	}
	after, hasAfter := strings.CutPrefix(in.text("pagination_token"), "after:")
	if !hasAfter && after != "" {
		return nil, "", invalid("invalid pagination token")
	}
	prefix := in.text("prefix")
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) || hasAfter && n <= after })
	slices.Sort(names)
	if len(names) > limit {
		return names[:limit], "after:" + names[limit-1], nil
	}
	return names, "", nil
}

func (x *index) stats(in, out message, _ Fault) error {
	x.read()
	fits, err := compile(in.object("filter"))
	if err != nil {
		return err
	}
	total := 0
	for name, ns := range x.namespaces {
		n := count(ns, fits)
		out.put("namespaces", name).set("vector_count", uint32(n))
		total += n
	}
	out.set("dimension", uint32(x.dims()))
	out.set("metric", x.measure())
	out.set("vector_type", "dense")
	out.set("total_vector_count", uint32(total))
	return nil
}

func count(ns *namespace, fits func(*structpb.Struct) bool) int {
	n := 0
	for _, r := range ns.records {
		if fits(r.metadata) {
			n++
		}
	}
	return n
}

// spend says what a read cost: one unit, since nothing is paid here.
func spend(out message) { out.inside("usage").set("read_units", uint32(1)) }
