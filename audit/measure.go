package audit

import (
	"errors"

	"porchlight/audit/exif"
	"porchlight/audit/pixel"
	"porchlight/audit/pixel/decode"
)

// Measure reads what a photo's pixels and metadata say. It does no I/O. Bytes that are
// a photo but do not decode whole give a measurement with a Problem: they are evidence
// too.
//
// Errors: [CodeEmpty], [CodeTooLarge], [CodeNotAPhoto].
func Measure(b []byte) (Measurement, error) {
	mediaType, err := sniff(b)
	if err != nil {
		return Measurement{}, err
	}
	m := Measurement{Version: MeasurementVersion, MediaType: mediaType}
	m.Exif, _ = exif.Read(b) // a damaged tag is absent, the others count
	frame, err := decode.Photo(b)
	if err != nil {
		m.Problem = problem(err)
		return m, nil
	}
	defer frame.Release()
	if !frame.Upright {
		frame.Luma.Orientation = m.Exif.Upright()
	}
	measures := pixel.Measure(&frame.Luma)
	m.Measures = &measures
	return m, nil
}

// sniff tells a photo's media type from its bytes.
func sniff(b []byte) (string, error) {
	if len(b) == 0 {
		return "", Errorf(CodeEmpty, "The photo is empty")
	}
	if len(b) > MaxPhotoBytes {
		return "", Errorf(CodeTooLarge, "The photo has %d bytes, %d are the most", len(b), MaxPhotoBytes)
	}
	mt, ok := decode.Sniff(b)
	if !ok {
		return "", Errorf(CodeNotAPhoto, "The file is not a photo: its bytes are no JPEG, PNG, WebP or HEIC")
	}
	return string(mt), nil
}

// problem words a decoder's error.
func problem(err error) *Problem {
	var e *decode.Error
	if errors.As(err, &e) && e.Reason == decode.TooManyPixels {
		return &Problem{Code: CodeTooManyPix, Message: "The photo has more pixels than can be judged: " + e.Error()}
	}
	return &Problem{Code: CodeUndecodable, Message: "The photo does not decode whole: " + err.Error()}
}
