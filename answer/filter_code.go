package answer

import "strings"

// fence is an open block of fenced code.
type fence struct {
	mark   byte // ` or ~
	length int
	indent int // spaces before the opening fence, at most 3
}

// openFence looks at the start of a line for a fence that every renderer takes for one: indented by at most three
// spaces, so that it opens a block in a list item as well as outside. It is not decided where the line is no fence.
func (f *Filter) openFence(window string, whole bool) (taken int, shown string, decided bool) {
	if f.noCode {
		return 0, "", false
	}
	indent := countRun(window, ' ')
	if indent > 3 || indent == len(window) {
		return 0, "", !whole && indent <= 3
	}
	mark := window[indent]
	if mark != '`' && mark != '~' {
		return 0, "", false
	}
	length := countRun(window[indent:], mark)
	info := window[indent+length:]
	if info == "" && !whole {
		return 0, "", true
	}
	if length < 3 {
		return 0, "", false
	}
	line, _, ended := strings.Cut(info, "\n")
	switch {
	case mark == '`' && strings.Contains(line, "`"):
		return 0, "", false
	case !ended && !whole:
		return 0, "", true
	case !ended || strings.Contains(line, "|"): // some want a line end, and some take the line for the head of a table
		f.noCode = true
		return 0, "", false
	}
	f.fence, f.doubtful = &fence{mark: mark, length: length, indent: indent}, false
	taken = len(window) - len(info) + len(line) + len("\n")
	return taken, window[:taken], true
}

// nextInFence passes code on and finds its end. A fence may stand in a list item, which ends it where a line is
// indented less: whether it does cannot be told here, so from such a line on nothing is taken for code any more.
func (f *Filter) nextInFence(window string, whole bool) (taken int, shown string) {
	if !f.atLineStart() {
		return restOfLine(window)
	}
	indent := countRun(window, ' ')
	if indent == len(window) && !whole {
		return 0, ""
	}
	if indent < f.fence.indent && indent < len(window) && window[indent] != '\n' {
		return f.leaveCode(window, whole)
	}
	body := strings.TrimLeft(window, " \t")
	if body == "" && !whole {
		return 0, ""
	}
	length := countRun(body, f.fence.mark)
	line, _, ended := strings.Cut(body[length:], "\n")
	switch {
	case length < f.fence.length && (ended || whole || length < len(body)):
		return restOfLine(window)
	case strings.Trim(line, " \t`~") != "":
		return restOfLine(window)
	case strings.Trim(line, " \t") != "" && (ended || whole): // some take the marks of both kinds for one end
		return f.leaveCode(window, whole)
	case !ended && !whole:
		return 0, ""
	case !ended && len(window) == filterHold:
		return f.leaveCode(window, whole)
	case len(window)-len(body) > indent || indent > 3:
		if f.fence.indent > 0 {
			return f.leaveCode(window, whole)
		}
		return restOfLine(window)
	}
	f.fence = nil
	return restOfLine(window)
}

// leaveCode goes on as prose from a line at which a fence may have ended.
func (f *Filter) leaveCode(window string, whole bool) (taken int, shown string) {
	f.fence, f.noCode = nil, true
	return f.next(window, whole)
}

// codeSpan passes a code span on where it ends on its own line, which makes it one however the lines are nested.
// Cells of a table end at a bar, even within backticks.
func (f *Filter) codeSpan(window string, whole bool) (taken int, shown string) {
	length := countRun(window, '`')
	if length == len(window) && !whole {
		return 0, ""
	}
	end, decided := closingRun(window, length, whole)
	if !decided {
		return 0, ""
	}
	if end < 0 && length >= 3 && !f.inText {
		f.noCode = true
	}
	if f.noCode || f.doubtful {
		return length, window[:length]
	}
	if end < 0 || strings.Contains(window[:end], "|") || f.afterTilde() || f.inAddress || startsAddress(window[length:end]) {
		f.doubtful = true
		return length, window[:length]
	}
	return end, window[:end]
}

// afterTilde reports a tilde right before, with which some read backticks as one run.
func (f *Filter) afterTilde() bool { return strings.HasSuffix(f.word.end, "~") }

