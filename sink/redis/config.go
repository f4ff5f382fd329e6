// Package redis keeps the current row of a plan's result as a Redis hash, for
// readers that need one row fast. A script compares versions, so that the newest
// wins in whatever order writes arrive.
//
// nil from [Store.Apply] means that the server has the writes in memory; how
// much of that survives the server is up to its own persistence settings.
//
// Read guard.lua, config.go, open.go, format.go, apply.go, read.go, scan.go in that order.
package redis

import (
	"crypto/tls"
	"errors"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink/plan"
)

// Config says where Redis or Valkey is. The zero value of an optional field
// stands for its default.
type Config struct {
	Address  string // host:port
	Username string // optional
	Password string // optional
	Database int
	TLS      *tls.Config // optional: nil speaks in the clear

	// Plan says which keys and fields there are. Optional: the preset engagement, under
	// engagement_events:event:.
	Plan *plan.Plan
	// TombstoneLife is how long a deleted row's version is remembered; a replay
	// from further back could bring the row back until its delete is replayed
	// too. Optional: 7 days.
	TombstoneLife time.Duration

	Wait time.Duration // optional, 1 minute: how long Open waits for a server that is coming up
}

func (c Config) withDefaults() Config {
	if c.Plan == nil {
		c.Plan = plan.Engagement(schema.TableName{}, schema.TableName{}, "engagement_events:event:")
	}
	if c.TombstoneLife == 0 {
		c.TombstoneLife = 7 * 24 * time.Hour
	}
	if c.Wait == 0 {
		c.Wait = time.Minute
	}
	return c
}

// validate reports everything that is wrong at once.
func (c Config) validate() error {
	var problems []error
	if c.Address == "" {
		problems = append(problems, errors.New("redis.address is empty"))
	}
	if c.TombstoneLife < time.Second {
		problems = append(problems, errors.New("the life of redis tombstones must be at least 1 s"))
	}
	if c.Wait < 0 || c.Database < 0 {
		problems = append(problems, errors.New("redis wait and database must not be negative"))
	}
	if len(problems) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Usage, Where: "redis", What: "configuration is not usable", Err: errors.Join(problems...)}
}
