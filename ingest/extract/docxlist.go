package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// listLevels is how deep lists of Word go.
const listLevels = 9

// wordNumber says which list a paragraph is an item of, and how deep. The id "0" takes it out of any list.
type wordNumber struct {
	id    string
	level int // -1 where it is not said
}

// read reads the properties of a number.
func (n *wordNumber) read(x *xmlPart) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "numId":
			n.id = xmlAttr(e, "val")
		case "ilvl":
			if i, err := strconv.Atoi(xmlAttr(e, "val")); err == nil {
				n.level = min(max(i, 0), listLevels-1)
			}
		}
		return x.skip()
	})
}

// wordListLevel is how items of one level are numbered.
type wordListLevel struct {
	start   int
	format  string // decimal, lowerLetter, bullet …
	label   string // with %1 for the number of the first level
	restart int    // the level, from 1, after whose items it begins anew; 0 for never, -1 for every level above
	legal   bool   // all numbers are decimal
	style   string // of the paragraphs that belong to this level
}

// wordListKind is a list as it looks. Several lists can look the same, and then count on.
type wordListKind struct {
	levels  [listLevels]wordListLevel
	counts  [listLevels]int
	counted [listLevels]bool
	link    string // the style whose list it is
	defines string // the style whose list this is
}

// wordList is a list of a document.
type wordList struct {
	*wordListKind
	starts map[int]int           // levels that begin anew with it
	own    map[int]wordListLevel // levels that look otherwise
	begun  bool
}

// wordLists are the lists of a document, by their ids.
type wordLists map[string]*wordList

// readNumbering reads the lists.
func (d *docx) readNumbering(part string) (wordLists, error) {
	all, kinds := wordLists{}, map[string]*wordListKind{}
	err := d.part(part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if len(all)+len(kinds) >= maxStyles {
				return brokenFile("it has too many lists")
			}
			switch e.Name.Local {
			case "abstractNum":
				k := &wordListKind{}
				kinds[xmlAttr(e, "abstractNumId")] = k
				return k.read(x)
			case "num":
				l := &wordList{}
				all[xmlAttr(e, "numId")] = l
				return l.read(x, kinds)
			}
			return x.skip()
		})
	})
	defined := map[string]*wordListKind{}
	for _, k := range kinds {
		if k.defines != "" {
			defined[k.defines] = k
		}
	}
	for id, l := range all {
		if l.wordListKind != nil && l.link != "" && defined[l.link] != nil {
			l.wordListKind = defined[l.link]
		}
		if l.wordListKind == nil {
			delete(all, id)
		}
	}
	return all, err
}

func (k *wordListKind) read(x *xmlPart) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "lvl":
			l, err := readLevel(x)
			if i, wrong := strconv.Atoi(xmlAttr(e, "ilvl")); wrong == nil && i >= 0 && i < listLevels {
				k.levels[i] = l
			}
			return err
		case "numStyleLink":
			k.link = xmlAttr(e, "val")
		case "styleLink":
			k.defines = xmlAttr(e, "val")
		}
		return x.skip()
	})
}

func readLevel(x *xmlPart) (wordListLevel, error) {
	l := wordListLevel{restart: -1, format: "decimal"}
	err := x.children(func(e xml.StartElement) error {
		value := xmlAttr(e, "val")
		number, _ := strconv.Atoi(value)
		switch e.Name.Local {
		case "start":
			l.start = number
		case "numFmt":
			l.format = value
		case "lvlText":
			l.label = value
		case "lvlRestart":
			l.restart = number
		case "isLgl":
			l.legal = xmlOn(e, "val")
		case "pStyle":
			l.style = value
		}
		return x.skip()
	})
	return l, err
}

