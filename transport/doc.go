// Package transport carries GraphQL over HTTP, multipart uploads, websockets and event streams, bounds what documents
// and clients may ask for, and presents errors. It knows the executor and the nouns' errors, and nothing of what a
// field means.
//
// What it promises: every request is bounded in size, time and number; every refusal is a GraphQL error with a
// code; nothing a client sent is echoed but the names it gave; and no message says what is inside the server.
package transport
