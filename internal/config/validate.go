package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
)

// Validate reports everything that the roles, or all roles when none is named,
// could not run with, as joined [Problem]s in the order of the sections.
func (c *Config) Validate(roles ...Role) error {
	if len(roles) == 0 {
		roles = Roles()
	}
	v := &validator{cfg: c}
	if slices.Contains(roles, RoleCapture) {
		v.source()
		v.backfill()
	}
	v.kafka()
	v.records(slices.Contains(roles, RoleCapture))
	v.registry(slices.Contains(roles, RoleCapture))
	if slices.Contains(roles, RoleSink) && len(c.Pipelines) == 0 {
		v.missing("pipelines", "the sink has nothing to do without one", "pipelines: { engagement_metrics: { preset: engagement } }, or run with --only capture")
	}
	v.pipelines(slices.Contains(roles, RoleCapture))
	if slices.Contains(roles, RoleSink) {
		v.targets()
		v.stores()
	}
	v.rest()
	return errors.Join(v.problems...)
}

// validator collects problems.
type validator struct {
	cfg      *Config
	problems []error
}

// add records a problem of the key at path, unless its value was already
// reported as unreadable. at finds the nearest place known.
func (v *validator) add(path string, f fault.Error) {
	if v.cfg.failed[""] {
		return
	}
	for p := path; p != ""; p = parent(p) {
		if v.cfg.failed[p] {
			return
		}
	}
	v.problems = append(v.problems, newProblem(path, v.cfg.at(path), f))
}

// missing records a required key that has no value.
func (v *validator) missing(path, why, fix string) {
	v.add(path, fault.Error{What: "is required", Why: why, Fix: fix})
}

func (v *validator) require(path, value, why, fix string) {
	if value == "" {
		v.missing(path, why, fix)
	}
}

// oneOf records a value that is not among the allowed ones.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	v.add(path, notOneOf(value, allowed))
}

// notOneOf is the fault of a value that is not among the allowed ones.
func notOneOf(value string, allowed []string) fault.Error {
	f := fault.Error{What: fmt.Sprintf("unknown value %q", value), Fix: "write one of " + strings.Join(allowed, ", ")}
	if meant := Nearest(value, allowed); meant != "" {
		f.Fix = "did you mean " + meant + "? The values are " + strings.Join(allowed, ", ")
	}
	if len(allowed) == 1 {
		f.Fix = "write " + allowed[0]
	}
	return f
}

func (v *validator) rest() {
	c := v.cfg
	if c.API.Listen != "" {
		v.address("api.listen", c.API.Listen, "8080")
	}
	if _, port, err := net.SplitHostPort(c.Admin.Listen); c.Admin.Listen != "" && (err != nil || port != "0") {
		v.address("admin.listen", c.Admin.Listen, "9090")
	}
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "auto", "json", "console")
	if c.Wait <= 0 {
		v.add("wait", fault.Error{What: fmt.Sprintf("%s is not a positive duration", c.Wait), Fix: "wait: 60s"})
	}
}

// address records a value that is not host:port; usual is the port that most have.
func (v *validator) address(path, value, usual string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		if n, convErr := strconv.ParseUint(port, 10, 16); convErr == nil && n > 0 && !strings.ContainsAny(value, " \t,") {
			return
		}
	}
	f := fault.Error{What: fmt.Sprintf("%q is not host:port", value), Fix: "write a host and a port from 1 to 65535: localhost:" + usual}
	host, isPort := value, matches(`^[0-9]+$`, value)
	switch {
	case isPort:
		f.Fix = "write localhost:" + value
	case matches(`^[a-zA-Z0-9._-]+:?$`, host):
		f.Fix = fmt.Sprintf("write %q", strings.TrimSuffix(host, ":")+":"+usual)
	case strings.Contains(value, ","):
		f.Fix = "write each address as an element of its own: [a:" + usual + ", b:" + usual + "]"
	}
	v.add(path, f)
}

// at returns where the value at path, or the nearest thing around it, was given.
func (c *Config) at(path string) origin {
	for p := path; p != ""; p = parent(p) {
		if at, ok := c.origins[p]; ok {
			return at
		}
	}
	return origin{label: c.file}
}

// parent cuts the last key or index off a path.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// Topic is the topic that a table's changes go to. What Kafka does not allow of a
// name that the template takes becomes an underscore, as with Debezium.
func (c *Config) Topic(table schema.TableName) string {
	if topic, ok := c.Kafka.Topics[TableKey(FormatTable(table))]; ok {
		return topic
	}
	return strings.NewReplacer(
		"{name}", c.Source.Name, "{schema}", debezium.TopicPart(table.Schema), "{table}", debezium.TopicPart(table.Name),
	).Replace(c.Kafka.Topic)
}
