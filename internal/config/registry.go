package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"penstock/internal/fault"
)

// Registry is the schema registry, one that speaks Confluent's protocol. The
// formats avro and protobuf need it.
type Registry struct {
	URLs []string `yaml:"urls"` // of one registry: the next is asked when one does not answer

	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	Token    Secret `yaml:"token"` // a bearer token, instead of user and password

	TLS TLS `yaml:"tls"` // of addresses that begin with https://

	SubjectNaming string `yaml:"subject_naming"` // topic, record or topic_record
	AutoRegister  bool   `yaml:"auto_register"`  // register what is not known, instead of refusing to write it
	Normalize     bool   `yaml:"normalize"`      // have the registry compare schemas in a normal form

	Timeout time.Duration `yaml:"timeout"` // of one request
}

func defaultRegistry() Registry {
	return Registry{SubjectNaming: "topic", AutoRegister: true, Timeout: 10 * time.Second}
}

// NeedsRegistry reports whether the records of a captured table, or those beside the
// tables (of transactions, messages and heartbeats) are in a format whose schemas a
// registry keeps.
func (c *Config) NeedsRegistry() bool {
	registered := func(s *RecordStyle) bool { return slices.Contains([]string{"avro", "protobuf"}, s.Format) }
	for _, table := range c.Source.Tables {
		if own := c.RecordsOf(table); registered(&own.RecordStyle) {
			return true
		}
	}
	if len(c.Source.Matching) > 0 && anyTable(c.Records.Tables, registered) {
		return true
	}
	return registered(&c.Records.RecordStyle)
}

// anyTable reports whether an entry of a single table is such.
func anyTable(tables map[TableKey]TableRecords, such func(*RecordStyle) bool) bool {
	for _, own := range tables {
		if such(&own.RecordStyle) {
			return true
		}
	}
	return false
}

// registry checks the section; captured asks for the tables to be captured here.
func (v *validator) registry(captured bool) {
	r := v.cfg.Registry
	if captured && len(r.URLs) == 0 && v.cfg.NeedsRegistry() {
		v.missing("registry.urls", "it keeps the schemas of the formats avro and protobuf", "urls: [http://localhost:8081]")
	}
	for i, text := range r.URLs {
		if what := wrongRegistry(text); what != "" {
			v.add(fmt.Sprintf("registry.urls[%d]", i), fault.Error{What: what, Fix: "write http://host:8081, and the user and password as keys of registry"})
		}
	}
	if r.Token != "" && (r.Username != "" || r.Password != "") {
		v.add("registry.token", fault.Error{What: "there is a user too", Fix: "log in by one of the two"})
	}
	v.tls("registry.tls", r.TLS)
	v.oneOf("registry.subject_naming", r.SubjectNaming, "topic", "record", "topic_record")
	if r.Timeout <= 0 {
		v.add("registry.timeout", fault.Error{What: fmt.Sprintf("%s is not a positive duration", r.Timeout), Fix: "timeout: 10s"})
	}
}

// wrongRegistry tells what is wrong with a registry's address, or "". It does not
// show the address: one that is wrong may hold a password anywhere.
func wrongRegistry(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is not a URL"
	case u.User != nil:
		return "has a user in it: name the user in registry.username"
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "does not start with http:// or https:// and a host"
	case u.RawQuery != "" || u.Fragment != "":
		return "has more than a path after the host"
	}
	return ""
}
