package graph

// Contract is the text of schema.graphqls as this server was built with it.
func Contract() string { return sources[0].Input }
