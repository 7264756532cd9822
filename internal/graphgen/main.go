// Command graphgen generates the code of the schema: what gqlgen makes of gqlgen.yml, and beside it the code that
// runs queries by a plan (see package kyrochat/graph/plan).
//
//	go run ./internal/graphgen
package main

import (
	"fmt"
	"os"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"
)

func main() {
	cfg, err := config.LoadConfig("gqlgen.yml")
	if err == nil {
		err = api.Generate(cfg, api.AddPlugin(planner{}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "graphgen:", err)
		os.Exit(1)
	}
}
