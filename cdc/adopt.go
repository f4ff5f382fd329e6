package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/schema"
	"penstock/schema/shape"
)

// newTable ends an attempt at the first change of a table that Config.Match takes
// and no earlier attempt knew of. The next attempt has its topic and all that
// belongs to it from the start, and the change is sent again.
type newTable struct{ table schema.TableName }

func (n *newTable) Error() string {
	return fmt.Sprintf("table %s is new, and to be captured", n.table)
}

// adoptFrom takes in the table that ended an attempt, and reports whether one did.
func (c *Capture) adoptFrom(err error) (adopted bool, refused error) {
	n, ok := errors.AsType[*newTable](err)
	if !ok {
		return false, nil
	}
	return true, c.adopt([]schema.TableName{n.table})
}

// adoptPublished takes in what the publications have and Config.Match takes.
func (c *Capture) adoptPublished(ctx context.Context, db *pgx.Conn) error {
	if c.cfg.Match == nil {
		return nil
	}
	var names []schema.TableName
	for _, name := range c.cfg.Publications {
		p, _, err := slot.FindPublication(ctx, db, name)
		if err != nil {
			return postgresFault("describe publication "+name, err)
		}
		for _, t := range p.Tables {
			names = append(names, t.TableName)
		}
	}
	c.sayUnruled(names)
	c.sayUnmatched(names)
	return c.adopt(names)
}

// sayUnruled warns of tables that the configuration has rules for and that nobody publishes: the
// name may be misspelt, and the table that was meant go out without them.
func (c *Capture) sayUnruled(published []schema.TableName) {
	for _, name := range c.cfg.Ruled {
		if !slices.Contains(published, name) && !slices.Contains(tableNames(&c.cfg), name) {
			c.warnOnce("records has rules for a table that is not published: no other table is meant by them", zap.Stringer(keyTable, name))
		}
	}
}

// sayUnmatched warns of patterns of Config.Match that no published table has: they may be misspelt.
func (c *Capture) sayUnmatched(published []schema.TableName) {
	for _, pattern := range c.cfg.Patterns {
		if !slices.ContainsFunc(published, func(t schema.TableName) bool { return shape.Match(pattern, t.String()) }) {
			c.warnOnce("source.matching has a pattern that no table of the publication matches", zap.String("pattern", pattern),
				zap.String("fix", "correct it, or add the tables to the publication; one that comes later is captured from its first change on"))
		}
	}
}

// warnOnce gives a warning that an earlier attempt has not given.
func (c *Capture) warnOnce(what string, about zap.Field, more ...zap.Field) {
	key := what + about.String + fmt.Sprint(about.Interface)
	if c.told[key] {
		return
	}
	if c.told == nil {
		c.told = map[string]bool{}
	}
	c.told[key] = true
	c.log.Warn(what, append(more, about)...)
}

// adopt adds tables that are not known yet. It is called between attempts only:
// everything that runs within one may read the list.
func (c *Capture) adopt(names []schema.TableName) error {
	for _, name := range names {
		if slices.Contains(tableNames(&c.cfg), name) {
			continue
		}
		if t, ok := c.cfg.matching(name); ok {
			c.cfg.Tables = append(c.cfg.Tables, t)
		}
	}
	return c.cfg.validate()
}

// sayAdopted tells of the tables that are captured by their names and had no topic until
// now. Of the others an earlier start has told.
func (c *Capture) sayAdopted(created []string) {
	for i := range c.cfg.Tables {
		if t := &c.cfg.Tables[i]; t.Matched && slices.Contains(created, t.Topic) {
			c.log.Info("table is captured from its first change on", zap.Stringer(keyTable, t.Name), zap.String(keyTopic, t.Topic))
		}
	}
}

// matching describes a table that is captured because of its name.
func (c *Config) matching(name schema.TableName) (Table, bool) {
	if c.Match == nil {
		return Table{}, false
	}
	t, ok := c.Match(name)
	t.Name, t.Matched = name, true
	return t, ok
}
