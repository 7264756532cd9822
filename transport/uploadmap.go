package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"kyrochat/kyro"
)

// maxPathParts is how deep in the variables a file may be.
const maxPathParts = 20

// placeUploads reads the map of a multipart request (which file goes to which variable) and puts an Upload in
// every place it names, which must hold null. Each file has exactly one place. It gives the uploads by the name
// of their part; their readers and names are still to come.
func placeUploads(text []byte, variables map[string]any, maxFiles int) (map[string]*kyro.Upload, *refusal) {
	places, why := decodeMap(text, maxFiles)
	if why != nil {
		return nil, why
	}
	uploads := make(map[string]*kyro.Upload, len(places))
	for name, paths := range places {
		if len(paths) != 1 {
			return nil, badRequest("Every file of the map needs exactly one place among the variables.")
		}
		upload := &kyro.Upload{}
		if !place(variables, paths[0], upload) {
			return nil, badRequest("A path of the map names no null among the variables; they look like variables.input.file.")
		}
		uploads[name] = upload
	}
	return uploads, nil
}

func decodeMap(text []byte, maxFiles int) (map[string][]string, *refusal) {
	var places map[string][]string
	decoder := json.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&places)
	var rest error
	if err == nil {
		_, rest = decoder.Token()
	}
	switch {
	case err != nil || places == nil || rest != io.EOF:
		return nil, badRequest("The part map must be a JSON object of lists of paths.")
	case len(places) > maxFiles:
		return nil, badRequest(fmt.Sprintf("At most %d files can be sent at once.", maxFiles))
	}
	return places, nil
}

// place puts the upload where the path leads, if there is a null. A list index is written without sign or
// leading zero.
func place(variables map[string]any, path string, upload *kyro.Upload) bool {
	parts := strings.Split(path, ".")
	if len(parts) < 2 || len(parts) > maxPathParts || parts[0] != "variables" {
		return false
	}
	var at any = variables
	for i, part := range parts[1:] {
		last := i == len(parts)-2
		switch holder := at.(type) {
		case map[string]any:
			value, found := holder[part]
			if !found || last && value != nil {
				return false
			}
			if last && i == 0 {
				// gqlparser follows one pointer of a variable itself, though none of a value inside of one.
				holder[part] = &upload
			} else if last {
				holder[part] = upload
			}
			at = value
		case []any:
			index, err := strconv.Atoi(part)
			if err != nil || strconv.Itoa(index) != part || index < 0 || index >= len(holder) || last && holder[index] != nil {
				return false
			}
			if last {
				holder[index] = upload
			}
			at = holder[index]
		default:
			return false
		}
	}
	return true
}

// names of the uploads, sorted, for messages.
func names(uploads map[string]*kyro.Upload) []string {
	list := make([]string, 0, len(uploads))
	for name := range uploads {
		list = append(list, strconv.Quote(name))
	}
	slices.Sort(list)
	return list
}
