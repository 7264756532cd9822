package live

import "time"

// order is a heap with what has the earliest moment on top. Each element knows its place, by which it is moved and taken out.
type order[T ordered] []T

type ordered interface {
	moment() time.Time
	setPlace(int)
}

func (o order[T]) Len() int           { return len(o) }
func (o order[T]) Less(i, j int) bool { return o[i].moment().Before(o[j].moment()) }
func (o order[T]) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].setPlace(i)
	o[j].setPlace(j)
}

// Push adds an element, for heap.Push.
func (o *order[T]) Push(x any) {
	e := x.(T)
	e.setPlace(len(*o))
	*o = append(*o, e)
}

// Pop takes the last element, for heap.Pop.
func (o *order[T]) Pop() any {
	var none T
	old, last := *o, len(*o)-1
	e := old[last]
	old[last] = none
	*o = old[:last]
	return e
}
