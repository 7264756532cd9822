package extract

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// numberFormat shows a number as a cell does: with its decimals, its unit and its sign. Dates and times are written as
// ISO 8601 does, whatever the cell's language: one form that everybody reads, and a search finds.
type numberFormat struct {
	sections []formatSection // for positive numbers, negative ones, zero
}

// formatSection is how numbers of one sign are shown.
type formatSection struct {
	general        bool   // as they are
	before, after  string // texts around the digits
	pattern        []rune // of the digits before the point, with texts between them
	split          bool   // there are texts between them
	decimals, must int    // digits behind the point, at most and at least
	group          bool   // thousands are set apart
	thousands      int    // how many times it is divided by a thousand
	percent        int    // and multiplied by a hundred
	exponent       bool
	date           dateParts
}

// dateParts is what is shown of a date.
type dateParts struct {
	year, month, day, clock, seconds bool
	elapsed                          bool // hours count on beyond a day
}

// longestFormat bounds what is read of a format.
const longestFormat = 512

// builtin are the formats that every workbook has without saying so.
var builtin = map[int]string{
	1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy-mm-dd", 15: "yyyy-mm-dd", 16: "yyyy-mm-dd",
	17: "yyyy-mm", 18: "hh:mm", 19: "hh:mm:ss", 20: "hh:mm", 21: "hh:mm:ss", 22: "yyyy-mm-dd hh:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
	39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "0.0E+0",
}

// readFormats reads how the styles of cells show numbers.
func (d *xlsx) readFormats(part string) error {
	codes := map[int]string{}
	compiled := map[int]*numberFormat{}
	return d.part(part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "numFmts":
				return x.children(func(e xml.StartElement) error {
					if id, err := strconv.Atoi(xmlAttr(e, "numFmtId")); err == nil && len(codes) < maxStyles {
						codes[id] = xmlAttr(e, "formatCode")
					}
					return x.skip()
				})
			case "cellXfs":
				return x.children(func(e xml.StartElement) error {
					id, _ := strconv.Atoi(xmlAttr(e, "numFmtId"))
					if len(d.formats) >= maxStyles {
						return brokenFile("it has too many styles")
					}
					if compiled[id] == nil {
						code, ok := codes[id]
						switch {
						case ok:
						case id >= 27 && id <= 36 || id >= 50 && id <= 58: // dates where the years have other names
							code = "yyyy-mm-dd"
						default:
							code = builtin[id]
						}
						compiled[id] = compileFormat(code)
					}
					d.formats = append(d.formats, compiled[id])
					return x.skip()
				})
			}
			return x.skip()
		})
	})
}

// format shows the number of a cell.
func (d *xlsx) format(style int32, value string) string {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return value
	}
	if int(style) >= len(d.formats) {
		return plainNumber(v)
	}
	return d.formats[style].show(v, d.date1904)
}

