package ocr

import (
	"cmp"
	"math"
	"slices"

	"porchlight/audit/vision"
)

// loneFrom is the score from which a lone digit may be part of a number.
const loneFrom = 0.8

// joined are the numbers whose digits were found apart: one or two digits a text, of
// like height, side by side or one below the other. aspect is the photo's width over
// its height.
func joined(texts []vision.Text, aspect float64) []vision.Text {
	var lone []vision.Text
	for _, t := range texts {
		if t.Score >= loneFrom && len(t.Text) <= 2 && digits(t.Text) {
			lone = append(lone, t)
		}
	}
	rows := chains(lone, func(t vision.Text) cell { return newCell(t, aspect, false) })
	return append(rows, chains(lone, func(t vision.Text) cell { return newCell(t, aspect, true) })...)
}

// cell is a text along the direction in which it may go on: lengths in shares of the
// photo's height.
type cell struct{ from, to, middle, height float64 }

func newCell(t vision.Text, aspect float64, down bool) cell {
	x0, x1, y0, y1 := t.Box[0]*aspect, t.Box[2]*aspect, t.Box[1], t.Box[3]
	if down {
		return cell{y0, y1, (x0 + x1) / 2, y1 - y0}
	}
	return cell{x0, x1, (y0 + y1) / 2, y1 - y0}
}

// goesOn tells whether b may be the next after a: level, of like height, not far.
func (a cell) goesOn(b cell) bool {
	return math.Abs(b.middle-a.middle) < 0.6*a.height && b.height > 0.6*a.height && b.height < 1.6*a.height &&
		b.from-a.to < 2*a.height && b.from > a.from+0.3*a.height
}

func chains(lone []vision.Text, along func(vision.Text) cell) []vision.Text {
	lone = slices.Clone(lone)
	slices.SortStableFunc(lone, func(a, b vision.Text) int { return cmp.Compare(along(a).from, along(b).from) })
	used := make([]bool, len(lone))
	var out []vision.Text
	for i := range lone {
		if used[i] {
			continue
		}
		number, last, n := lone[i], along(lone[i]), 1
		for j := i + 1; j < len(lone); j++ {
			if next := along(lone[j]); !used[j] && last.goesOn(next) {
				number.Text += lone[j].Text
				number.Score = min(number.Score, lone[j].Score)
				number.Box = number.Box.Union(lone[j].Box)
				used[j], last, n = true, next, n+1
			}
		}
		if n > 1 {
			out = append(out, number)
		}
	}
	return out
}
