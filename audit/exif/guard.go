package exif

import "encoding/binary"

// The tags read, by their numbers in Exif 3.0 (CIPA DC-008), 4.6.
const (
	tagMake        = 0x010f
	tagModel       = 0x0110
	tagOrientation = 0x0112
	tagSoftware    = 0x0131

	tagDateTimeOriginal    = 0x9003
	tagDateTimeDigitized   = 0x9004
	tagOffsetTime          = 0x9010
	tagOffsetTimeOriginal  = 0x9011
	tagOffsetTimeDigitized = 0x9012
	tagFlash               = 0x9209
	tagPixelXDimension     = 0xa002
	tagPixelYDimension     = 0xa003
	tagDigitalZoomRatio    = 0xa404

	tagGPSLatitudeRef       = 0x0001
	tagGPSLatitude          = 0x0002
	tagGPSLongitudeRef      = 0x0003
	tagGPSLongitude         = 0x0004
	tagGPSTimeStamp         = 0x0007
	tagGPSImgDirection      = 0x0011
	tagGPSDateStamp         = 0x001d
	tagGPSHPositioningError = 0x001f

	tagExifDirectory = 0x8769
	tagGPSDirectory  = 0x8825
)

// kind is what a tag's value is read as.
type kind uint8

const (
	text kind = 1 + iota
	number
)

// The directories and the tags taken from each. No number occurs in two of
// them, so that the copy can be one flat directory.
var (
	mainTags = map[uint16]kind{tagMake: text, tagModel: text, tagOrientation: number, tagSoftware: text}
	exifTags = map[uint16]kind{
		tagDateTimeOriginal: text, tagDateTimeDigitized: text,
		tagOffsetTime: text, tagOffsetTimeOriginal: text, tagOffsetTimeDigitized: text,
		tagFlash: number, tagPixelXDimension: number, tagPixelYDimension: number, tagDigitalZoomRatio: number,
	}
	gpsTags = map[uint16]kind{
		tagGPSLatitudeRef: text, tagGPSLatitude: number, tagGPSLongitudeRef: text, tagGPSLongitude: number,
		tagGPSTimeStamp: number, tagGPSImgDirection: number, tagGPSDateStamp: text, tagGPSHPositioningError: number,
	}
)

const (
	// A directory of a camera has fewer than 100 entries.
	maxEntries = 1024
	// Bytes kept of a text; longer ones are cut, longer numbers dropped.
	maxText   = 800
	maxNumber = 64
)

// TIFF 6.0, section 2, types 1 to 12; 13 is a directory's offset (TIFF
// Technical Note 1), 129 UTF-8 (Exif 3.0).
const (
	typeByte      = 1
	typeASCII     = 2
	typeLong      = 4
	typeUndefined = 7
	typeIFD       = 13
	typeUTF8      = 129
)

// typeSize returns the bytes of one value, 0 for an unknown type.
func typeSize(t uint16) uint64 {
	switch t {
	case typeByte, typeASCII, 6, typeUndefined, typeUTF8:
		return 1
	case 3, 8:
		return 2
	case typeLong, 9, 11, typeIFD:
		return 4
	case 5, 10, 12:
		return 8
	}
	return 0
}

// entry is one checked tag of the copy.
type entry struct {
	tag, kind uint16 // kind is the TIFF type
	count     uint32
	value     []byte // within the block, in its byte order
}

// walker goes through the directories of one block.
type walker struct {
	block   []byte
	order   binary.AppendByteOrder
	bytes   binary.ByteOrder
	visited []uint32 // offsets of directories
	kept    []entry
	fault   error // the first one
}

// guard checks an EXIF block and returns a copy that holds nothing but the
// known tags, in one directory, with every count and offset made anew. Faults
// leave out what they concern; the first is returned as *Error. The copy is
// nil when not even the first directory can be read.
func guard(block []byte) ([]byte, error) {
	w := walker{block: block}
	switch {
	case len(block) < 8:
		return nil, &Error{Reason: ReasonHeader}
	case string(block[:4]) == "II*\x00":
		w.order, w.bytes = binary.LittleEndian, binary.LittleEndian
	case string(block[:4]) == "MM\x00*":
		w.order, w.bytes = binary.BigEndian, binary.BigEndian
	default:
		return nil, &Error{Reason: ReasonHeader}
	}
	sub := map[uint16]uint32{}
	if !w.directory(w.bytes.Uint32(block[4:]), mainTags, sub) {
		return nil, w.fault
	}
	// The offset of the next directory leads to the thumbnail: not followed.
	if at, ok := sub[tagExifDirectory]; ok {
		w.directory(at, exifTags, sub)
	}
	if at, ok := sub[tagGPSDirectory]; ok {
		w.directory(at, gpsTags, nil)
	}
	return w.copy(), w.fault
}

