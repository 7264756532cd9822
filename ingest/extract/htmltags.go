package extract

import (
	"strings"

	"golang.org/x/net/html"
)

// hides reports an attribute by which an element does not show. A whole page that hides is shown by a script.
func hides(name, key, value string) bool {
	switch key {
	case "hidden":
		return !strings.EqualFold(value, "until-found")
	case "aria-hidden":
		return strings.EqualFold(strings.TrimSpace(value), "true")
	case "style":
		return invisible(value)
	}
	return false
}

// invisible reads the declarations of an element's style that leave nothing of it to be seen. Opacity is none of them: pages
// that move their text in begin with it.
func invisible(style string) bool {
	for declaration := range strings.SplitSeq(strings.ToLower(style), ";") {
		property, value, _ := strings.Cut(declaration, ":")
		value = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "!important"))
		switch strings.TrimSpace(property) {
		case "display":
			if value == "none" {
				return true
			}
		case "visibility":
			if value == "hidden" || value == "collapse" {
				return true
			}
		case "font-size":
			if strings.Trim(value, "0.") == "" && value != "" || value == "0px" || value == "0em" || value == "0pt" || value == "0%" {
				return true
			}
		}
	}
	return false
}

func isCell(name string) bool    { return name == "td" || name == "th" }
func isSection(name string) bool { return name == "tbody" || name == "thead" || name == "tfoot" }

func isHeadingName(name string) bool {
	return len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6'
}

func hasAttribute(attributes []html.Attribute, key string) bool {
	for _, a := range attributes {
		if a.Key == key {
			return true
		}
	}
	return false
}

func setOf(names string) map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		m[name] = true
	}
	return m
}

var (
	voidTags = setOf("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr")
	ofHead   = setOf("title meta link base")
	headed   = setOf("h1 h2 h3 h4 h5 h6 summary dt")
	// unseen show nothing, or no text, or what the page takes back.
	unseen = setOf(`script style noscript template svg iframe noframes noembed object applet audio video canvas select
		datalist textarea rt rp rtc annotation annotation-xml plaintext map del`)
	// plainInline change how letters look; what is in them is read as if they were not there.
	plainInline = setOf(`abbr acronym b bdi bdo big cite code data dfn em font i ins kbd label mark nobr output ruby rb s samp
		small span strike strong sub sup time tt u var math mrow mi mn mo ms mtext msup msub mfrac msqrt semantics mstyle
		mtable mtr mtd mover munder munderover mpadded mphantom mspace mroot msubsup head frameset slot`)
	inlineTags = setOf("a")
	ofTable    = setOf("table thead tbody tfoot tr td th caption colgroup col")
	// endsParagraph are those that no paragraph holds.
	endsParagraph = setOf(`address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer
		form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre section summary table ul xmp listing`)
	telling = setOf(`class id role itemprop rel href name property content lang dir colspan rowspan start value type reversed
		hidden aria-hidden style open src alt scope`)
)
