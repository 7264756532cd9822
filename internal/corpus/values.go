package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// cells are the texts of a source that is a table.
func cells(k *kitchen, source, separator string) ([]byte, error) {
	data, err := os.ReadFile(k.source(source))
	if err != nil {
		return nil, err
	}
	return separated(separator)(data)
}

// separated gives the cells of a table, a row on each line.
func separated(separator string) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		r := csv.NewReader(bytes.NewReader(data))
		r.Comma, _ = utf8.DecodeRuneInString(separator)
		rows, err := r.ReadAll()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for _, row := range rows {
			fmt.Fprintln(&b, strings.Join(row, " "))
		}
		return b.Bytes(), nil
	}
}

// values gives the texts and figures of JSON, one on each line.
func values(data []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var b bytes.Buffer
	for {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return b.Bytes(), nil
		} else if err != nil {
			return nil, err
		}
		writeValues(&b, v)
	}
}

func writeValues(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			writeValues(b, v[name])
		}
	case []any:
		for _, inner := range v {
			writeValues(b, inner)
		}
	case string, json.Number:
		fmt.Fprintln(b, v)
	}
}