// plainNumber is a number without a format: with the 15 digits that a workbook keeps.
func plainNumber(v float64) string {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if a := math.Abs(v); a >= 1e15 || a < 1e-9 && a > 0 {
		return strconv.FormatFloat(v, 'E', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// compileFormat reads the code of a format. One that says under which condition it holds is not followed.
func compileFormat(code string) *numberFormat {
	f := &numberFormat{}
	code = strings.ToValidUTF8(code, "") // each byte that is none would become three
	if code == "" || len(code) > longestFormat {
		f.sections = []formatSection{{general: true}}
		return f
	}
	for rest := []rune(code); ; {
		s, n := compileSection(rest)
		f.sections = append(f.sections, s)
		if n == len(rest) || len(f.sections) == 3 {
			return f
		}
		rest = rest[n+1:]
	}
}

// compileSection reads a section, and says how long it is.
func compileSection(code []rune) (s formatSection, length int) {
	digits, point := false, false
	literal := func(r ...rune) {
		switch {
		case !digits:
			s.before += string(r)
		case point:
			s.after += string(r)
		default:
			s.pattern = append(s.pattern, r...)
		}
	}
	i := 0
	for ; i < len(code) && code[i] != ';'; i++ {
		switch r := code[i]; r {
		case '"':
			for i++; i < len(code) && code[i] != '"'; i++ {
				literal(code[i])
			}
		case '\\':
			if i++; i < len(code) {
				literal(code[i])
			}
		case '_', '*': // space as wide as the next character, or filled with it
			i++
		case '[':
			end := i + 1
			for end < len(code) && code[end] != ']' {
				end++
			}
			s.bracket(string(code[i+1:min(end, len(code))]), literal)
			i = end
		case '0', '#', '?':
			digits = true
			if point {
				if s.decimals++; r == '0' {
					s.must = s.decimals
				}
			} else {
				s.pattern = append(s.pattern, r)
			}
		case '.':
			if digits || i+1 < len(code) && strings.ContainsRune("0#?", code[i+1]) {
				digits, point = true, true
			} else {
				literal(r)
			}
		case ',':
			if digits && i+1 < len(code) && strings.ContainsRune("0#?", code[i+1]) {
				s.group = true
			} else if digits {
				s.thousands++
			}
		case '%':
			s.percent++
			literal(r)
		case 'E', 'e':
			if i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-') {
				s.exponent = true
				for i++; i+1 < len(code) && strings.ContainsRune("0#?", code[i+1]); i++ {
				}
			} else {
				s.date.year = true
			}
		case 'y', 'Y', 'b', 'B':
			s.date.year = true
		case 'd', 'D':
			s.date.day = true
		case 'h', 'H':
			s.date.clock = true
		case 's', 'S':
			s.date.clock, s.date.seconds = true, true
		case 'm', 'M':
			s.date.month = true // or minutes, which come with hours or seconds
		case 'G', 'g', 'A', 'a':
			for _, word := range []string{"general", "am/pm", "a/p"} {
				if end := i + len(word); end <= len(code) && strings.EqualFold(string(code[i:end]), word) {
					s.general = s.general || word == "general"
					s.date.clock = s.date.clock || word != "general"
					i = end - 1
					break
				}
			}
		case '/': // of a date, or a fraction
			if digits {
				s.general = true
			} else {
				literal(r)
			}
		case '@':
			s.general = true
		default:
			literal(r)
		}
	}
	s.settle()
	return s, min(i, len(code)) // what is opened need not be closed
}

// bracket reads what stands in brackets: a currency, hours that count on, a condition; colours are left out.
func (s *formatSection) bracket(in string, literal func(...rune)) {
	switch {
	case strings.HasPrefix(in, "$"):
		unit, _, _ := strings.Cut(in[1:], "-")
		literal([]rune(unit)...)
	case in != "" && strings.Trim(strings.ToLower(in), "hms") == "":
		s.date.clock, s.date.elapsed = true, true
		s.date.seconds = s.date.seconds || strings.ContainsAny(in, "sS")
	case in != "" && strings.ContainsRune("<>=", rune(in[0])):
		s.general = true
	}
}

// settle tells texts behind the digits from those between them.
func (s *formatSection) settle() {
	end := len(s.pattern)
	for end > 0 && !strings.ContainsRune("0#?", s.pattern[end-1]) {
		end--
	}
	s.after = string(s.pattern[end:]) + s.after
	s.pattern = s.pattern[:end]
	for _, r := range s.pattern {
		s.split = s.split || !strings.ContainsRune("0#?", r)
	}
}

// show writes a number. The format of one sign says the sign itself where it has a section of its own.
func (f *numberFormat) show(v float64, date1904 bool) string {
	s, sign := f.sections[0], ""
	switch {
	case v == 0 && len(f.sections) > 2:
		s = f.sections[2]
	case v < 0 && len(f.sections) > 1:
		s, v = f.sections[1], -v
	case v < 0 && !s.general:
		sign, v = "-", -v
	}
	switch {
	case s.general:
		return plainNumber(v)
	case s.date != dateParts{} && len(s.pattern) == 0:
		if shown := s.date.show(v, date1904); shown != "" && sign == "" {
			return shown
		}
		return sign + plainNumber(v)
	case len(s.pattern) == 0 && s.decimals == 0:
		return strings.TrimSpace(s.before + s.after)
	}
	digits := s.digits(v)
	if strings.Trim(digits, "0.,") == "" {
		sign = ""
	}
	return strings.TrimSpace(sign + s.before + digits + s.after)
}

// digits writes a number that is not negative.
func (s formatSection) digits(v float64) string {
	v *= math.Pow(100, float64(min(s.percent, 4)))
	v /= math.Pow(1000, float64(min(s.thousands, 6)))
	decimals := min(s.decimals, 30)
	if s.exponent {
		return strconv.FormatFloat(v, 'E', decimals, 64)
	}
	// The number as it was entered decides what is rounded: 1.005 is less than that as a float.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	whole, part, _ := strings.Cut(strconv.FormatFloat(roundHalfUp(rounded, decimals), 'f', decimals, 64), ".")
	for len(part) > s.must && strings.HasSuffix(part, "0") {
		part = part[:len(part)-1]
	}
	zeros := strings.Count(string(s.pattern), "0")
	if whole == "0" && zeros == 0 && part != "" {
		whole = ""
	}
	if missing := zeros - len(whole); missing > 0 {
		whole = strings.Repeat("0", missing) + whole
	}
	switch {
	case s.split:
		whole = s.fill(whole)
	case s.group:
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if part != "" {
		return whole + "." + part
	}
	return whole
}

// roundHalfUp rounds as workbooks do, by the decimal digits.
func roundHalfUp(v float64, decimals int) float64 {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if i := strings.IndexByte(s, '.'); i >= 0 && len(s) > i+1+decimals && s[i+1+decimals] == '5' && strings.Trim(s[i+2+decimals:], "0") == "" {
		v, _ = strconv.ParseFloat(s+"1", 64)
	}
	return v
}

// fill puts digits into a pattern with texts between them, from the right: 000-0000.
func (s formatSection) fill(whole string) string {
	var out []rune
	at := len(whole)
	for i := len(s.pattern) - 1; i >= 0; i-- {
		switch r := s.pattern[i]; {
		case !strings.ContainsRune("0#?", r):
			out = append(out, r)
		case at > 0:
			at--
			out = append(out, rune(whole[at]))
		}
	}
	for ; at > 0; at-- {
		out = append(out, rune(whole[at-1]))
	}
	var b strings.Builder
	for i := len(out) - 1; i >= 0; i-- {
		b.WriteRune(out[i])
	}
	return b.String()
}

// lastDay is the number of the first day after the year 9999, which no workbook knows.
const lastDay = 2_958_466

// show writes a date, "" for a number that is none.
func (p dateParts) show(v float64, date1904 bool) string {
	if date1904 {
		v += 1462
	}
	if v < 0 || v >= lastDay {
		return ""
	}
	seconds := int64(math.Round(v * 86_400))
	if p.elapsed {
		if date1904 {
			seconds -= 1462 * 86_400
		}
		return clock(seconds/3600, seconds/60%60, seconds%60, p.seconds)
	}
	days := seconds / 86_400
	if days < 60 && !date1904 {
		days++ // workbooks believe in the 29th of February 1900
	}
	t := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(days)).Add(time.Duration(seconds%86_400) * time.Second)
	hours := clock(int64(t.Hour()), int64(t.Minute()), int64(t.Second()), p.seconds)
	switch {
	case p.clock && !p.year && !p.day:
		return hours
	case p.clock:
		return t.Format("2006-01-02 ") + hours
	case p.year && p.month && !p.day:
		return t.Format("2006-01")
	case p.year && !p.month && !p.day:
		return t.Format("2006")
	}
	return t.Format("2006-01-02")
}

func clock(hours, minutes, seconds int64, withSeconds bool) string {
	if withSeconds {
		return fmt.Sprintf("%02d:%02d:%02d", hours, minutes, seconds)
	}
	return fmt.Sprintf("%02d:%02d", hours, minutes)
}
