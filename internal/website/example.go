package website

import "strings"

// Example fills the site with that of an invented shop, to be tried by hand: pages with navigation around their text, that
// link to each other, a sitemap that names them, and a robots.txt that keeps one back.
func (s *Site) Example() {
	pages := map[string][2]string{
		"/": {"Korvali Lamps", "Korvali makes lamps of birch wood in Tamsund. Everything about orders, returns and care is in our help."},
		"/help/orders": {"Orders", "An order leaves our workshop within three working days. Parcels within the country arrive two days later; " +
			"parcels abroad take up to nine days. Whoever orders five lamps or more gets a tenth off."},
		"/help/returns": {"Returns", "A lamp may be sent back within 45 days, if it has not been painted. We pay the parcel. " +
			"The money is back on your account within a week after the lamp has reached us."},
		"/help/care":   {"Care", "Wipe the wood with a dry cloth once a month, and oil it once a year. Never use a bulb of more than 11 watts."},
		"/staff/rota":  {"Rota", "This page is for the workshop alone, and programs are asked not to read it."},
		"/help/safety": {"Safety", "All lamps are tested at 400 volts. Unplug a lamp before its bulb is changed."},
	}
	var links strings.Builder
	paths := []string{"/", "/help/orders", "/help/returns", "/help/care", "/help/safety", "/staff/rota"}
	for _, path := range paths {
		links.WriteString(`<li><a href="` + path + `">` + pages[path][0] + "</a>")
	}
	for path, page := range pages {
		s.Set(path, Page{ETag: `"` + page[0] + `-1"`, Body: "<!doctype html><html lang=en><title>" + page[0] + " - Korvali</title><nav><ul>" + links.String() +
			"</ul></nav><main><h1>" + page[0] + "</h1><p>" + page[1] + "</p></main><footer>Korvali Lamps, Tamsund. All prices with tax.</footer></html>"})
	}
	s.Sitemap("/sitemap.xml", paths[:5]...)
	s.Robots("User-agent: *\nDisallow: /staff/\n\nSitemap: " + s.URL + "/sitemap.xml\n")
}
