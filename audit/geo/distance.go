package geo

import "math"

// The WGS 84 ellipsoid (NGA.STND.0036): equatorial radius, flattening, and the
// polar radius that follows from them, in metres.
const (
	equatorialRadius = 6378137.0
	flattening       = 1 / 298.257223563
	polarRadius      = equatorialRadius * (1 - flattening)
	// meanRadius is R1 of the IUGG, (2a+b)/3, for the spherical fallback.
	meanRadius = (2*equatorialRadius + polarRadius) / 3
)

const (
	// Convergence of the longitude difference: 1e-12 rad is 6 µm on the ground.
	converged = 1e-12
	// Ordinary lines need 3 to 6 rounds, the slowest that still converge
	// (half a degree short of the antipode) about 130.
	maxRounds = 200
)

// Distance returns the length in metres of the shortest line from a to b on
// the WGS 84 ellipsoid.
//
// It is the inverse solution of T. Vincenty, "Direct and inverse solutions of
// geodesics on the ellipsoid with application of nested equations", Survey
// Review XXIII 176, 1975: within 1 mm wherever it converges. It does not
// between points nearly opposite on the globe (within about half a degree of
// each other's antipode); there the great circle on the mean sphere answers,
// within 0.1 %. Coordinates that are not finite give NaN.
func Distance(a, b Point) float64 {
	d, _ := inverse(a, b)
	return d
}

// Bearing returns the direction in which the shortest line from a to b
// starts, in degrees clockwise from true north, 0 <= bearing < 360. Between
// equal points it is 0. Method and limits are those of Distance.
func Bearing(a, b Point) float64 {
	_, azimuth := inverse(a, b)
	return azimuth
}

// inverse returns length and starting azimuth of the line from a to b.
func inverse(a, b Point) (metres, azimuth float64) {
	lon := radians(math.Remainder(b.Longitude-a.Longitude, 360))
	if a.Latitude == b.Latitude && lon == 0 {
		return 0, 0
	}
	sinU1, cosU1 := reduced(a.Latitude)
	sinU2, cosU2 := reduced(b.Latitude)

	lambda := lon
	for range maxRounds {
		sinL, cosL := math.Sincos(lambda)
		east, north := cosU2*sinL, cosU1*sinU2-sinU1*cosU2*cosL
		sinSigma := math.Sqrt(east*east + north*north)
		if sinSigma == 0 {
			break // the same place, or its exact antipode
		}
		cosSigma := sinU1*sinU2 + cosU1*cosU2*cosL
		sigma := math.Atan2(sinSigma, cosSigma)
		sinAlpha := cosU1 * cosU2 * sinL / sinSigma
		cos2Alpha := 1 - sinAlpha*sinAlpha
		cos2SigmaM := 0.0 // along the equator
		if cos2Alpha > 1e-15 {
			cos2SigmaM = cosSigma - 2*sinU1*sinU2/cos2Alpha
		}
		c := flattening / 16 * cos2Alpha * (4 + flattening*(4-3*cos2Alpha))
		next := lon + (1-c)*flattening*sinAlpha*
			(sigma+c*sinSigma*(cos2SigmaM+c*cosSigma*(2*cos2SigmaM*cos2SigmaM-1)))
		if math.Abs(next) > math.Pi {
			break // past the antipode: the series does not hold
		}
		if math.Abs(next-lambda) < converged {
			k := newSeries(cos2Alpha)
			metres = polarRadius * k.a * (sigma - k.delta(sinSigma, cosSigma, cos2SigmaM))
			return metres, compass(math.Atan2(east, north))
		}
		lambda = next
	}
	return sphere(a, b)
}

// sphere is the great circle on the mean sphere, by the haversine for the
// length.
func sphere(a, b Point) (metres, azimuth float64) {
	lat1, lat2 := radians(a.Latitude), radians(b.Latitude)
	lon := radians(b.Longitude - a.Longitude)
	sinLat, sinLon := math.Sin((lat2-lat1)/2), math.Sin(lon/2)
	h := sinLat*sinLat + math.Cos(lat1)*math.Cos(lat2)*sinLon*sinLon
	metres = 2 * meanRadius * math.Asin(math.Min(1, math.Sqrt(h)))
	east := math.Sin(lon) * math.Cos(lat2)
	north := math.Cos(lat1)*math.Sin(lat2) - math.Sin(lat1)*math.Cos(lat2)*math.Cos(lon)
	return metres, compass(math.Atan2(east, north))
}

