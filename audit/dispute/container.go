package dispute

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A packet's ZIP has one possible form for its contents: entries stored, not
// compressed, in a fixed order, with no comments, extra fields or data descriptors, one
// modification time, and sizes below 4 GB (PKWARE APPNOTE 4.3.7, 4.3.12, 4.3.16). So two
// builds are equal byte by byte, whatever compressor is about, and whatever was done
// to the file afterwards shows.

// entry is a file in the ZIP.
type entry struct {
	name   string
	crc    uint32
	size   uint32
	time   time.Time
	offset uint32 // of its local header
}

const (
	localHeaderSize   = 30
	centralHeaderSize = 46
	endRecordSize     = 22

	zipVersion = 20        // 2.0, needed to extract
	zipCreator = 3<<8 | 20 // Unix
	zipMode    = 0o100644  // a regular file
)

func entryOf(name string, b []byte, at time.Time) entry {
	return entry{name: name, crc: crc32.ChecksumIEEE(b), size: uint32(len(b)), time: at}
}

func (e entry) localHeader() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, localHeaderSize+len(e.name))
	b = le.AppendUint32(b, 0x04034b50)
	b = e.appendCommon(b)
	return append(b, e.name...)
}

func (e entry) centralHeader() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, centralHeaderSize+len(e.name))
	b = le.AppendUint32(b, 0x02014b50)
	b = le.AppendUint16(b, zipCreator)
	b = e.appendCommon(b)
	b = append(b, make([]byte, 6)...) // no comment, first disk, no internal attributes
	b = le.AppendUint32(b, zipMode<<16)
	b = le.AppendUint32(b, e.offset)
	return append(b, e.name...)
}

// appendCommon is what local and central header share.
func (e entry) appendCommon(b []byte) []byte {
	le := binary.LittleEndian
	day, clock := dosTime(e.time)
	b = le.AppendUint16(b, zipVersion)
	b = le.AppendUint16(b, 0) // flags
	b = le.AppendUint16(b, 0) // stored
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, day)
	b = le.AppendUint32(b, e.crc)
	b = le.AppendUint32(b, e.size)
	b = le.AppendUint32(b, e.size)
	b = le.AppendUint16(b, uint16(len(e.name)))
	return le.AppendUint16(b, 0) // no extra field
}

func endRecord(entries int, size, offset uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, endRecordSize)
	b = le.AppendUint32(b, 0x06054b50)
	b = le.AppendUint32(b, 0) // first and only disk
	b = le.AppendUint16(b, uint16(entries))
	b = le.AppendUint16(b, uint16(entries))
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, offset)
	return le.AppendUint16(b, 0) // no comment
}

// dosTime is an instant in UTC as MS-DOS has it: to two seconds, from 1980 to 2107.
func dosTime(t time.Time) (day, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if t.Year() > 2107 {
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	day = uint16(t.Day() | int(t.Month())<<5 | (t.Year()-1980)<<9)
	clock = uint16(t.Second()/2 | t.Minute()<<5 | t.Hour()<<11)
	return day, clock
}
