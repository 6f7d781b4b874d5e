package geo

import (
	"math"
	"time"
)

// civilTwilight is the sun's geometric elevation at which civil twilight ends
// (US Naval Observatory, Astronomical Applications, "Rise, Set, and Twilight
// Definitions"): above it, in good weather, objects outdoors are clearly
// distinguished without a lamp; below it, a lamp is needed.
const civilTwilight = -6.0

// IsNight reports whether it is darker than civil twilight at p: the sun's
// centre more than 6 degrees below the horizon. Sunset itself (-0.833 degrees)
// would be too early: a doorstep is then still lit well enough for a photo.
func IsNight(p Point, t time.Time) bool {
	return SunElevation(p, t) < civilTwilight
}

// SunElevation returns how high the centre of the sun stands above the
// horizon of p at t, in degrees, negative below it.
//
// The equations are those of NOAA's solar calculator (after J. Meeus,
// "Astronomical Algorithms", chapters 25 and 28), right to about 0.02 degrees
// between the years 1901 and 2099. The elevation is geometric: refraction,
// which lifts the sun by about 0.57 degrees at the horizon and by less than
// 0.1 degrees above 10 degrees, is left out, as the definition of twilight
// has it; so are the height of p and of the buildings around it.
func SunElevation(p Point, t time.Time) float64 {
	declination, equation := sun(t)
	// Minutes of true solar time: 720 when the sun crosses the meridian.
	u := t.UTC()
	seconds := float64(u.Hour()*3600+u.Minute()*60+u.Second()) + float64(u.Nanosecond())/1e9
	solar := seconds/60 + equation + 4*p.Longitude
	hourAngle := radians(solar/4 - 180)

	sinLat, cosLat := math.Sincos(radians(p.Latitude))
	sinDec, cosDec := math.Sincos(declination)
	sinElevation := sinLat*sinDec + cosLat*cosDec*math.Cos(hourAngle)
	return degrees(math.Asin(math.Max(-1, math.Min(1, sinElevation))))
}

// sun returns the sun's apparent declination in radians and the equation of
// time (apparent minus mean solar time) in minutes.
func sun(t time.Time) (declination, equation float64) {
	const julianDayOfUnixEpoch = 2440587.5
	day := julianDayOfUnixEpoch + (float64(t.Unix())+float64(t.Nanosecond())/1e9)/86400
	c := (day - 2451545) / 36525 // Julian centuries since J2000.0

	meanLongitude := radians(math.Mod(280.46646+c*(36000.76983+c*0.0003032), 360))
	anomaly := radians(math.Mod(357.52911+c*(35999.05029-c*0.0001537), 360))
	eccentricity := 0.016708634 - c*(0.000042037+c*0.0000001267)
	center := radians(math.Sin(anomaly)*(1.914602-c*(0.004817+c*0.000014)) +
		math.Sin(2*anomaly)*(0.019993-c*0.000101) +
		math.Sin(3*anomaly)*0.000289)

	// The moon's ascending node carries the largest terms of nutation.
	node := radians(math.Mod(125.04-1934.136*c, 360))
	apparent := meanLongitude + center - radians(0.00569+0.00478*math.Sin(node))
	mean := 23 + (26+(21.448-c*(46.815+c*(0.00059-c*0.001813)))/60)/60
	obliquity := radians(mean + 0.00256*math.Cos(node))

	sinDeclination := math.Sin(obliquity) * math.Sin(apparent)
	declination = math.Asin(math.Max(-1, math.Min(1, sinDeclination)))

	y := math.Tan(obliquity / 2)
	y *= y
	equation = 4 * degrees(y*math.Sin(2*meanLongitude)-
		2*eccentricity*math.Sin(anomaly)+
		4*eccentricity*y*math.Sin(anomaly)*math.Cos(2*meanLongitude)-
		y*y/2*math.Sin(4*meanLongitude)-
		1.25*eccentricity*eccentricity*math.Sin(2*anomaly))
	return declination, equation
}