func (l *wordList) read(x *xmlPart, kinds map[string]*wordListKind) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "abstractNumId":
			l.wordListKind = kinds[xmlAttr(e, "val")]
		case "lvlOverride":
			i, err := strconv.Atoi(xmlAttr(e, "ilvl"))
			if err != nil || i < 0 || i >= listLevels {
				return x.skip()
			}
			return x.children(func(e xml.StartElement) error {
				switch e.Name.Local {
				case "startOverride":
					if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil {
						if l.starts == nil {
							l.starts = map[int]int{}
						}
						l.starts[i] = n
					}
				case "lvl":
					own, err := readLevel(x)
					if l.own == nil {
						l.own = map[int]wordListLevel{}
					}
					l.own[i] = own
					return err
				}
				return x.skip()
			})
		}
		return x.skip()
	})
}

func (l *wordList) level(i int) wordListLevel {
	if own, ok := l.own[i]; ok {
		return own
	}
	return l.levels[i]
}

// levelOf is the level of a list that belongs to a style, or -1.
func (all wordLists) levelOf(id, style string) int {
	if l := all[id]; l != nil {
		for i := range listLevels {
			if l.level(i).style == style {
				return i
			}
		}
	}
	return -1
}

// next counts an item, and gives what stands in front of it. A paragraph that is in no list is no item.
func (all wordLists) next(n wordNumber) (marker string, bullet, isItem bool) {
	l := all[n.id]
	if l == nil {
		return "", false, false
	}
	if !l.begun {
		l.begun = true
		for i := range l.starts {
			l.counted[i] = false
		}
	}
	for i := range n.level + 1 {
		switch {
		case !l.counted[i]:
			l.counted[i] = true
			l.counts[i] = l.level(i).start
			if start, ok := l.starts[i]; ok {
				l.counts[i] = start
			}
		case i == n.level:
			l.counts[i]++
		}
	}
	for i := n.level + 1; i < listLevels; i++ {
		if r := l.level(i).restart; r < 0 || r > n.level {
			l.counted[i] = false
		}
	}
	level := l.level(n.level)
	switch level.format {
	case "bullet":
		return "-", true, true
	case "none":
		return "", false, true
	}
	s := level.label
	for i := range n.level + 1 {
		format := l.level(i).format
		if level.legal {
			format = "decimal"
		}
		s = strings.ReplaceAll(s, "%"+strconv.Itoa(i+1), numeral(format, l.counts[i]))
	}
	return lineOf(s), false, true
}

// numeral writes a number as lists do. A way of writing that is not known here is decimal.
func numeral(format string, n int) string {
	decimal := strconv.Itoa(n)
	if n <= 0 || n > 3_999 {
		return decimal
	}
	switch format {
	case "decimalZero":
		if n < 10 {
			return "0" + decimal
		}
	case "lowerLetter", "upperLetter", "alphaLcPeriod", "alphaUcPeriod":
		// After z come aa, bb, cc.
		s := strings.Repeat(string(rune('a'+(n-1)%26)), min((n-1)/26+1, 8))
		if strings.Contains(format, "pper") {
			return strings.ToUpper(s)
		}
		return s
	case "lowerRoman":
		return strings.ToLower(romanNumeral(n))
	case "upperRoman":
		return romanNumeral(n)
	case "none", "bullet":
		return ""
	case "chineseCounting", "chineseCountingThousand", "ideographDigital", "japaneseCounting", "taiwaneseCounting", "taiwaneseCountingThousand":
		return chineseNumeral(n)
	}
	return decimal
}

func romanNumeral(n int) string {
	var b strings.Builder
	for _, d := range []struct {
		value int
		sign  string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= d.value; n -= d.value {
			b.WriteString(d.sign)
		}
	}
	return b.String()
}

func chineseNumeral(n int) string {
	digits := []rune("〇一二三四五六七八九")
	switch {
	case n > 99:
		return strconv.Itoa(n)
	case n < 10:
		return string(digits[n])
	}
	s := "十"
	if n >= 20 {
		s = string(digits[n/10]) + s
	}
	if n%10 > 0 {
		s += string(digits[n%10])
	}
	return s
}
