package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"github.com/disintegration/imaging"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/pixel/decode"
)

// The most that a photo takes of a page, in millimetres.
const (
	photoWidth  = 118.0
	photoHeight = 92.0
)

func (d *document) photos(ctx context.Context, originals Originals) error {
	d.heading("Photos")
	if len(d.Photos) == 0 {
		d.say("No photo is on record.")
		return nil
	}
	shown := d.Photos[:min(len(d.Photos), shownPhotos)]
	for i, p := range shown {
		if err := d.photo(ctx, i+1, p, originals); err != nil {
			return err
		}
	}
	if rest := d.Photos[len(shown):]; len(rest) > 0 {
		d.say(fmt.Sprintf("%d further photos, whose originals and findings are in the packet's ZIP:", len(rest)))
		var rows [][]string
		for i, p := range rest {
			rows = append(rows, []string{fmt.Sprintf("P%d", len(shown)+i+1), fmt.Sprintf("%s, %s, score %d", p.Role, p.Report.Verdict, p.Report.Score), p.PhotoID})
		}
		d.table([]column{{"Photo", .1, black}, {"Role and verdict", .3, black}, {"SHA-256", .6, grey}}, rows)
	}
	return nil
}

// photo shows a photo with its boxes and findings.
func (d *document) photo(ctx context.Context, n int, p dispute.Photo, originals Originals) error {
	picture, err := d.picture(ctx, p, originals)
	if err != nil {
		return err
	}
	d.room(picture.h + 24)
	d.font("B", bodySize, black)
	d.lines(d.split(fmt.Sprintf("P%d  %s: %s, score %d of 100 by checklist %s", n, strings.ReplaceAll(string(p.Role), "_", " "), p.Report.Verdict, p.Report.Score, p.Report.Checklist), d.width), lineHeight)
	said := "SHA-256 " + p.PhotoID + ", original " + string(p.Original) + ". Taken "
	switch {
	case p.TakenAt != nil:
		said += d.clock(p.TakenAt) + " by the camera's clock"
	case p.CapturedAt != nil:
		said += d.clock(p.CapturedAt) + " by the phone's clock"
	default:
		said += "at a time not on record"
	}
	d.remark(said + "; received " + d.clock(&p.ReceivedAt) + ".")
	x, y := margin, d.GetY()
	if picture.name == "" {
		d.fill(shade)
		d.Rect(x, y, picture.w, picture.h, "F")
		d.font("", bodySize, grey)
		d.SetXY(x+4, y+4)
		for _, l := range d.split(picture.problem, picture.w-8) {
			d.SetX(x + 4)
			d.CellFormat(picture.w-8, lineHeight, l, "", 1, "L", false, 0, "")
		}
	} else {
		d.ImageOptions(picture.name, x, y, picture.w, picture.h, false, fpdf.ImageOptions{ImageType: "JPG"}, 0, "")
	}
	d.line(rule, 0.2)
	d.Rect(x, y, picture.w, picture.h, "D")
	boxed := 0
	var marks []string
	var rows [][]string
	for _, f := range p.Report.Findings {
		words := dispute.FindingWords(f)
		if f.Box != nil && picture.name != "" {
			boxed++
			letter := string(rune('a' + (boxed-1)%26))
			d.line(accent, 0.5)
			bx, by := x+f.Box[0]*picture.w, y+f.Box[1]*picture.h
			d.Rect(bx, by, (f.Box[2]-f.Box[0])*picture.w, (f.Box[3]-f.Box[1])*picture.h, "D")
			d.fill(accent)
			d.Rect(bx, max(by-3.4, y), 3.4, 3.4, "F")
			d.font("B", 7, ink{255, 255, 255})
			d.SetXY(bx, max(by-3.4, y))
			d.CellFormat(3.4, 3.4, letter, "", 0, "C", false, 0, "")
			words = "[" + letter + "] " + words
		}
		rows = append(rows, []string{strings.ReplaceAll(f.Check, "_", " "), string(f.Result), words})
		if f.Result == audit.Fail || f.Result == audit.Warn {
			marks = append(marks, strings.ReplaceAll(f.Check, "_", " "))
		}
	}
	d.beside(x+picture.w+5, y, picture.h, p, marks)
	d.SetXY(margin, y+picture.h+2.5)
	d.table([]column{{"Check", .16, black}, {"Result", .12, black}, {"Found", .72, grey}}, rows)
	d.Ln(2)
	return nil
}

