package exif

import "encoding/binary"

// box is one box of the ISO base media file format (ISO/IEC 14496-12, 4.2).
type box struct {
	kind string
	data []byte
}

// nextBox splits the first box off b; false at the end, or where the box does
// not fit.
func nextBox(b []byte) (first box, rest []byte, ok bool) {
	if len(b) < 8 {
		return box{}, nil, false
	}
	size, header := uint64(binary.BigEndian.Uint32(b)), uint64(8)
	switch size {
	case 0: // to the end
		size = uint64(len(b))
	case 1:
		if len(b) < 16 {
			return box{}, nil, false
		}
		size, header = binary.BigEndian.Uint64(b[8:]), 16
	}
	if size < header || size > uint64(len(b)) {
		return box{}, nil, false
	}
	return box{kind: string(b[4:8]), data: b[header:size]}, b[size:], true
}

// findHEIF looks up the item of type Exif in the meta box (ISO/IEC 23008-12,
// annex A). HEIC and AVIF files are built alike.
func findHEIF(file []byte) ([]byte, error) {
	var meta []byte
	for rest := file; meta == nil; {
		b, next, ok := nextBox(rest)
		if !ok {
			return nil, nil
		}
		if b.kind == "meta" {
			meta = b.data
		}
		rest = next
	}
	if len(meta) < 4 {
		return nil, nil
	}
	var infos, locations, data []byte
	for rest := meta[4:]; ; {
		b, next, ok := nextBox(rest)
		if !ok {
			break
		}
		switch b.kind {
		case "iinf":
			infos = b.data
		case "iloc":
			locations = b.data
		case "idat":
			data = b.data
		}
		rest = next
	}
	id, ok := exifItem(infos)
	if !ok {
		return nil, nil
	}
	item, err := itemData(locations, id, file, data)
	if len(item) < 4 {
		return nil, err
	}
	// ExifDataBlock: the offset of the TIFF header, then usually "Exif\0\0".
	offset := uint64(binary.BigEndian.Uint32(item))
	item = item[4:]
	if offset > uint64(len(item)) {
		return nil, &Error{Reason: ReasonHeader}
	}
	return item[offset:], err
}

// exifItem returns the id of the first item of type Exif in an iinf box.
func exifItem(iinf []byte) (uint32, bool) {
	r := reader{b: iinf}
	if version := r.uint(1); version == 0 {
		r.uint(5) // flags, count: the entries say themselves where they end
	} else {
		r.uint(7)
	}
	for rest := r.b; !r.failed; {
		entry, next, ok := nextBox(rest)
		if !ok {
			break
		}
		rest = next
		e := reader{b: entry.data}
		version := e.uint(1)
		if entry.kind != "infe" || version < 2 {
			continue
		}
		e.uint(3)
		width := 2
		if version > 2 {
			width = 4
		}
		id := e.uint(width)
		e.uint(2)
		if kind := e.uint(4); !e.failed && kind == 0x45786966 { // "Exif"
			return uint32(id), true
		}
	}
	return 0, false
}

// itemData returns the bytes of one item: those of its first extent, which is
// all that writers use for metadata. An error says that their end is missing.
func itemData(iloc []byte, id uint32, file, idat []byte) ([]byte, error) {
	r := reader{b: iloc}
	version := r.uint(1)
	r.uint(3)
	sizes := r.uint(2)
	offsetSize, lengthSize := int(sizes>>12), int(sizes>>8&15)
	baseSize, indexSize := int(sizes>>4&15), int(sizes&15)
	idSize := 2
	if version >= 2 {
		idSize = 4
	}
	if version == 0 {
		indexSize = 0
	}
	for count := r.uint(idSize); count > 0 && !r.failed; count-- {
		item := r.uint(idSize)
		method := uint64(0)
		if version >= 1 {
			method = r.uint(2) & 15
		}
		r.uint(2) // the file itself
		base := r.uint(baseSize)
		extents := r.uint(2)
		if extents == 0 {
			continue
		}
		r.uint(indexSize)
		offset, length := r.uint(offsetSize), r.uint(lengthSize)
		// A loop over the others could run for 65535 rounds on no bytes.
		r.skip((extents - 1) * uint64(indexSize+offsetSize+lengthSize))
		if uint32(item) != id || r.failed {
			continue
		}
		source := file
		if method == 1 {
			source = idat
		} else if method != 0 {
			return nil, nil
		}
		start := base + offset
		if start < base || start > uint64(len(source)) {
			return nil, &Error{Reason: ReasonTruncated}
		}
		if length == 0 {
			length = uint64(len(source)) - start
		}
		return cut(source[start:], length)
	}
	return nil, nil
}

// reader reads big-endian numbers; past the end it yields zeros and remembers.
type reader struct {
	b      []byte
	failed bool
}

// uint reads a number of n bytes, n up to 8.
func (r *reader) uint(n int) uint64 {
	if n > 8 || n > len(r.b) {
		r.b, r.failed = nil, true
		return 0
	}
	var v uint64
	for _, c := range r.b[:n] {
		v = v<<8 | uint64(c)
	}
	r.b = r.b[n:]
	return v
}

// skip passes over n bytes.
func (r *reader) skip(n uint64) {
	if n > uint64(len(r.b)) {
		r.b, r.failed = nil, true
		return
	}
	r.b = r.b[n:]
}
