package live

// Count is how many keys are counted.
func (r *Rates) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}
