package extract

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"kyrochat/kyro"
)

// agent is what pages call us by in their instructions, in lower case.
const agent = "kyrochatbot"

// webPage tells what a page says to whoever walks through its site.
func webPage(page *html.Node, address *url.URL) *kyro.WebPage {
	var w kyro.WebPage
	base := address
	for n := range find(page, "head").ChildNodes() {
		switch n.Data {
		case "base":
			if href := value(n, "href"); href != "" && base == address {
				if u, err := address.Parse(href); err == nil && isWeb(u) {
					base = u
				}
			}
		case "meta":
			obey(&w, value(n, "name"), value(n, "content"))
		}
	}
	for n := range find(page, "head").ChildNodes() {
		if n.Data == "link" && w.Canonical == "" && hasToken(value(n, "rel"), "canonical") {
			w.Canonical = resolve(base, value(n, "href"))
		}
	}
	known := map[string]bool{}
	for n := range page.Descendants() {
		if len(w.Links) == kyro.MaxPageLinks {
			break
		}
		if n.Type != html.ElementNode || n.Data != "a" || hasToken(value(n, "rel"), "nofollow") {
			continue
		}
		if link := resolve(base, value(n, "href")); link != "" && !known[link] {
			known[link] = true
			w.Links = append(w.Links, link)
		}
	}
	return &w
}

// obey reads what robots are told.
func obey(w *kyro.WebPage, name, content string) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "robots", agent:
	default:
		return
	}
	for word := range strings.SplitSeq(strings.ToLower(content), ",") {
		switch strings.TrimSpace(word) {
		case "noindex":
			w.NoIndex = true
		case "nofollow":
			w.NoFollow = true
		case "none":
			w.NoIndex, w.NoFollow = true, true
		}
	}
}

func hasToken(list, token string) bool {
	for word := range strings.FieldsSeq(list) {
		if strings.EqualFold(word, token) {
			return true
		}
	}
	return false
}

// resolve gives the absolute address that a page names, without a fragment; "" where it is none of the web.
func resolve(base *url.URL, href string) string {
	href = strings.TrimSpace(href)
	if href == "" || href[0] == '#' || len(href) > kyro.MaxURL {
		return ""
	}
	u, err := base.Parse(href)
	if err != nil || !isWeb(u) {
		return ""
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	if s := u.String(); len(s) <= kyro.MaxURL {
		return s
	}
	return ""
}

func isWeb(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}
