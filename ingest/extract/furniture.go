package extract

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// furnitureShare of the pages must carry a line in the same place before it is taken for a header or footer.
	furnitureShare = 0.6
	// furniturePages is the fewest pages that a repetition can be seen on.
	furniturePages = 3
	// furnitureDepth is how many lines from the top and the bottom of a page are looked at.
	furnitureDepth = 3
	// furnitureShift is how far, in points, a header or footer may move from page to page.
	furnitureShift = 6.0
)

// edgeLine is a line near the top or the bottom of a page.
type edgeLine struct {
	page, line int // indexes
	y          float64
	text       string
	apart      bool // white space sets it off from the rest of the page
}

// dropFurniture takes headers, footers and page numbers out: lines that stand at the same height at the top or
// bottom of most pages with the same words, but for digits, and are set off from the rest of the page by white space
// or other type, or are no more than a page number. Forms and tables that go on have lines at the same height as
// well, but nothing sets those off. Books have two headers, one of left and one of right pages. Type as large as that
// of headings is never furniture. Pages are changed in place.
func dropFurniture(pages []pdfPage, s style) {
	edges := map[string][]edgeLine{} // by the edge and the line's words
	withText := 0
	var inParity [2]int
	for i := range pages {
		if len(pages[i].lines) == 0 {
			continue
		}
		withText++
		inParity[i%2]++
		for key, e := range edgeLines(pages[i].lines, s) {
			e.page = i
			edges[key] = append(edges[key], e)
		}
	}
	if withText < 2 {
		return
	}
	drop := make([]map[int]bool, len(pages))
	for key, found := range edges {
		found = atOneHeight(found)
		if !repeats(found, withText, inParity) && !(withText == 2 && counts(found) && pageNumber.MatchString(key[1:])) {
			continue
		}
		if !pageNumber.MatchString(key[1:]) && !mostlyApart(found) {
			continue
		}
		for _, e := range found {
			if drop[e.page] == nil {
				drop[e.page] = map[int]bool{}
			}
			drop[e.page][e.line] = true
		}
	}
	emptied, touched := 0, 0
	for i := range pages {
		if drop[i] != nil {
			touched++
			if len(drop[i]) == len(pages[i].lines) {
				emptied++
			}
		}
	}
	if 2*emptied > touched { // then this is what the document says
		return
	}
	for i := range pages {
		if drop[i] == nil {
			continue
		}
		kept := pages[i].lines[:0]
		for j, l := range pages[i].lines {
			if !drop[i][j] {
				kept = append(kept, l)
			}
		}
		pages[i].lines = kept
	}
}

// edgeLines are the lines at the top and the bottom of a page under a key of edge and words.
func edgeLines(lines []pdfLine, s style) map[string]edgeLine {
	order := make([]int, len(lines)) // from the top
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch d := lines[b].y - lines[a].y; {
		case d > 0:
			return 1
		case d < 0:
			return -1
		}
		return 0
	})
	found := map[string]edgeLine{}
	take := func(edge string, order []int) {
		depth := min(furnitureDepth, len(order))
		apart := edgeBlock(lines, order, depth, s)
		for rank, i := range order[:depth] {
			e := edgeLine{line: i, y: lines[i].y, text: lines[i].text, apart: rank < apart}
			if key := edge + words(e.text); key != edge && lines[i].size <= s.size*headingScale {
				if _, twice := found[key]; !twice {
					found[key] = e
				}
			}
		}
	}
	take("^", order)
	slices.Reverse(order)
	take("_", order)
	return found
}

// edgeBlock is how many lines from the edge white space or other type sets off from the rest.
func edgeBlock(lines []pdfLine, order []int, depth int, s style) int {
	for n := 1; n <= depth && n < len(order); n++ {
		last, next := lines[order[n-1]], lines[order[n]]
		size := max(last.size, next.size)
		if math.Abs(next.y-last.y) > max(1.3*s.leading, 1.5)*size || n == 1 && !alike(last.size, next.size) {
			return n
		}
	}
	return 0
}

var (
	digits     = regexp.MustCompile(`\d+`)
	roman      = regexp.MustCompile(`^[ivxlc]{1,6}$`)
	pageNumber = regexp.MustCompile(`^\W*(?:(?:page|seite|página|pagina|pág\.?|стр\.?|p\.|第)\s*)?#(?:\s*(?:of|de|von|из|sur|di|/|-|–|\|)\s*(?:第|共)?\s*#)?\s*页?\W*$`)
)

// words is a line with its numbers made alike.
func words(s string) string {
	s = strings.ToLower(onOneLine(s))
	if roman.MatchString(s) {
		return "#"
	}
	return digits.ReplaceAllString(s, "#")
}

// atOneHeight keeps the lines that are near their median height.
func atOneHeight(found []edgeLine) []edgeLine {
	heights := make([]float64, len(found))
	for i, e := range found {
		heights[i] = e.y
	}
	slices.Sort(heights)
	median := heights[len(heights)/2]
	kept := found[:0]
	for _, e := range found {
		if math.Abs(e.y-median) <= furnitureShift {
			kept = append(kept, e)
		}
	}
	return kept
}

// counts reports two lines with numbers of which the second is one more: no more is to be seen on two pages.
func counts(found []edgeLine) bool {
	if len(found) != 2 {
		return false
	}
	if found[0].page > found[1].page {
		found[0], found[1] = found[1], found[0]
	}
	first, _ := strconv.Atoi(digits.FindString(found[0].text))
	second, _ := strconv.Atoi(digits.FindString(found[1].text))
	return first > 0 && second == first+1
}

func repeats(found []edgeLine, pages int, inParity [2]int) bool {
	if len(found) < furniturePages {
		return false
	}
	if float64(len(found)) >= furnitureShare*float64(pages) {
		return true
	}
	var parity [2]int
	for _, e := range found {
		parity[e.page%2]++
	}
	for i, n := range parity {
		if n >= furniturePages && n == len(found) && float64(n) >= furnitureShare*float64(inParity[i]) {
			return true
		}
	}
	return false
}

func mostlyApart(found []edgeLine) bool {
	n := 0
	for _, e := range found {
		if e.apart {
			n++
		}
	}
	return 2*n > len(found)
}
