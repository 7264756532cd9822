package kyro

// Opt is one field of a patch: left out (not Set), null (Set, Value nil) or a new value.
type Opt[T any] struct {
	Set   bool
	Value *T
}

// Some is a field set to the value.
func Some[T any](value T) Opt[T] { return Opt[T]{Set: true, Value: &value} }

// Into writes the field to a place that can be null; a field left out changes nothing.
func (o Opt[T]) Into(place **T) {
	if o.Set {
		*place = o.Value
	}
}

// IntoOr writes the field to a place that cannot be null: null gives the fallback.
func (o Opt[T]) IntoOr(place *T, fallback T) {
	switch {
	case !o.Set:
	case o.Value == nil:
		*place = fallback
	default:
		*place = *o.Value
	}
}
