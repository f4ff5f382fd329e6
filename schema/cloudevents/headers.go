package cloudevents

import "penstock/schema/connect"

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// AppendHeaders appends the headers of the event in binary content mode to dst,
// and their values to buf. The values alias buf: neither may be reused before the
// record is sent. It allocates only what the two need to grow.
func (e *Events) AppendHeaders(dst []Header, buf []byte, r *Record) ([]Header, []byte) {
	source := at(r.Envelope, e.source)
	add := func(key string, start int) {
		dst = append(dst, Header{Key: key, Value: buf[start:len(buf):len(buf)]})
	}
	start := len(buf)
	buf = e.appendID(buf, r, source)
	add("ce_id", start)
	start = len(buf)
	buf = e.appendSource(buf, source)
	add("ce_source", start)
	start = len(buf)
	buf = append(buf, "1.0"...)
	add("ce_specversion", start)
	start = len(buf)
	buf = e.appendType(buf, source)
	add("ce_type", start)
	start = len(buf)
	buf = e.appendTime(buf, source)
	add("ce_time", start)
	if r.ContentType != "" {
		start = len(buf)
		buf = append(buf, r.ContentType...)
		add("content-type", start)
	}
	if r.DataSchema != "" {
		start = len(buf)
		buf = append(buf, r.DataSchema...)
		add("ce_dataschema", start)
	}
	for i := range e.extensions {
		x := &e.extensions[i]
		v := x.value(r.Envelope)
		if v.Form == connect.Null {
			continue
		}
		start = len(buf)
		buf = appendPlain(buf, v)
		add(x.header, start)
	}
	return dst, buf
}
