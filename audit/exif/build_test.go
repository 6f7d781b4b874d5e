package exif

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
)

// field is one tag of a block under construction.
type field struct {
	tag, typ uint16
	count    uint32
	data     []byte
}

// builder writes EXIF blocks, honest or not, in either byte order.
type builder struct{ order binary.AppendByteOrder }

var (
	intel    = builder{binary.LittleEndian}
	motorola = builder{binary.BigEndian}
)

func ascii(tag uint16, s string) field {
	return field{tag, typeASCII, uint32(len(s) + 1), append([]byte(s), 0)}
}

func (b builder) short(tag, v uint16) field {
	return field{tag, 3, 1, b.order.AppendUint16(nil, v)}
}

func (b builder) long(tag uint16, v uint32) field {
	return field{tag, typeLong, 1, b.order.AppendUint32(nil, v)}
}

// rational takes numerators and denominators in turn.
func (b builder) rational(tag uint16, v ...uint32) field {
	f := field{tag: tag, typ: 5, count: uint32(len(v) / 2)}
	for _, n := range v {
		f.data = b.order.AppendUint32(f.data, n)
	}
	return f
}

func (b builder) double(tag uint16, v ...float64) field {
	f := field{tag: tag, typ: 12, count: uint32(len(v))}
	for _, x := range v {
		f.data = b.order.AppendUint64(f.data, math.Float64bits(x))
	}
	return f
}

// directory writes fields as a directory that begins at offset start.
func (b builder) directory(start int, fields []field, next uint32) []byte {
	out := b.order.AppendUint16(nil, uint16(len(fields)))
	at := start + 2 + 12*len(fields) + 4
	var values []byte
	for _, f := range fields {
		out = b.order.AppendUint16(out, f.tag)
		out = b.order.AppendUint16(out, f.typ)
		out = b.order.AppendUint32(out, f.count)
		if len(f.data) > 4 {
			out = b.order.AppendUint32(out, uint32(at+len(values)))
			values = append(values, f.data...)
			continue
		}
		out = append(out, append(slices.Clone(f.data), make([]byte, 4-len(f.data))...)...)
	}
	out = b.order.AppendUint32(out, next)
	return append(out, values...)
}

// block writes a TIFF file of the main, Exif and GPS directories.
func (b builder) block(main, exif, gps []field) []byte {
	out := []byte("II*\x00")
	if b.order.String() == "BigEndian" {
		out = []byte("MM\x00*")
	}
	out = b.order.AppendUint32(out, 8)
	// The main directory's length does not depend on what its pointers say.
	pointers := func(exifAt, gpsAt int) []field {
		return append(slices.Clone(main), b.long(tagExifDirectory, uint32(exifAt)), b.long(tagGPSDirectory, uint32(gpsAt)))
	}
	exifAt := 8 + len(b.directory(8, pointers(0, 0), 0))
	gpsAt := exifAt + len(b.directory(exifAt, exif, 0))
	out = append(out, b.directory(8, pointers(exifAt, gpsAt), 0)...)
	out = append(out, b.directory(exifAt, exif, 0)...)
	return append(out, b.directory(gpsAt, gps, 0)...)
}

// position is the GPS fields of degrees, minutes, seconds in hundredths.
func (b builder) position(latRef string, lat [3]uint32, lonRef string, lon [3]uint32) []field {
	return []field{
		ascii(tagGPSLatitudeRef, latRef),
		b.rational(tagGPSLatitude, lat[0], 1, lat[1], 1, lat[2], 100),
		ascii(tagGPSLongitudeRef, lonRef),
		b.rational(tagGPSLongitude, lon[0], 1, lon[1], 1, lon[2], 100),
	}
}

// jpeg wraps a block as the first bytes of a JPEG, behind a JFIF segment.
func jpeg(block []byte) []byte {
	out := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xe1")
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(exifHeader)+len(block)))
	out = append(append(out, exifHeader...), block...)
	return append(out, "\xff\xda\x00\x02scan\xff\xd9"...)
}

func png(block []byte) []byte {
	chunk := func(out []byte, kind string, data []byte) []byte {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body := append([]byte(kind), data...)
		return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	}
	out := chunk(slices.Clone(pngSignature), "IHDR", make([]byte, 13))
	out = chunk(out, "eXIf", block)
	return chunk(out, "IEND", nil)
}

// webp puts the block behind a chunk of odd length, which is padded.
func webp(block []byte) []byte {
	chunk := func(out []byte, kind string, data []byte) []byte {
		out = binary.LittleEndian.AppendUint32(append(out, kind...), uint32(len(data)))
		return append(append(out, data...), make([]byte, len(data)%2)...)
	}
	out := chunk([]byte("WEBP"), "VP8 ", make([]byte, 7))
	out = chunk(out, "EXIF", append(slices.Clone(exifHeader), block...))
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(out))), out...)
}

func isoBox(kind string, parts ...[]byte) []byte {
	data := slices.Concat(parts...)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(data))), kind...), data...)
}

// heif puts the block into item 2, in the idat box (method 1) or in mdat
// behind everything (method 0).
func heif(block []byte, method byte) []byte {
	item := slices.Concat([]byte{0, 0, 0, 6}, exifHeader, block)
	infe := func(id byte, kind string) []byte {
		return isoBox("infe", []byte{2, 0, 0, 0, 0, id, 0, 0}, []byte(kind), []byte{0})
	}
	build := func(offset uint32) []byte {
		location := []byte{1, 0, 0, 0, 0x44, 0x00, 0, 2, // version 1, sizes 4 and 4, two items
			0, 1, 0, 0, 0, 0, 0, 0, // item 1 has no extent
			0, 2, 0, method, 0, 0, 0, 1}
		location = binary.BigEndian.AppendUint32(location, offset)
		location = binary.BigEndian.AppendUint32(location, uint32(len(item)))
		boxes := [][]byte{
			{0, 0, 0, 0},
			isoBox("iinf", []byte{0, 0, 0, 0, 0, 2}, infe(1, "hvc1"), infe(2, "Exif")),
			isoBox("iloc", location),
		}
		if method == 1 {
			return slices.Concat(isoBox("ftyp", []byte("heic\x00\x00\x00\x00")), isoBox("meta", append(boxes, isoBox("idat", item))...))
		}
		return slices.Concat(isoBox("ftyp", []byte("heic\x00\x00\x00\x00")), isoBox("meta", boxes...), isoBox("mdat", item))
	}
	if method == 1 {
		return build(0)
	}
	return build(uint32(len(build(0)) - len(item)))
}
