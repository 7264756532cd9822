package answer

// dueAttempts is a heap of attempts, what is due first at its top.
type dueAttempts []*attempt

func (d dueAttempts) Len() int           { return len(d) }
func (d dueAttempts) Less(i, j int) bool { return d[i].kept.at.Before(d[j].kept.at) }
func (d dueAttempts) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].kept.place, d[j].kept.place = i, j
}

// Push implements heap.Interface.
func (d *dueAttempts) Push(x any) {
	a := x.(*attempt)
	a.kept.place = len(*d)
	*d = append(*d, a)
}

// Pop implements heap.Interface.
func (d *dueAttempts) Pop() any {
	last := len(*d) - 1
	a := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	a.kept.place = -1
	return a
}