// Offset returns the point that lies eastM metres east and northM metres
// north of p: the end of the shortest line that leaves p in that direction
// and is that long (Vincenty's direct solution, within 1 mm). Displacements
// that are not finite leave p where it is.
func (p Point) Offset(eastM, northM float64) Point {
	s := math.Hypot(eastM, northM)
	if s == 0 || math.IsInf(s, 0) || math.IsNaN(s) {
		return p
	}
	sinAz, cosAz := eastM/s, northM/s
	sinU, cosU := reduced(p.Latitude)
	sigma1 := math.Atan2(sinU, cosU*cosAz)
	sinAlpha := cosU * sinAz
	cos2Alpha := 1 - sinAlpha*sinAlpha
	k := newSeries(cos2Alpha)

	straight := s / (polarRadius * k.a)
	sigma := straight
	var sinSigma, cosSigma, cos2SigmaM float64
	for range maxRounds {
		cos2SigmaM = math.Cos(2*sigma1 + sigma)
		sinSigma, cosSigma = math.Sincos(sigma)
		next := straight + k.delta(sinSigma, cosSigma, cos2SigmaM)
		done := math.Abs(next-sigma) < converged
		sigma = next
		if done {
			break
		}
	}
	cos2SigmaM = math.Cos(2*sigma1 + sigma)
	sinSigma, cosSigma = math.Sincos(sigma)

	across := sinU*sinSigma - cosU*cosSigma*cosAz
	lat := math.Atan2(sinU*cosSigma+cosU*sinSigma*cosAz,
		(1-flattening)*math.Hypot(sinAlpha, across))
	lambda := math.Atan2(sinSigma*sinAz, cosU*cosSigma-sinU*sinSigma*cosAz)
	c := flattening / 16 * cos2Alpha * (4 + flattening*(4-3*cos2Alpha))
	lon := lambda - (1-c)*flattening*sinAlpha*
		(sigma+c*sinSigma*(cos2SigmaM+c*cosSigma*(2*cos2SigmaM*cos2SigmaM-1)))
	return Point{
		Latitude:  degrees(lat),
		Longitude: math.Remainder(p.Longitude+degrees(lon), 360),
	}
}

// series holds A and B of Vincenty's equations 3 and 4 for one line.
type series struct{ a, b float64 }

func newSeries(cos2Alpha float64) series {
	u2 := cos2Alpha * (equatorialRadius*equatorialRadius - polarRadius*polarRadius) / (polarRadius * polarRadius)
	return series{
		a: 1 + u2/16384*(4096+u2*(-768+u2*(320-175*u2))),
		b: u2 / 1024 * (256 + u2*(-128+u2*(74-47*u2))),
	}
}

// delta is Vincenty's equation 6: how far the angle on the auxiliary sphere
// differs from the length of the line.
func (k series) delta(sinSigma, cosSigma, cos2SigmaM float64) float64 {
	m2 := cos2SigmaM * cos2SigmaM
	return k.b * sinSigma * (cos2SigmaM + k.b/4*(cosSigma*(2*m2-1)-
		k.b/6*cos2SigmaM*(4*sinSigma*sinSigma-3)*(4*m2-3)))
}

// reduced returns sine and cosine of the reduced latitude, tan U = (1-f) tan φ,
// in a form that holds at the poles.
func reduced(latitude float64) (sin, cos float64) {
	s, c := math.Sincos(radians(latitude))
	s *= 1 - flattening
	h := math.Hypot(s, c)
	return s / h, c / h
}

func radians(deg float64) float64 { return deg * (math.Pi / 180) }
func degrees(rad float64) float64 { return rad * (180 / math.Pi) }

// compass turns an azimuth in radians into degrees, 0 <= compass < 360.
func compass(azimuth float64) float64 {
	d := math.Mod(degrees(azimuth)+360, 360)
	if d < 0 {
		return 0
	}
	return d
}
