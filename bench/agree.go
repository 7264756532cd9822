package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// agree checks that both sides give the same data for requests of several people, so that the same work is measured.
func (l *lab) agree(q query) error {
	until := time.Now().Add(time.Minute)
	var connections [2]*connection
	for i, s := range l.sides {
		c, err := connect(s.address, until)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		connections[i] = c
	}
	for _, p := range l.people[:min(len(l.people), 8)] {
		requests, err := q.requests(p, l.sides)
		if err != nil {
			return err
		}
		for _, r := range requests[:min(len(requests), 4)] {
			var data [2][]byte
			for i, c := range connections {
				body, err := c.do(r[i])
				if err != nil {
					return fmt.Errorf("%s, asked for %s: %w", l.sides[i].name, q.name, err)
				}
				if data[i], err = normal(body, i == 0); err != nil {
					return fmt.Errorf("%s, asked for %s: %w in %.300s", l.sides[i].name, q.name, err, body)
				}
			}
			if !bytes.Equal(data[0], data[1]) {
				return fmt.Errorf("the answers to %s differ: %s", q.name, difference(data[0], data[1]))
			}
		}
	}
	return nil
}

// normal is the data of an answer, written anew: fields in order of their names, no spaces, the same escapes. An
// answer by GraphQL has it beside other things and must not have errors.
func normal(body []byte, graphQL bool) ([]byte, error) {
	data := json.RawMessage(body)
	if graphQL {
		var answer struct{ Data, Errors json.RawMessage }
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
		if answer.Errors != nil {
			return nil, fmt.Errorf("errors")
		}
		data = answer.Data
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("no data")
	}
	return json.Marshal(tree)
}

// difference shows where two texts part.
func difference(a, b []byte) string {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	from := max(0, at-60)
	return fmt.Sprintf("at byte %d,\n%s: …%.200s\n%s: …%.200s", at, "KyroChat", a[from:], "by hand", b[from:])
}
