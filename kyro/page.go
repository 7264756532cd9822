package kyro

// Page sizes of every list.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
)

// PageArgs are the paging arguments as a client sent them.
type PageArgs struct {
	First, Last   *int
	After, Before *string
}

// PageRequest is a checked request for one page of a list in one order. Limit is 1 to 100.
type PageRequest struct {
	Order    string // the name of the order that cursors belong to, such as "CREATED_AT.DESC"
	Limit    int
	Backward bool    // last/before: the page ends at the cursor or at the list's end
	Cursor   *Cursor // nil: from the start, or from the end when Backward
	Total    bool    // the client selected totalCount
	// NoInfo: the client did not select pageInfo, so HasNextPage and HasPreviousPage need not be right.
	NoInfo bool
	// Fields are what the client selected of each row; nil for everything. A store may leave out the rest.
	Fields map[string]bool
}

// Wants reports whether a field of each row is asked for.
func (r PageRequest) Wants(field string) bool { return r.Fields == nil || r.Fields[field] }

// Request checks the arguments for a list in the named order. It answers BAD_USER_INPUT for a size out of range,
// for arguments that exclude each other, and for a cursor that is malformed or belongs to another order.
func (a PageArgs) Request(order string) (PageRequest, error) {
	r := PageRequest{Order: order, Limit: DefaultPageSize}
	if a.First != nil && a.Last != nil {
		return r, Errorf(CodeBadUserInput, "Give first or last, not both.")
	}
	if a.After != nil && a.Before != nil {
		return r, Errorf(CodeBadUserInput, "Give after or before, not both.")
	}
	if a.First != nil && a.Before != nil || a.Last != nil && a.After != nil {
		return r, Errorf(CodeBadUserInput, "first goes with after, and last with before.")
	}
	size, name := a.First, "first"
	if a.Last != nil {
		size, name = a.Last, "last"
	}
	if size != nil {
		if *size < 1 || *size > MaxPageSize {
			return r, Errorf(CodeBadUserInput, "%s must be between 1 and %d.", name, MaxPageSize)
		}
		r.Limit = *size
	}
	r.Backward = a.Last != nil || a.Before != nil
	text := a.After
	if r.Backward {
		text = a.Before
	}
	if text != nil {
		cursor, err := ParseCursor(*text)
		if err != nil {
			return r, err
		}
		if cursor.Order != order {
			return r, Errorf(CodeBadUserInput, "The cursor belongs to a list in another order.")
		}
		r.Cursor = &cursor
	}
	return r, nil
}

// Page is one page of a list, in the list's own order also when it was asked for backwards.
type Page[T any] struct {
	Nodes           []T
	HasNextPage     bool // rows exist behind the last node
	HasPreviousPage bool // rows exist before the first node
	Total           int  // rows in the whole list; counted only where the request asked for it
	// CursorAt names the place of the ith node. Most clients look at the last one at most, so cursors are made where
	// they are asked for.
	CursorAt func(i int) string
}

// Edge is one row of a page with the cursor that names its place.
type Edge[T any] struct {
	page *Page[T]
	at   int
}

// Cursor names the place of the row in the list.
func (e Edge[T]) Cursor() string { return e.page.CursorAt(e.at) }

// Node is the row.
func (e Edge[T]) Node() *T { return &e.page.Nodes[e.at] }

// Edges are the rows with their cursors.
func (p *Page[T]) Edges() []Edge[T] {
	edges := make([]Edge[T], len(p.Nodes))
	for i := range edges {
		edges[i] = Edge[T]{page: p, at: i}
	}
	return edges
}

// PageInfo is the paging part of a connection. The cursors are nil on an empty page.
type PageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// Info is the page's PageInfo.
func (p *Page[T]) Info() *PageInfo {
	info := &PageInfo{HasNextPage: p.HasNextPage, HasPreviousPage: p.HasPreviousPage}
	if n := len(p.Nodes); n > 0 {
		first, last := p.CursorAt(0), p.CursorAt(n-1)
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// Direction orders a list.
type Direction string

// The directions of an order.
const (
	Asc  Direction = "ASC"
	Desc Direction = "DESC"
)
