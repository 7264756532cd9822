package chunk

import (
	"slices"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// packer fills chunks with units, one block after the other.
type packer struct {
	Options
	text     string
	title    string
	markdown bool
	offsets  *text.Offsets

	path    []heading // of the section being read
	section int       // counts the headings read
	table   table     // that is being read, or was read last

	open     []unit    // of the chunk being filled
	tokens   int       // in open
	repeated int       // units at the start of open that the last chunk holds as well
	openPath []heading // the path of the open chunk

	chunks []kyro.Chunk
	last   []unit    // of the last chunk, for the overlap and for a tail
	under  []heading // which the last chunk stands
	units  []unit    // reused
}

// block packs one block.
func (p *packer) block(b kyro.Block) {
	s := p.text[b.Start:b.End]
	if strings.TrimSpace(s) == "" {
		return
	}
	if b.Kind == kyro.BlockHeading {
		p.heading(b)
		return
	}
	if b.Kind == kyro.BlockList {
		p.glueLeadIn()
	}
	p.table = p.table.next(p.text, b)
	// A block that fits is not looked into: most are.
	if len(s) <= 8*p.Budget {
		if whole := p.appendUnits(nil, b, b.Start, b.End, p.Budget); len(whole) == 1 && !whole[0].partial {
			if p.tokens+whole[0].tokens > p.Budget && 2*p.tokens < p.Budget {
				whole = p.cut(b, p.Max)
			}
			p.pack(whole)
			return
		}
	}
	limit := p.Max
	if p.allGlued() {
		limit -= p.tokens // room for the heading above
	}
	p.pack(p.cut(b, max(limit, p.Budget/2)))
}

func (p *packer) pack(units []unit) {
	for _, u := range units {
		p.add(u)
	}
}

// allGlued reports that the open chunk holds only what must not stand alone.
func (p *packer) allGlued() bool {
	for _, u := range p.open[p.repeated:] {
		if !u.glued {
			return false
		}
	}
	return len(p.open) > p.repeated
}

// heading begins a section. It closes the open chunk unless that is small and a sibling, or holds nothing but
// headings, which belong to what follows.
func (p *packer) heading(b kyro.Block) {
	p.table = table{}
	h := readHeading(p.text, b, p.markdown)
	path := enter(p.path, h)
	if len(p.open) > 0 {
		onlyHeadings := true
		for _, u := range p.open {
			onlyHeadings = onlyHeadings && u.kind == kyro.BlockHeading
		}
		sibling := len(path) == len(p.path) && len(common(path, p.path)) == len(path)-1
		small := 4*p.tokens < p.Budget
		switch {
		case small && onlyHeadings:
			p.openPath = path
		case small && sibling && p.repeated == 0:
			p.openPath = common(p.openPath, path)
		default:
			p.close()
			p.forget()
		}
	}
	p.path = path
	p.section++
	units := p.appendUnits(nil, b, b.Start, b.End, p.Max)
	for i := range units {
		units[i].glued = true
		p.add(units[i])
	}
}

// glueLeadIn ties the sentence that introduces a list to its first item.
func (p *packer) glueLeadIn() {
	n := len(p.open) - 1
	if n < 0 || p.open[n].kind != kyro.BlockParagraph || p.open[n].section != p.section {
		return
	}
	u := p.open[n]
	switch r, _ := utf8.DecodeLastRuneInString(p.text[u.start:u.end]); r {
	case ':', '：':
	default:
		return
	}
	if u.partial || n < p.repeated {
		return
	}
	sentences := p.sentences(u)
	sentences[len(sentences)-1].glued = true
	p.tokens -= u.tokens
	p.open = append(p.open[:n], sentences...)
	for _, u := range sentences {
		p.tokens += u.tokens
	}
}

// sentences divides a unit of whole sentences.
func (p *packer) sentences(u unit) []unit {
	s := p.text[u.start:u.end]
	spans := text.Sentences(s)
	units := make([]unit, 0, len(spans))
	for i, span := range spans {
		part := u
		part.start, part.end = u.start+span.Start, u.start+span.End
		if i == 0 {
			part.start = u.start
		}
		if i+1 == len(spans) {
			part.end = u.end
		}
		part.tokens = text.Tokens(p.text[part.start:part.end])
		units = append(units, part)
	}
	if len(units) == 0 {
		units = append(units, u)
	}
	return units
}

// add puts a unit into the open chunk, or into a new one where it does not fit.
func (p *packer) add(u unit) {
	if total := p.tokens + u.tokens; len(p.open) > p.repeated && total > p.Budget && (total > p.Max || !p.allGlued()) {
		carried := p.takeGlued()
		p.close()
		p.overlap(carried, u)
	}
	if len(p.open) == 0 {
		p.openPath = p.path
	}
	p.open = append(p.open, u)
	p.tokens += u.tokens
}

// takeGlued takes the units off the end of the open chunk that must stay with the next one, unless nothing would
// be left.
func (p *packer) takeGlued() []unit {
	n := len(p.open)
	tokens := 0
	for n > 0 && p.open[n-1].glued && 2*(tokens+p.open[n-1].tokens) <= p.Budget {
		n--
		tokens += p.open[n].tokens
	}
	if n <= p.repeated {
		return nil
	}
	carried := append([]unit(nil), p.open[n:]...)
	p.open = p.open[:n]
	p.tokens -= tokens
	return carried
}

// overlap begins a chunk with what was carried over, or else with the last sentences of the chunk before.
func (p *packer) overlap(carried []unit, next unit) {
	if len(carried) > 0 {
		total := next.tokens
		for _, u := range carried {
			total += u.tokens
		}
		if total > p.Max { // it has to stand alone
			p.open, p.openPath = append(p.open, carried...), p.path
			p.close()
			p.forget()
			return
		}
		p.openPath = p.path
		p.open = append(p.open, carried...)
		p.tokens = total - next.tokens
		return
	}
	if n := len(p.last); n == 0 || p.last[n-1].section != next.section || next.kind == kyro.BlockHeading {
		return
	}
	repeat := p.lastSentences(min(p.Overlap, p.Budget-next.tokens))
	for _, u := range repeat {
		p.tokens += u.tokens
	}
	p.open = append(p.open, repeat...)
	p.repeated = len(repeat)
	p.openPath = p.path
}

// lastSentences are whole sentences at the end of the last chunk that hold at most limit tokens together. The first
// sentence of the chunk is never among them.
func (p *packer) lastSentences(limit int) []unit {
	var found []unit
	for n := len(p.last) - 1; n >= 0; n-- {
		u := p.last[n]
		if u.partial || u.section != p.section || u.kind != kyro.BlockParagraph && u.kind != kyro.BlockList {
			break
		}
		if n > 0 && u.tokens <= limit {
			found, limit = append(found, u), limit-u.tokens
			continue
		}
		if u.kind == kyro.BlockParagraph {
			parts := p.sentences(p.end(u))
			for i := len(parts) - 1; i > 0 && parts[i].tokens <= limit; i-- {
				found, limit = append(found, parts[i]), limit-parts[i].tokens
			}
		}
		break
	}
	slices.Reverse(found)
	return found
}

// end is the part of a long unit that an overlap may come from.
func (p *packer) end(u unit) unit {
	if longest := 16 * p.Overlap; u.end-u.start > longest {
		u.start = u.end - longest
		for !utf8.RuneStart(p.text[u.start]) {
			u.start++
		}
	}
	return u
}

// drop empties the open chunk.
func (p *packer) drop() { p.open, p.tokens, p.repeated = p.open[:0], 0, 0 }

// forget ends the overlap: the next chunk begins a section.
func (p *packer) forget() { p.last = p.last[:0] }

// finish closes the last chunk.
func (p *packer) finish() { p.close() }

// close makes a chunk of the open units. A small one at the end of its section joins the chunk before.
func (p *packer) close() {
	defer p.drop()
	if len(p.open) == p.repeated {
		return
	}
	fresh := p.open[p.repeated:]
	if n := len(p.chunks) - 1; n >= 0 && len(p.last) > 0 && p.joins(fresh) {
		c := &p.chunks[n]
		if tokens := text.Tokens(p.text[c.ByteStart:fresh[len(fresh)-1].end]); tokens <= p.Max {
			p.last = append(p.last, fresh...)
			p.chunks[n] = p.chunk(n, p.last, p.under)
			return
		}
	}
	p.last, p.under = append(p.last[:0], p.open...), p.openPath
	p.chunks = append(p.chunks, p.chunk(len(p.chunks), p.open, p.openPath))
}

// joins reports a tail: few tokens of the section that the last chunk ended in.
func (p *packer) joins(fresh []unit) bool {
	tokens := 0
	for _, u := range fresh {
		tokens += u.tokens
	}
	return tokens < p.Tail && fresh[0].section == p.last[len(p.last)-1].section && fresh[len(fresh)-1].section == fresh[0].section
}

func (p *packer) chunk(index int, units []unit, path []heading) kyro.Chunk {
	first, last := units[0], units[len(units)-1]
	c := kyro.Chunk{
		Index: index, Text: p.text[first.start:last.end], HeadingPath: titles(path),
		ByteStart: first.start, ByteEnd: last.end, Enabled: true,
	}
	if first.columns != "" {
		c.HeadingPath = append(c.HeadingPath, first.columns)
	}
	c.CharStart, c.CharEnd = p.offsets.Char(c.ByteStart), p.offsets.Char(c.ByteEnd)
	c.TokenCount = text.Tokens(c.Text)
	c.PageStart, c.PageEnd, c.PageTurns = pages(units)
	c.ContentHash = contentHash(p.title, c)
	return c
}

// pages are the first and the last page of units, and where in them each page after the first begins. A page
// without text begins where the next one does.
func pages(units []unit) (first, last *int, turns []int) {
	here := 0
	for i := range units {
		u := &units[i]
		switch {
		case u.page <= here:
		case here == 0:
			here = u.page
			first = new(int)
			*first = here
		default:
			for ; here < u.page; here++ {
				turns = append(turns, u.start-units[0].start)
			}
		}
	}
	if first != nil {
		last = &here
	}
	return first, last, turns
}
