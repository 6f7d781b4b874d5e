package pdf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// What PDF/A-2b asks for beyond a plain PDF (ISO 19005-2): metadata as XMP that says so
// (6.6.4), the colour space that colours are meant in (6.2.3), and a file identifier in the
// trailer (6.1.3).

const producer = "Porchlight"

// metadata is the document's XMP packet.
func metadata(title string, at time.Time) []byte {
	var escaped bytes.Buffer
	xml.EscapeText(&escaped, []byte(title))
	when := at.UTC().Format("2006-01-02T15:04:05Z")
	return fmt.Appendf(nil, `<?xpacket begin="`+"\ufeff"+`" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt></dc:title>
<xmp:CreateDate>%s</xmp:CreateDate><xmp:ModifyDate>%s</xmp:ModifyDate><xmp:CreatorTool>%s</xmp:CreatorTool><pdf:Producer>%s</pdf:Producer>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>`, escaped.Bytes(), when, when, producer, producer)
}

// archival sets what fpdf itself can write of PDF/A.
func archival(f *fpdf.Fpdf, title string, at time.Time) {
	f.SetCatalogSort(true)
	f.SetCreationDate(at.UTC())
	f.SetModificationDate(at.UTC())
	f.SetTitle(title, true)
	f.SetCreator(producer, true)
	f.SetProducer(producer, true)
	f.SetLang("en")
	f.SetXmpMetadata(metadata(title, at))
	f.AddOutputIntent(fpdf.OutputIntentType{
		SubtypeIdent: fpdf.OutputIntent_GTS_PDFA1, OutputConditionIdentifier: "sRGB IEC61966-2.1", Info: "sRGB IEC61966-2.1", ICCProfile: srgb(),
	})
}

// trailer is what fpdf writes behind the cross-reference table.
var trailer = regexp.MustCompile(`(\ntrailer\n<<\n/Size [0-9]+\n/Root [0-9]+ 0 R\n/Info )([0-9]+)( 0 R\n)(>>\nstartxref\n[0-9]+\n%%EOF\n?)$`)

// identified mends the trailer, which lies behind all that the cross-reference table
// counts to. fpdf writes a file identifier for encrypted documents alone; and it takes the
// object before the catalog for the document's information, where the output intent's
// profile stands between them.
func identified(pdf []byte) ([]byte, error) {
	tail := max(0, len(pdf)-1024)
	at := trailer.FindSubmatchIndex(pdf[tail:])
	if at == nil {
		return nil, errors.New("pdf: the document does not end as expected")
	}
	part := func(n int) []byte { return pdf[tail+at[2*n] : tail+at[2*n+1]] }
	info, err := strconv.Atoi(string(part(2)))
	if err != nil {
		return nil, fmt.Errorf("pdf: %w", err)
	}
	sum := sha256.Sum256(pdf)
	out := make([]byte, 0, len(pdf)+80)
	out = append(out, pdf[:tail+at[0]]...)
	out = fmt.Appendf(out, "%s%d%s/ID [<%x> <%x>]\n%s", part(1), info-1, part(3), sum[:16], sum[:16], part(4))
	return out, nil
}

// srgb is an ICC profile of the sRGB colour space (IEC 61966-2-1), as a matrix with tone
// curves (ICC.1:2001-04, 6.3.1.2). Its primaries are adapted to D50 by Bradford.
func srgb() []byte {
	be := binary.BigEndian
	fixed := func(v float64) []byte { return be.AppendUint32(nil, uint32(int32(math.Round(v*65536)))) }
	xyz := func(x, y, z float64) []byte {
		b := append([]byte("XYZ \x00\x00\x00\x00"), fixed(x)...)
		return append(append(b, fixed(y)...), fixed(z)...)
	}
	text := func(s string) []byte { return append([]byte("text\x00\x00\x00\x00"), s+"\x00"...) }
	description := func(s string) []byte {
		b := be.AppendUint32([]byte("desc\x00\x00\x00\x00"), uint32(len(s)+1))
		b = append(b, s+"\x00"...)
		return append(b, make([]byte, 4+4+2+1+67)...) // no Unicode, no script code
	}
	const samples = 1024
	curve := be.AppendUint32([]byte("curv\x00\x00\x00\x00"), samples)
	for i := range samples {
		v := float64(i) / (samples - 1)
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		curve = be.AppendUint16(curve, uint16(math.Round(v*65535)))
	}
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", description("sRGB IEC61966-2.1")},
		{"cprt", text("No copyright, use freely")},
		{"wtpt", xyz(0.9642, 1, 0.8249)},
		{"rXYZ", xyz(0.43607, 0.22249, 0.01392)},
		{"gXYZ", xyz(0.38515, 0.71687, 0.09708)},
		{"bXYZ", xyz(0.14307, 0.06061, 0.71410)},
		{"rTRC", curve}, {"gTRC", curve}, {"bTRC", curve},
	}
	const header = 128
	table := be.AppendUint32(nil, uint32(len(tags)))
	start := header + 4 + 12*len(tags)
	var data []byte
	curveAt := 0
	for _, t := range tags {
		at := start + len(data)
		if t.name[1:] == "TRC" && curveAt > 0 {
			at = curveAt // the three share one curve
		} else {
			if t.name[1:] == "TRC" {
				curveAt = at
			}
			data = append(data, t.data...)
			data = append(data, make([]byte, (4-len(t.data)%4)%4)...)
		}
		table = append(table, t.name...)
		table = be.AppendUint32(table, uint32(at))
		table = be.AppendUint32(table, uint32(len(t.data)))
	}
	h := make([]byte, header)
	be.PutUint32(h, uint32(start+len(data)))
	be.PutUint32(h[8:], 0x02400000) // version 2.4
	copy(h[12:], "mntrRGB XYZ ")
	for i, v := range []uint16{2026, 1, 1, 0, 0, 0} {
		be.PutUint16(h[24+2*i:], v)
	}
	copy(h[36:], "acsp")
	copy(h[68:], fixed(0.9642))
	copy(h[72:], fixed(1))
	copy(h[76:], fixed(0.8249))
	return append(append(h, table...), data...)
}
