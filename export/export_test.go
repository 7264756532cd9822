package export

// Columns are those of CSV.
var Columns = columns

// Inert is a cell that no spreadsheet takes for a formula.
var Inert = inert

// EntryName is a file's name as one in an archive.
var EntryName = entryName

// WriteRow writes cells as a row of CSV does.
func (t *table) WriteRow(cells []string) error { return t.write(cells) }

// NewTable writes rows as CSV.
var NewTable = newTable
