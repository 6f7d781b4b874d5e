package pdf

import (
	"strconv"
	"strings"

	"codeberg.org/go-pdf/fpdf"
)

// Measures of a page, in millimetres; type sizes in points.
const (
	margin     = 18.0
	footRoom   = 16.0
	bodySize   = 9.5
	smallSize  = 8.0
	lineHeight = 4.6
	cellGap    = 2.0
)

// ink is a colour: red, green, blue.
type ink [3]int

var (
	black  = ink{20, 20, 20}
	grey   = ink{95, 95, 95}
	rule   = ink{205, 205, 205}
	shade  = ink{243, 243, 243}
	accent = ink{20, 80, 140}
	alarm  = ink{165, 30, 30}
)

// sheet writes down pages from top to bottom.
type sheet struct {
	*fpdf.Fpdf
	width       float64 // between the margins
	bottom      float64
	substituted bool // a text had characters that the fonts lack
}

func newSheet(size, foot string) *sheet {
	f := fpdf.New("P", "mm", size, "")
	f.AddUTF8FontFromBytes(family, "", regular)
	f.AddUTF8FontFromBytes(family, "B", bold)
	f.SetMargins(margin, margin, margin)
	f.SetAutoPageBreak(false, 0)
	f.SetCellMargin(0)
	f.AliasNbPages("{pages}")
	w, h := f.GetPageSize()
	s := &sheet{Fpdf: f, width: w - 2*margin, bottom: h - footRoom}
	f.SetFooterFunc(func() {
		f.SetFont(family, "", smallSize)
		s.color(grey)
		f.SetXY(margin, h-11)
		f.CellFormat(s.width-25, 4, s.text(foot), "", 0, "L", false, 0, "")
		f.SetXY(w-margin-25, h-11)
		// The library reckons with the alias's width: to the left, the number stands where it should.
		f.CellFormat(25, 4, "page "+strconv.Itoa(f.PageNo())+" of {pages}", "", 0, "L", false, 0, "")
	})
	return s
}

// text is a text as the fonts can show it.
func (s *sheet) text(v string) string {
	out, substituted := legible(v)
	s.substituted = s.substituted || substituted
	return out
}

func (s *sheet) color(c ink) { s.SetTextColor(c[0], c[1], c[2]) }

func (s *sheet) line(c ink, width float64) {
	s.SetDrawColor(c[0], c[1], c[2])
	s.SetLineWidth(width)
}

func (s *sheet) fill(c ink) { s.SetFillColor(c[0], c[1], c[2]) }

func (s *sheet) font(style string, size float64, c ink) {
	s.SetFont(family, style, size)
	s.color(c)
}

// room begins a new page where less than h is left on this one.
func (s *sheet) room(h float64) {
	if s.GetY()+h > s.bottom {
		s.AddPage()
	}
}

// split breaks a text into lines no wider than w in the current font.
func (s *sheet) split(v string, w float64) []string {
	var out []string
	for _, paragraph := range strings.Split(s.text(v), "\n") {
		if paragraph == "" {
			out = append(out, "")
			continue
		}
		out = append(out, s.SplitText(paragraph, w)...)
	}
	return out
}

// title is the document's heading.
func (s *sheet) title(v string) {
	s.font("B", 16, black)
	s.lines(s.split(v, s.width), 7.5)
	s.Ln(1.5)
}

// heading begins a part.
func (s *sheet) heading(v string) {
	s.room(22)
	s.Ln(4)
	s.font("B", 11.5, accent)
	s.lines(s.split(v, s.width), 5.5)
	s.line(rule, 0.2)
	s.Line(margin, s.GetY()+0.6, margin+s.width, s.GetY()+0.6)
	s.Ln(2.4)
}

// say writes a paragraph.
func (s *sheet) say(v string) {
	s.font("", bodySize, black)
	s.lines(s.split(v, s.width), lineHeight)
	s.Ln(1.4)
}

// remark writes a paragraph in small print.
func (s *sheet) remark(v string) {
	s.font("", smallSize, grey)
	s.lines(s.split(v, s.width), 3.9)
	s.Ln(1.2)
}

func (s *sheet) lines(lines []string, height float64) {
	for _, l := range lines {
		s.room(height)
		s.SetX(margin)
		s.CellFormat(s.width, height, l, "", 1, "L", false, 0, "")
	}
}

// column is one column of a table.
type column struct {
	head  string
	share float64 // of the width
	color ink
}

// table writes rows under a head that is repeated on each page. A row that does not fit
// onto a page goes on on the next.
func (s *sheet) table(columns []column, rows [][]string) {
	head := func() {
		s.fill(shade)
		s.Rect(margin, s.GetY(), s.width, 5.4, "F")
		s.font("B", smallSize, grey)
		x := margin
		for _, c := range columns {
			s.SetXY(x+0.8, s.GetY())
			s.CellFormat(c.share*s.width, 5.4, c.head, "", 0, "L", false, 0, "")
			x += c.share * s.width
		}
		s.SetXY(margin, s.GetY()+6)
	}
	headed := columns[0].head != ""
	if headed {
		s.room(14)
		head()
	}
	const height = 4.1
	for _, row := range rows {
		s.SetFont(family, "", 8.6)
		cells := make([][]string, len(columns))
		most := 1
		for i, c := range columns {
			cells[i] = s.split(row[i], c.share*s.width-cellGap)
			most = max(most, len(cells[i]))
		}
		for k := range most {
			if s.GetY()+height > s.bottom {
				s.AddPage()
				if headed {
					head()
				}
			}
			s.SetFont(family, "", 8.6)
			x, y := margin, s.GetY()
			for i, c := range columns {
				if k < len(cells[i]) {
					s.color(c.color)
					s.SetXY(x+0.8, y)
					s.CellFormat(c.share*s.width, height, cells[i][k], "", 0, "L", false, 0, "")
				}
				x += c.share * s.width
			}
			s.SetXY(margin, y+height)
		}
		s.line(rule, 0.1)
		s.Line(margin, s.GetY()+0.5, margin+s.width, s.GetY()+0.5)
		s.SetXY(margin, s.GetY()+1.1)
	}
	s.Ln(1)
}
