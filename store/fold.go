package store

import "kyrochat/text"

// fold makes the key that names are searched and ordered by: without regard to case and accents.
func fold(s string) string { return text.Fold(s) }
