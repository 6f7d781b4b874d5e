package rows

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"porchlight/audit"
)

// fields are a row type's fields by their names in an import.
type fields map[string]reflect.Type

var (
	timeType = reflect.TypeFor[time.Time]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// fieldsOf reads the names from the json tags; embedded structs count as flattened. What
// is tagged import:"-" is no field of an import.
func fieldsOf[T any]() (fields, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("rows of %v: a struct is wanted", t)
	}
	f := fields{}
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous || !sf.IsExported() || sf.Tag.Get("import") == "-" {
			continue
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = sf.Name
		}
		ft := sf.Type
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		f[name] = ft
	}
	return f, nil
}

// names lists all fields, for messages.
func (f fields) names() string {
	var names []string
	for n := range f {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (f fields) unknown(what, name string) error {
	msg := fmt.Sprintf("There is no %s %q. The %ss are %s", what, clip(name), what, f.names())
	for known := range f {
		if strings.EqualFold(strings.TrimSpace(name), known) {
			msg = fmt.Sprintf("There is no %s %q. Is %s meant?", what, clip(name), known)
		}
	}
	return &audit.Error{Code: audit.CodeUnknownField, Message: msg}
}

// wrong says that a value does not fit its field.
func (f fields) wrong(name, value string, cause error) error {
	value = clip(value)
	var msg string
	switch t := f[name]; {
	case t == nil:
		msg = fmt.Sprintf("%s cannot be %q", name, value)
	case t == timeType:
		msg = fmt.Sprintf("%s: %q is not a time in RFC 3339, such as 2026-05-04T15:04:05-07:00", name, value)
	case reflect.PointerTo(t).Implements(textType):
		msg = fmt.Sprintf("%s cannot be %q", name, value)
	default:
		kind := "a text"
		switch t.Kind() {
		case reflect.Bool:
			kind = "true or false"
		case reflect.Float32, reflect.Float64:
			kind = "a number"
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			kind = "a whole number"
		}
		msg = fmt.Sprintf("%s: %q is not %s", name, value, kind)
	}
	return &audit.Error{Code: audit.CodeInvalid, Message: msg, Err: cause}
}

// clip keeps a message readable whatever was sent.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
