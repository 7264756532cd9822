package store

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// scanner puts the values of PostgreSQL's rows where they go, for the types that hot reads are made of, from the binary
// form that prepared statements answer in. pgx does the same for any type, at several times the cost for each value.
type scanner struct {
	rows   pgx.Rows
	places []any
	read   []func(raw []byte) bool // nil, or false: pgx has to
}

func newScanner(rows pgx.Rows, places []any) *scanner {
	s := &scanner{rows: rows, places: places}
	for i, column := range rows.FieldDescriptions() {
		if i < len(places) {
			s.read = append(s.read, reader(places[i], column))
		}
	}
	return s
}

// scan reads the present row.
func (s *scanner) scan() error {
	raw := s.rows.RawValues()
	if len(raw) != len(s.places) || len(s.read) != len(s.places) {
		return s.rows.Scan(s.places...) // which says what is wrong
	}
	for i, place := range s.places {
		if s.read[i] != nil && s.read[i](raw[i]) {
			continue
		}
		column := s.rows.FieldDescriptions()[i]
		if err := s.rows.Conn().TypeMap().Scan(column.DataTypeOID, column.Format, raw[i], place); err != nil {
			return err
		}
	}
	return nil
}

// reader gives what reads a column into a place, or nil where that is for pgx to do.
func reader(place any, column pgconn.FieldDescription) func([]byte) bool {
	text := column.DataTypeOID == pgtype.TextOID
	if column.Format != pgx.BinaryFormatCode {
		return nil
	}
	switch p := place.(type) {
	case *int64:
		return number(column.DataTypeOID, func(n int64) { *p = n })
	case *int:
		return number(column.DataTypeOID, func(n int64) { *p = int(n) })
	case **int64:
		return optional(number(column.DataTypeOID, func(n int64) { *p = &n }))
	case **int:
		return optional(number(column.DataTypeOID, func(n int64) { i := int(n); *p = &i }))
	case *bool:
		if column.DataTypeOID == pgtype.BoolOID {
			return func(raw []byte) bool { *p = len(raw) == 1 && raw[0] != 0; return len(raw) == 1 }
		}
	case *time.Time:
		return moment(column.DataTypeOID, func(t time.Time) { *p = t })
	case **time.Time:
		return optional(moment(column.DataTypeOID, func(t time.Time) { *p = &t }))
	case **string:
		if text {
			return optional(func(raw []byte) bool { s := string(raw); *p = &s; return true })
		}
	default:
		// Texts of a type of their own, such as a role, are texts.
		if v := reflect.ValueOf(place); text && v.Type().Elem().Kind() == reflect.String {
			return words(v.Convert(reflect.TypeFor[*string]()).Interface().(*string))
		}
	}
	return nil
}

// words reads texts, of which many rows have the same.
func words(p *string) func([]byte) bool {
	last := ""
	return func(raw []byte) bool {
		if raw == nil {
			return false
		}
		if string(raw) != last {
			last = string(raw)
		}
		*p = last
		return true
	}
}

// optional leaves nil in the place of null: the row was made anew.
func optional(read func([]byte) bool) func([]byte) bool {
	if read == nil {
		return nil
	}
	return func(raw []byte) bool { return raw == nil || read(raw) }
}

func number(oid uint32, set func(int64)) func([]byte) bool {
	switch oid {
	case pgtype.Int8OID:
		return func(raw []byte) bool {
			if len(raw) != 8 {
				return false
			}
			set(int64(binary.BigEndian.Uint64(raw)))
			return true
		}
	case pgtype.Int4OID:
		return func(raw []byte) bool {
			if len(raw) != 4 {
				return false
			}
			set(int64(int32(binary.BigEndian.Uint32(raw))))
			return true
		}
	}
	return nil
}

// epoch is where PostgreSQL counts microseconds from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func moment(oid uint32, set func(time.Time)) func([]byte) bool {
	if oid != pgtype.TimestamptzOID {
		return nil
	}
	return func(raw []byte) bool {
		if len(raw) != 8 {
			return false
		}
		micros := int64(binary.BigEndian.Uint64(raw))
		if micros == math.MaxInt64 || micros == math.MinInt64 { // infinity
			return false
		}
		set(time.UnixMicro(epoch + micros).UTC())
		return true
	}
}
