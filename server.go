// Command kyrochat serves chatbots that answer from their owner's documents, over GraphQL. Without an argument it
// serves; "kyrochat help" names the other commands.
package main

import "kyrochat/program"

//go:generate go run ./internal/graphgen
//go:generate go run ./internal/apidoc

// release is set by the build of a release: -ldflags "-X main.release=1.2.3".
var release string

func main() { program.Main(release) }
