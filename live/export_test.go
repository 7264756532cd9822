package live

// Count is how many keys are counted.
func (r *Rates) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Watched is how many conversations are watched.
func (w *Wakes) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watching)
}