// beside says right of a photo what matters at a glance.
func (d *document) beside(x, y, h float64, p dispute.Photo, marks []string) {
	w := margin + d.width - x
	if w < 30 {
		return
	}
	d.SetXY(x, y)
	say := func(style string, c ink, v string) {
		d.font(style, 8.6, c)
		for _, l := range d.split(v, w) {
			if d.GetY()+4 > y+h {
				return
			}
			d.SetX(x)
			d.CellFormat(w, 4.1, l, "", 1, "L", false, 0, "")
		}
	}
	for _, check := range []string{"location", "house_number", "package", "time"} {
		if f, ok := p.Report.Finding(check); ok {
			say("B", resultInk(f.Result), strings.ReplaceAll(check, "_", " ")+": "+string(f.Result))
			say("", grey, dispute.FindingWords(f))
			d.SetY(d.GetY() + 1.5)
		}
	}
	if len(marks) > 0 {
		say("B", alarm, "Marked down for")
		say("", grey, strings.Join(marks, ", "))
	}
}

// picture is a photo as it goes onto the page.
type picture struct {
	name    string // in the document; empty where it cannot be shown
	problem string
	w, h    float64
}

func (d *document) picture(ctx context.Context, p dispute.Photo, originals Originals) (picture, error) {
	blank := func(why string) (picture, error) { return picture{problem: why, w: photoWidth, h: 24}, nil }
	if p.Original != dispute.Intact {
		return blank("The original is " + string(p.Original) + ", so that it is not shown.")
	}
	b, err := originals(ctx, p.PhotoID)
	switch audit.ErrorCode(err) {
	case "":
	case audit.CodeNotFound, audit.CodeCorrupted:
		return blank("The original cannot be shown: " + audit.ErrorMessage(err))
	default:
		return picture{}, err
	}
	side := int(math.Ceil(photoWidth / 25.4 * float64(d.look.DPI)))
	out, size, err := shrunk(b, p, side, d.look.Quality, d.widths)
	if err != nil {
		var e *decode.Error
		if !errors.As(err, &e) {
			return picture{}, err
		}
		return blank("The photo does not decode: " + e.Error() + ". Its bytes are kept as they were received.")
	}
	d.widths[size.X] = true
	name := p.PhotoID + ".jpg"
	d.RegisterImageOptionsReader(name, fpdf.ImageOptions{ImageType: "JPG"}, bytes.NewReader(out))
	scale := min(photoWidth/float64(size.X), photoHeight/float64(size.Y))
	return picture{name: name, w: float64(size.X) * scale, h: float64(size.Y) * scale}, nil
}

// shrunk is a photo upright as a JPEG, its longest side at most side pixels, and of another
// width than those that are taken: a column of pixels is left out until it is. Errors:
// [*decode.Error] for the photo's.
func shrunk(b []byte, p dispute.Photo, side, quality int, taken map[int]bool) (out []byte, size image.Point, err error) {
	orientation := 1
	if p.Measurement != nil {
		orientation = p.Measurement.Exif.Upright()
	}
	img, err := decode.Fit(b, orientation, side)
	if err != nil {
		return nil, size, err
	}
	for box := img.Bounds(); taken[box.Dx()] && box.Dx() > 1; box = img.Bounds() {
		img = imaging.Crop(img, image.Rect(box.Min.X, box.Min.Y, box.Max.X-1, box.Max.Y))
	}
	var w bytes.Buffer
	if err := decode.EncodeJPEG(&w, img, quality); err != nil {
		return nil, size, fmt.Errorf("render photo %s: %w", p.PhotoID, err)
	}
	return w.Bytes(), img.Bounds().Size(), nil
}

// attached are the sides in pixels, and the qualities, that a photo is sent by itself in.
var attached = []struct{ side, quality int }{{2400, 88}, {1600, 82}, {1200, 75}, {800, 65}}

// Photo is a photo as a JPEG of at most maxBytes.
func (d Document) Photo(ctx context.Context, p dispute.Photo, maxBytes int64) ([]byte, error) {
	b, err := d.Originals(ctx, p.PhotoID)
	if err != nil {
		return nil, err
	}
	for _, a := range attached {
		out, _, err := shrunk(b, p, a.side, a.quality, nil)
		var e *decode.Error
		if errors.As(err, &e) {
			return nil, audit.Errorf(audit.CodeUndecodable, "The photo does not decode: %s", e.Error())
		}
		if err != nil {
			return nil, err
		}
		if int64(len(out)) <= maxBytes {
			return out, nil
		}
	}
	return nil, audit.Errorf(audit.CodeTooLarge, "The photo is larger than %d bytes at its smallest", maxBytes)
}