func (w *walker) fail(r Reason) {
	if w.fault == nil {
		w.fault = &Error{Reason: r}
	}
}

// directory takes the wanted tags of the directory at offset and notes in sub
// where the directories it refers to begin. It reports whether one was there.
func (w *walker) directory(offset uint32, wanted map[uint16]kind, sub map[uint16]uint32) bool {
	size := uint64(len(w.block))
	start := uint64(offset)
	if start < 8 || start+2 > size {
		w.fail(ReasonDirectory)
		return false
	}
	for _, v := range w.visited {
		if v == offset {
			w.fail(ReasonDirectory)
			return false
		}
	}
	w.visited = append(w.visited, offset)

	n := uint64(w.bytes.Uint16(w.block[start:]))
	if fits := (size - start - 2) / 12; n > fits || n > maxEntries {
		w.fail(ReasonDirectory)
		n = min(fits, maxEntries)
	}
	for i := range n {
		w.entry(w.block[start+2+12*i:][:12], wanted, sub)
	}
	return true
}

// entry checks one tag and keeps it if it is wanted.
func (w *walker) entry(e []byte, wanted map[uint16]kind, sub map[uint16]uint32) {
	tag, typ, count := w.bytes.Uint16(e), w.bytes.Uint16(e[2:]), w.bytes.Uint32(e[4:])
	one := typeSize(typ)
	if one == 0 {
		w.fail(ReasonValue)
		return
	}
	if count == 0 {
		return // an empty value is an absent one
	}
	length := uint64(count) * one // at most 2^35
	value := e[8:12]
	if length > 4 {
		at := uint64(w.bytes.Uint32(value))
		if at+length > uint64(len(w.block)) {
			w.fail(ReasonValue)
			return
		}
		value = w.block[at : at+length]
	}
	if tag == tagExifDirectory || tag == tagGPSDirectory {
		if _, seen := sub[tag]; sub != nil && !seen && count == 1 && (typ == typeLong || typ == typeIFD) {
			sub[tag] = w.bytes.Uint32(value)
		}
		return
	}
	w.keep(entry{tag: tag, kind: typ, count: count, value: value[:length]}, wanted[tag])
}

// keep adds a wanted tag to the copy, the first of that number alone.
func (w *walker) keep(e entry, k kind) {
	for _, other := range w.kept {
		if other.tag == e.tag {
			return
		}
	}
	switch {
	case k == text && typeSize(e.kind) == 1:
		// Some writers declare texts as bytes; and the library knows no UTF-8.
		e.kind = typeASCII
		if len(e.value) > maxText {
			e.value, e.count = e.value[:maxText], maxText
		}
	case k == number && len(e.value) <= maxNumber && e.kind != typeIFD && e.kind != typeUTF8:
	default:
		return
	}
	w.kept = append(w.kept, e)
}

// copy writes the kept tags as a TIFF file.
func (w *walker) copy() []byte {
	const header = 8
	table := header + 2 + 12*len(w.kept) + 4
	out := append(make([]byte, 0, table+1024), w.block[:4]...)
	out = w.order.AppendUint32(out, header)
	out = w.order.AppendUint16(out, uint16(len(w.kept)))
	at := table
	for _, e := range w.kept {
		out = w.order.AppendUint16(out, e.tag)
		out = w.order.AppendUint16(out, e.kind)
		out = w.order.AppendUint32(out, e.count)
		if len(e.value) > 4 {
			out = w.order.AppendUint32(out, uint32(at))
			at += len(e.value)
			continue
		}
		var inline [4]byte
		copy(inline[:], e.value)
		out = append(out, inline[:]...)
	}
	out = w.order.AppendUint32(out, 0) // no next directory
	for _, e := range w.kept {
		if len(e.value) > 4 {
			out = append(out, e.value...)
		}
	}
	return out
}
