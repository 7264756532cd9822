package main

import (
	"strconv"
	"time"
)

// Appending is quicker than encoding/json, and as easy to write for a handful of fields.

func appendComma(to []byte, first bool) []byte {
	if first {
		return to
	}
	return append(to, ',')
}

func appendID(to []byte, prefix string, key int64) []byte {
	to = append(append(to, '"'), prefix...)
	return append(strconv.AppendInt(to, key, 10), '"')
}

func appendTime(to []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(to, `"2006-01-02T15:04:05.000000Z"`)
}

func appendOptional(to []byte, s *string) []byte {
	if s == nil {
		return append(to, "null"...)
	}
	return appendString(to, *s)
}

// appendString writes what lies between characters that need escaping as it is; PostgreSQL gives valid UTF-8 only.
func appendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\n':
			to = append(to, '\\', 'n')
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(to, s[start:]...), '"')
}
