// Package auth turns secrets into identity: it hashes passwords, makes and reads tokens, and says who sends an
// HTTP request or opens a websocket. It decides nothing about rights; that is the use cases' work, on the Viewer
// it puts into the context.
package auth