// startsAddress reports whether a text may go on as a mail address that began before it.
func startsAddress(s string) bool {
	if space := strings.IndexAny(s, " \t"); space >= 0 {
		s = s[:space]
	}
	return strings.Contains(s, "@")
}

// closingRun finds the end of the next run of exactly length backticks on the line, or -1.
func closingRun(window string, length int, whole bool) (end int, decided bool) {
	for at := length; at < len(window); {
		switch window[at] {
		case '\n':
			return -1, true
		case '`':
			run := countRun(window[at:], '`')
			if at+run == len(window) && (!whole || len(window) == filterHold) {
				return -1, whole
			}
			if run == length {
				return at + run, true
			}
			at += run
		default:
			at++
		}
	}
	return -1, whole
}

// tildes notices fences that are nested too deeply to be followed.
func (f *Filter) tildes(window string, whole bool) (taken int, shown string) {
	length := countRun(window, '~')
	if length == len(window) && !whole {
		return 0, ""
	}
	if length >= 3 && !f.inText {
		f.noCode = true
	}
	return length, window[:length]
}

// angle escapes what may be a tag, a comment or an autolink to elsewhere than http, https and mailto. Comparisons
// stay: a tag needs a letter after the bracket, white space or a slash after its name, and a closing bracket in
// the same paragraph, unless it begins a line.
func (f *Filter) angle(window string, whole bool) (taken int, shown string) {
	if len(window) < 2 && !whole {
		return 0, ""
	}
	if len(window) < 2 {
		return 1, "<"
	}
	if strings.IndexByte("!?/", window[1]) >= 0 {
		return f.escapeAngle()
	}
	run, after, complete := angleRun(window)
	if !complete && !whole {
		return 0, ""
	}
	name := run[:nameLength(run)]
	rest := run[len(name):]
	switch {
	case !complete && len(window) == filterHold:
		return f.escapeAngle()
	case name != "" && after == '>' && strings.HasPrefix(rest, ":") && webScheme(name):
		return len(run) + 2, window[:len(run)+2]
	case name != "" && (rest == "" || rest[0] == '/' || rest[0] == ':' || rest[0] >= 0x80): // some know white space of all scripts
		may, decided := f.mayBeTag(window, whole)
		if !decided {
			return 0, ""
		}
		if may {
			return f.escapeAngle()
		}
	}
	// Without the closing bracket of an address the run is plain text; within an address a backtick opens no code.
	if strings.Contains(run, "`") {
		f.doubtful = true
	}
	return 1, "<"
}

func (f *Filter) escapeAngle() (taken int, shown string) {
	f.filtered = true
	return 1, "&lt;"
}

// mayBeTag looks for the closing bracket in the same paragraph. At the start of a line a block of HTML needs none.
func (f *Filter) mayBeTag(window string, whole bool) (may, decided bool) {
	if !f.inText {
		return true, true
	}
	end, blank := strings.IndexByte(window, '>'), strings.Index(window, "\n\n")
	switch {
	case blank >= 0 && (end < 0 || blank < end):
		return false, true
	case end >= 0:
		return true, true
	}
	return len(window) == filterHold, whole
}

// angleRun gives what follows an opening bracket up to white space or the next bracket, and what ends it.
func angleRun(window string) (run string, after byte, complete bool) {
	end := strings.IndexAny(window[1:], " \t\n<>")
	if end < 0 {
		return window[1:], 0, false
	}
	return window[1 : end+1], window[end+1], true
}

// nameLength is how much of a run is the name of a tag or scheme: a letter, then letters, digits, +, - and dots.
func nameLength(run string) int {
	n := 0
	for n < len(run) && (isAlphanumeric(run[n]) || n > 0 && strings.IndexByte("+-.", run[n]) >= 0) {
		n++
	}
	if n > 0 && run[0] >= '0' && run[0] <= '9' {
		return 0
	}
	return n
}

func webScheme(s string) bool {
	s = strings.ToLower(s)
	return s == "http" || s == "https" || s == "mailto"
}

func restOfLine(window string) (taken int, shown string) {
	taken = strings.IndexByte(window, '\n') + 1
	if taken == 0 {
		taken = wholeRunes(window)
	}
	return taken, window[:taken]
}

func countRun(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}
