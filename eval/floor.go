package eval

import (
	"fmt"
	"strconv"
	"strings"
)

// figure is one of the figures that can be held to a floor, by its name in the report.
type figure struct {
	name   string
	answer bool // needs answers
	value  func(Figures) (float64, bool)
}

var figures = []figure{
	{"recall1", false, func(f Figures) (float64, bool) { return f.Recall[0].Value() }},
	{"recall5", false, func(f Figures) (float64, bool) { return f.Recall[1].Value() }},
	{"recall10", false, func(f Figures) (float64, bool) { return f.Recall[2].Value() }},
	{"mrr10", false, func(f Figures) (float64, bool) { return f.MRR.Value() }},
	{"completed", true, func(f Figures) (float64, bool) { return f.Completed.Value() }},
	{"right", true, func(f Figures) (float64, bool) { return f.Right.Value() }},
	{"citations", true, func(f Figures) (float64, bool) { return f.Citations.Value() }},
	{"cited", true, func(f Figures) (float64, bool) { return f.Cited.Value() }},
	{"notFoundPrecision", true, func(f Figures) (float64, bool) { return f.Declined.Value() }},
	{"notFoundRecall", true, func(f Figures) (float64, bool) { return f.NotFound.Value() }},
}

// FigureNames are the figures that can have a floor.
func FigureNames() []string {
	names := make([]string, len(figures))
	for i, f := range figures {
		names[i] = f.name
	}
	return names
}

// Floor is the least that a figure over all questions must reach.
type Floor struct {
	figure figure
	least  float64
}

// ParseFloors reads floors such as "recall5=0.9,citations=1". Without answers their figures cannot have any.
func ParseFloors(s string, noAnswers bool) ([]Floor, error) {
	var floors []Floor
	for each := range strings.SplitSeq(s, ",") {
		name, least, _ := strings.Cut(strings.TrimSpace(each), "=")
		floor := Floor{}
		for _, f := range figures {
			if f.name == name {
				floor.figure = f
			}
		}
		if floor.figure.name == "" {
			return nil, fmt.Errorf("there is no figure %q: there are %s", name, strings.Join(FigureNames(), ", "))
		}
		var err error
		if floor.least, err = strconv.ParseFloat(least, 64); err != nil || !(floor.least >= 0 && floor.least <= 1) {
			return nil, fmt.Errorf("%s needs a number from 0 to 1, as in %s=0.9", name, name)
		}
		if noAnswers && floor.figure.answer {
			return nil, fmt.Errorf("%s cannot be measured without answers", name)
		}
		floors = append(floors, floor)
	}
	return floors, nil
}

// Below says which floors the report does not reach. A figure that was not measured reaches none.
func (r *Report) Below(floors []Floor) []string {
	var below []string
	for _, floor := range floors {
		value, measured := floor.figure.value(r.All)
		switch {
		case !measured:
			below = append(below, fmt.Sprintf("%s was not measured, want %s", floor.figure.name, decimal(floor.least)))
		case value < floor.least:
			below = append(below, fmt.Sprintf("%s is %s, want %s", floor.figure.name, decimal(value), decimal(floor.least)))
		}
	}
	return below
}

// decimal is a figure without a rounding that would make it reach what it does not.
func decimal(v float64) string {
	return strconv.FormatFloat(float64(int(v*10_000))/10_000, 'f', -1, 64)
}
