package web

import (
	"strings"

	"porchlight/audit/standing"
)

func standingWords(s standing.Standing) string {
	if s == standing.AtRisk {
		return "At risk"
	}
	if s == "" {
		s = standing.Unknown
	}
	return upper(plain(string(s)))
}

func standingTone(s standing.Standing) string {
	switch s {
	case standing.Fantastic, standing.Great:
		return "good"
	case standing.Fair:
		return "look"
	case standing.AtRisk:
		return "bad"
	}
	return "none"
}

var figureNames = map[string]string{
	standing.AttemptedRate: "Attempted", standing.DeliveredRate: "Delivered", standing.OnTimeRate: "On time", standing.NotReceived: "Not received",
	standing.PerMillion: "Not received, per million", standing.FeedbackRating: "Customer feedback", standing.Reliability: "Reliability of blocks",
}

func figureWords(name string) string {
	if w := figureNames[name]; w != "" {
		return w
	}
	return upper(plain(name))
}

// figureValue is a figure's value with its unit; empty where it is unknown.
func figureValue(f standing.Figure) string {
	if f.Value == nil {
		return ""
	}
	return inUnit(*f.Value, f.Unit)
}

// figureLimit is the limit of fair.
func figureLimit(f standing.Figure) string {
	word := "at least "
	if f.Name == standing.NotReceived || f.Name == standing.PerMillion {
		word = "at most "
	}
	return word + inUnit(f.Limit, f.Unit)
}

func inUnit(v float64, unit string) string {
	switch {
	case unit == "share":
		return number(v*100) + "%"
	case v == 1:
		unit = strings.TrimSuffix(unit, "s")
	}
	return number(v) + "\u00a0" + unit
}

// changeWords is a figure before and after, without its unit but for shares.
func changeWords(c standing.Change) string {
	word := func(v *float64) string {
		switch {
		case v == nil:
			return "unknown"
		case c.Figure == standing.NotReceived || c.Figure == standing.PerMillion || c.Figure == standing.FeedbackRating:
			return number(*v)
		}
		return number(*v*100) + "%"
	}
	return figureWords(c.Figure) + ": " + word(c.Before) + " to " + word(c.After)
}
