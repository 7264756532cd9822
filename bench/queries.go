package main

import (
	"encoding/json"
	"fmt"
)

// query is one of the four measured queries: as GraphQL, and as the path by which the hand-written handlers give the
// same data.
type query struct {
	name     string
	graphQL  string
	path     string                // with %s for the id of the object, where there is one
	ids      func(person) []string // of the objects that are asked for in turn; nil: the query has no variable
	describe string
}

var queries = []query{
	{
		name: "point", describe: "one bot by its id", path: "/bots/%s", ids: func(p person) []string { return p.bots },
		graphQL: `query($id: ID!) { bot(id: $id) { id name description createdAt updatedAt } }`,
	},
	{
		name: "list", describe: "20 bots with their owner", path: "/bots",
		graphQL: `{ viewer { bots(first: 20) { nodes { id name description createdAt owner { id name } } } } }`,
	},
	{
		name: "nested", describe: "10 bots × 5 conversations × 5 messages, each with its author and bot", path: "/tree",
		graphQL: `{ viewer { bots(first: 10) { nodes { id name conversations(first: 5) { nodes { id title user { id name }
			messages(first: 5) { nodes { id role text createdAt conversation { id bot { id name } user { id name } } } } } } } } } }`,
	},
	{
		name: "messages", describe: "a conversation's 200 messages, in two pages of 100", path: "/conversations/%s", ids: func(p person) []string { return p.conversations },
		graphQL: `query($id: ID!) { conversation(id: $id) { id
			a: messages(first: 100) { nodes { ...m } } b: messages(last: 100) { nodes { ...m } } } }
			fragment m on Message { id role status text createdAt }`,
	},
}

func queryNames() []string {
	var names []string
	for _, q := range queries {
		names = append(names, q.name)
	}
	return names
}

// request is one request as it goes over the wire, to each side.
type request [2][]byte

// requests makes all requests of the query that a person makes.
func (q query) requests(p person, sides [2]side) ([]request, error) {
	ids := []string{""}
	if q.ids != nil {
		ids = q.ids(p)
	}
	var all []request
	for _, id := range ids {
		asked := map[string]any{"query": q.graphQL}
		path := q.path
		if q.ids != nil {
			asked["variables"] = map[string]any{"id": id}
			path = fmt.Sprintf(q.path, id)
		}
		body, err := json.Marshal(asked)
		if err != nil {
			return nil, err
		}
		all = append(all, request{
			fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n"+
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", sides[0].address, p.token, len(body), body),
			fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n\r\n",
				path, sides[1].address, p.token),
		})
	}
	return all, nil
}
