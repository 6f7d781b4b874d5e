package exif

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"
)

// TestReadDamaged: a fault has its reason and takes away no more than it must.
func TestReadDamaged(t *testing.T) {
	b := intel
	sound := []field{ascii(tagMake, "Acme"), b.short(tagOrientation, 6)}
	with := func(f field) []byte { return jpeg(b.block(append([]field{f}, sound...), nil, nil)) }
	main := func(fields ...field) []byte { // the main directory alone
		out := b.order.AppendUint32([]byte("II*\x00"), 8)
		return append(out, b.directory(8, fields, 0)...)
	}
	twice := b.block(nil, nil, nil)
	loop := main(append(sound, b.long(tagExifDirectory, 8), b.long(tagGPSDirectory, 8))...)
	self := main(sound...)
	binary.LittleEndian.PutUint32(self[8+2+12*len(sound):], 8) // the next directory is this one
	many := main(sound...)
	binary.LittleEndian.PutUint16(many[8:], 65535)
	whole := jpeg(phone(b))

	tests := []struct {
		name string
		in   []byte
		want Reason
		make string // what is left
	}{
		{"16 GiB", with(field{tagSoftware, 5, 1 << 31, make([]byte, 8)}), ReasonValue, "Acme"},
		{"4 GiB of text", with(field{tagSoftware, typeASCII, math.MaxUint32, make([]byte, 8)}), ReasonValue, "Acme"},
		{"wraps at 32 bits", with(field{tagSoftware, 5, 1<<29 + 1, make([]byte, 8)}), ReasonValue, "Acme"},
		{"offset past the end", with(field{tagSoftware, typeASCII, 100000, make([]byte, 8)}), ReasonValue, "Acme"},
		{"unknown tag too long", with(field{0x9999, 3, 1 << 30, make([]byte, 8)}), ReasonValue, "Acme"},
		{"unknown type", with(field{tagSoftware, 77, 1, make([]byte, 4)}), ReasonValue, "Acme"},
		{"type 0", with(field{tagSoftware, 0, 1, make([]byte, 4)}), ReasonValue, "Acme"},
		{"no values", with(field{tagSoftware, typeASCII, 0, make([]byte, 4)}), "", "Acme"},
		{"long number", with(field{tagFlash, typeLong, 100, make([]byte, 400)}), "", "Acme"},
		{"directories in a loop", jpeg(loop), ReasonDirectory, "Acme"},
		{"next directory is the same", jpeg(self), "", "Acme"},
		{"directory past the end", jpeg(main(append(sound, b.long(tagGPSDirectory, 1<<31))...)), ReasonDirectory, "Acme"},
		{"directory in the header", jpeg(main(append(sound, b.long(tagExifDirectory, 2))...)), ReasonDirectory, "Acme"},
		{"65535 entries", jpeg(many), ReasonDirectory, "Acme"},
		{"directories without entries", jpeg(twice), "", ""},
		{"no byte order", jpeg([]byte("XX*\x00\x08\x00\x00\x00")), ReasonHeader, ""},
		{"BigTIFF", jpeg([]byte("II+\x00\x08\x00\x00\x00\x10\x00")), ReasonHeader, ""},
		{"empty block", jpeg(nil), ReasonHeader, ""},
		{"first directory past the end", jpeg([]byte("II*\x00\xff\xff\xff\xff")), ReasonDirectory, ""},
		{"file cut within the values", whole[:len(whole)-150], ReasonTruncated, "Acme"},
		{"file cut within the header", whole[:34], ReasonTruncated, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Read(tt.in)
			if got := reason(t, err); got != tt.want {
				t.Errorf("reason = %q, want %q", got, tt.want)
			}
			if m.Make != tt.make {
				t.Errorf("Make = %q, want %q", m.Make, tt.make)
			}
			check(t, m)
			if got := allocated(func() { Read(tt.in) }); got > 64<<10 {
				t.Errorf("Read allocates %d bytes", got)
			}
		})
	}
}

// TestReadCut reads every beginning of a file in each container, and the file
// with each byte changed.
func TestReadCut(t *testing.T) {
	block := phone(motorola)
	for _, whole := range [][]byte{jpeg(block), png(block), webp(block), heif(block, 0), heif(block, 1)} {
		for n := range whole {
			m, err := Read(whole[:n])
			reason(t, err)
			check(t, m)
			changed := bytes.Clone(whole)
			changed[n] ^= 0xff
			m, err = Read(changed)
			reason(t, err)
			check(t, m)
		}
	}
}

// TestHEIFWithoutEnd reads item tables that promise more than they hold.
func TestHEIFWithoutEnd(t *testing.T) {
	block := phone(motorola)
	whole := heif(block, 0)
	at := bytes.Index(whole, []byte("iloc"))
	for name, change := range map[string]func([]byte){
		"65535 extents of no bytes": func(b []byte) { b[4], b[5] = 0, 0; b[14], b[15] = 0xff, 0xff },
		"65535 items":               func(b []byte) { b[6], b[7] = 0xff, 0xff },
		"wide fields":               func(b []byte) { b[4], b[5] = 0xff, 0xff },
		"far away":                  func(b []byte) { b[24], b[25] = 0xff, 0xff },
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(whole)
			change(b[at+4:])
			m, err := Read(b)
			reason(t, err)
			check(t, m)
		})
	}
}

func TestErrorUnwraps(t *testing.T) {
	err := error(&Error{Reason: ReasonUnreadable, Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v does not unwrap", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, b := range []builder{intel, motorola} {
		block := phone(b)
		for _, file := range [][]byte{jpeg(block), png(block), webp(block), heif(block, 0), heif(block, 1)} {
			f.Add(file)
		}
	}
	f.Add(jpeg(intel.block([]field{{tagSoftware, 5, 1 << 31, make([]byte, 8)}}, nil, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		m, err := Read(b)
		reason(t, err)
		check(t, m)
		if err == nil && !m.HasExif && m != (Metadata{}) {
			t.Errorf("fields without EXIF: %+v", m)
		}
		if !bytes.Equal(b, before) {
			t.Error("Read changed its input")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	file := jpeg(phone(intel))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(file); err != nil {
			b.Fatal(err)
		}
	}
}
