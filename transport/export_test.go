package transport

// PlaceUploads runs placeUploads with ten files at most.
func PlaceUploads(text []byte, variables map[string]any) (int, bool) {
	uploads, why := placeUploads(text, variables, 10)
	return len(uploads), why == nil
}
