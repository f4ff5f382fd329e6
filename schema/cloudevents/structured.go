package cloudevents

import (
	"encoding/base64"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

// ContentStructured is the content type of a record in structured content mode.
const ContentStructured = "application/cloudevents+json"

// AppendStructured appends the event in structured content mode, one JSON object.
// data is what a converter made of [Events.Data]: JSON when the record's content
// type says so, which then stands in the object as it is, else bytes, which become
// a base64 text.
func (e *Events) AppendStructured(dst []byte, r *Record, data []byte) []byte {
	source := at(r.Envelope, e.source)
	var scratch [256]byte
	text := func(key string, value []byte) {
		dst = append(append(dst, key...), ':')
		dst = jsontext.AppendString(dst, value)
	}
	dst = append(dst, '{')
	text(`"id"`, e.appendID(scratch[:0], r, source))
	text(`,"source"`, e.appendSource(scratch[:0], source))
	dst = append(dst, `,"specversion":"1.0"`...)
	text(`,"type"`, e.appendType(scratch[:0], source))
	text(`,"time"`, e.appendTime(scratch[:0], source))
	dst = append(dst, `,"datacontenttype":`...)
	dst = jsontext.AppendString(dst, r.ContentType)
	if r.DataSchema != "" {
		dst = append(dst, `,"dataschema":`...)
		dst = jsontext.AppendString(dst, r.DataSchema)
	}
	for i := range e.extensions {
		x := &e.extensions[i]
		dst = x.appendJSON(append(dst, x.json...), x.value(r.Envelope))
	}
	dst = append(dst, `,"data":`...)
	if r.ContentType == ContentJSON {
		return append(append(dst, data...), '}')
	}
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), data)
	return append(dst, '"', '}')
}

func (x *extension) appendJSON(dst []byte, v connect.Value) []byte {
	switch {
	case v.Form == connect.FormText:
		return jsontext.AppendString(dst, v.Bytes)
	case v.Form == connect.FormInt && x.wide:
		dst = strconv.AppendInt(append(dst, '"'), v.Int, 10)
		return append(dst, '"')
	}
	return appendPlain(dst, v)
}
