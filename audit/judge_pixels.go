package audit

import (
	"fmt"
	"strings"
)

func (j *judgement) readable() Finding {
	if !j.m.Decoded() {
		f := Finding{Result: Fail, Detail: "The photo does not decode whole"}
		if j.m.Problem != nil {
			f.Detail = j.m.Problem.Message
		}
		return f
	}
	limit := j.Checks.Readable.WarnBelowPx
	f := Finding{Result: Pass, Value: max(j.m.Width, j.m.Height), Limit: limit, Unit: "px"}
	if float64(max(j.m.Width, j.m.Height)) < limit {
		f.Result = Warn
		f.Detail = fmt.Sprintf("The photo's long side has %d px", max(j.m.Width, j.m.Height))
	}
	return f
}

func (j *judgement) brightness() Finding {
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	f := below(j.m.BrightTile, j.Checks.Brightness.FailBelow, j.Checks.Brightness.WarnBelow)
	f.Unit = "luma 0-255"
	return f
}

func (j *judgement) exposure() Finding {
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	f := above(j.m.BlownOut, j.Checks.Exposure.FailAbove, j.Checks.Exposure.WarnAbove)
	f.Unit = "share of pixels"
	return f
}

func (j *judgement) blur() Finding {
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	if j.found["brightness"] == Fail {
		return unknown("too dark to tell")
	}
	f := above(j.m.Blur, j.Checks.Blur.FailAbove, j.Checks.Blur.WarnAbove)
	f.Unit = "blur score"
	return f
}

func (j *judgement) detail() Finding {
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	f := below(j.m.EntropyBits, j.Checks.Detail.FailBelow, j.Checks.Detail.WarnBelow)
	f.Unit = "bits"
	return f
}

func (j *judgement) lens() Finding {
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	limit := j.Checks.Lens.WarnFromShare
	f := Finding{Result: Pass, Value: j.m.LensBlob, Limit: limit, Unit: "share of the frame"}
	if j.m.LensBlob >= limit {
		f.Result = Warn
		f.Detail = fmt.Sprintf("Something smooth covers %.0f%% of the photo from its border", 100*j.m.LensBlob)
	}
	return f
}

func (j *judgement) original() Finding {
	c, e := j.Checks.Original, j.m.Exif
	software := strings.ToLower(e.Software)
	for _, name := range c.EditingSoftware {
		if name != "" && strings.Contains(software, strings.ToLower(name)) {
			return Finding{Result: Warn, Value: e.Software, Source: "exif", Detail: "The file was last saved by editing software: " + e.Software}
		}
	}
	if !j.m.Decoded() {
		return unknown(notDecoded)
	}
	camera := e.Make != "" || e.Model != ""
	if j.m.FlatShare > c.MaxFlatShare && !camera {
		return Finding{Result: Warn, Value: j.m.FlatShare, Limit: c.MaxFlatShare, Unit: "share of the frame",
			Detail: fmt.Sprintf("%.0f%% of the picture is perfectly flat, as in a screenshot, and no camera is named", 100*j.m.FlatShare)}
	}
	if j.m.Moire > c.MaxMoire {
		return Finding{Result: Warn, Value: j.m.Moire, Limit: c.MaxMoire, Unit: "moire",
			Detail: "The picture has the pattern of a screen that was photographed"}
	}
	if !camera {
		return unknown("the file names no camera")
	}
	return Finding{Result: Pass, Value: strings.TrimSpace(e.Make + " " + e.Model), Source: "exif"}
}
