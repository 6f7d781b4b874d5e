package decode

import (
	"encoding/binary"
)

// heicHeader is what an HEIF file's properties say (ISO/IEC 23008-12) beyond its size.
type heicHeader struct {
	videoRange bool // colr/nclx: luma 16..235
}

// heicBrand tells whether one of the brands in ftyp is HEIF with HEVC, or HEIF at large.
func heicBrand(b []byte) bool {
	end := min(len(b), int(binary.BigEndian.Uint32(b)))
	for at := 8; at+4 <= end; at += 4 {
		if at == 12 {
			continue // the minor version
		}
		switch string(b[at : at+4]) {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			return true
		case "avif", "avis":
			return false
		}
	}
	return false
}

// heicBox returns the first box of a type among b's, past its own header.
func heicBox(b []byte, kind string) ([]byte, bool) {
	var found []byte
	ok := false
	heicBoxes(b, func(k string, body []byte) {
		if !ok && k == kind {
			found, ok = body, true
		}
	})
	return found, ok
}

// heicBoxes visits the boxes that b is made of, as far as they are whole.
func heicBoxes(b []byte, visit func(kind string, body []byte)) {
	for len(b) >= 8 {
		size, from := uint64(binary.BigEndian.Uint32(b)), 8
		switch size {
		case 0:
			size = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return
			}
			size, from = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size < uint64(from) || size > uint64(len(b)) {
			return
		}
		visit(string(b[4:8]), b[from:size])
		b = b[size:]
	}
}

// parseHEIC reads the size from the primary item's properties, and holds every image in the file to the pixel limit:
// the decoder allocates what the coded pictures ask for.
func (hd *header) parseHEIC(b []byte) error {
	meta, ok := heicBox(b, "meta")
	if !ok || len(meta) < 4 {
		return fail(Broken, "HEIC without a meta box")
	}
	meta = meta[4:]
	iprp, _ := heicBox(meta, "iprp")
	ipco, ok := heicBox(iprp, "ipco")
	if !ok {
		return fail(Broken, "HEIC without properties")
	}
	type property struct {
		kind string
		body []byte
	}
	properties := []property{{}} // counted from 1
	var err error
	heicBoxes(ipco, func(kind string, body []byte) {
		properties = append(properties, property{kind, body})
		switch kind {
		case "ispe":
			if len(body) < 12 {
				return
			}
			w, h := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
			if uint64(w)*uint64(h) > MaxPixels {
				err = fail(TooManyPixels, "%d x %d is over %d megapixels", w, h, MaxPixels/1_000_000)
			}
		case "hvcC":
			if w, h, ok := hevcSize(body); ok && w*h > MaxPixels {
				err = fail(TooManyPixels, "coded as %d x %d, over %d megapixels", w, h, MaxPixels/1_000_000)
			}
		case "colr":
			if len(body) >= 11 && string(body[:4]) == "nclx" && body[10]&0x80 == 0 {
				hd.heic.videoRange = true
			}
		}
	})
	if err != nil {
		return err
	}
	primary, _ := heicBox(meta, "pitm")
	ipma, _ := heicBox(iprp, "ipma")
	for _, i := range heicAssociations(ipma, heicPrimary(primary)) {
		if i >= len(properties) {
			continue
		}
		switch p := properties[i]; {
		case p.kind == "ispe" && len(p.body) >= 12:
			hd.w, hd.h = int(binary.BigEndian.Uint32(p.body[4:])), int(binary.BigEndian.Uint32(p.body[8:]))
		case p.kind == "irot" && len(p.body) >= 1 && p.body[0]&1 == 1:
			hd.w, hd.h = hd.h, hd.w
		}
	}
	// The sandboxed decoder took 264 MB for 12 MP and 325 MB for 16: its memory grows by copying itself.
	hd.decoded = bounded(hd.w, hd.h, 16)
	return nil
}

// heicPrimary is the primary item's id.
func heicPrimary(pitm []byte) uint32 {
	switch {
	case len(pitm) >= 8 && pitm[0] > 0:
		return binary.BigEndian.Uint32(pitm[4:])
	case len(pitm) >= 6:
		return uint32(binary.BigEndian.Uint16(pitm[4:]))
	}
	return 0
}

// heicAssociations are the numbers of an item's properties, in order.
func heicAssociations(ipma []byte, item uint32) (properties []int) {
	if len(ipma) < 8 {
		return nil
	}
	version, wide, entries := ipma[0], ipma[3]&1 == 1, binary.BigEndian.Uint32(ipma[4:])
	b := ipma[8:]
	for ; entries > 0; entries-- {
		idSize := 2
		if version > 0 {
			idSize = 4
		}
		if len(b) < idSize+1 {
			return properties
		}
		id := uint32(binary.BigEndian.Uint16(b))
		if version > 0 {
			id = binary.BigEndian.Uint32(b)
		}
		count, size := int(b[idSize]), 1
		if wide {
			size = 2
		}
		b = b[idSize+1:]
		if len(b) < count*size {
			return properties
		}
		for i := range count {
			n := int(b[i*size]) & 0x7f
			if wide {
				n = n<<8 | int(b[2*i+1])
			}
			if id == item {
				properties = append(properties, n)
			}
		}
		b = b[count*size:]
	}
	return properties
}
