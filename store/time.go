package store

import (
	"time"

	"kyrochat/kyro"
)

// stampOrNil is a time for a column that may be null, as the zero time is stored.
func stampOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	s := kyro.Moment(t)
	return &s
}

// stampPtr is kyro.Moment for a time that may be left out.
func stampPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return stampOrNil(*t)
}

// utcPtr is a stored time that may be null.
func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// utcOrZero is a stored time whose absence the noun writes as the zero time.
func utcOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
