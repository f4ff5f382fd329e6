package config

import (
	"fmt"
	"regexp"
	"strings"

	"penstock/internal/fault"
)

var scheme = regexp.MustCompile(`^((?:jdbc:)?[a-zA-Z][a-zA-Z0-9+.-]*)://`)

// scheme records a connection string that is a URL, and not of Postgres. It shows
// nothing else of it, which may be secret.
func (v *validator) scheme(path string, dsn Secret) {
	found := scheme.FindStringSubmatch(dsn.Reveal())
	if found == nil || found[1] == "postgres" || found[1] == "postgresql" {
		return
	}
	v.add(path, fault.Error{
		What: fmt.Sprintf("the connection string begins with %s://", found[1]), Why: "it is Postgres that is captured",
		Fix: "write postgres://user:password@host:5432/database, or host=… user=… dbname=…",
	})
}

// backfill checks how rows are read that were there before.
func (v *validator) backfill() {
	b, usual := v.cfg.Backfill, Default().Backfill
	v.oneOf("backfill.policy", b.Policy, BackfillNone, BackfillInitial)
	for _, limit := range []struct {
		key                       string
		value, least, most, usual int
	}{
		{"readers", b.Readers, 1, 64, usual.Readers}, {"chunk_blocks", b.ChunkBlocks, 1, 1 << 17, usual.ChunkBlocks},
		{"rows_per_second", b.RowsPerSecond, 0, 1 << 30, usual.RowsPerSecond},
	} {
		if limit.value < limit.least || limit.value > limit.most {
			v.add("backfill."+limit.key, fault.Error{
				What: fmt.Sprintf("%d is not from %d to %d", limit.value, limit.least, limit.most), Fix: fmt.Sprintf("%s: %d", limit.key, limit.usual),
			})
		}
	}
}

// matching records what is no pattern of schema.table.
func (v *validator) matching(path, pattern string) {
	schemaName, name, ok := strings.Cut(pattern, ".")
	if ok && schemaName != "" && name != "" && !strings.ContainsAny(pattern, regexpOnly) && !strings.Contains(name, ".") {
		return
	}
	f := fault.Error{
		What: fmt.Sprintf("%q is not a pattern of schema.table", pattern),
		Why:  "* is any text and ? any one character, and one dot parts schema and table; it is no regular expression",
		Fix:  `write "sales.*" or "public.order_*"; ? also takes a dot within a name`,
	}
	if meant := fromRegexp(pattern); meant != pattern && matches(`^[^.]+\.[^.]+$`, meant) && !strings.ContainsAny(meant, regexpOnly) {
		f.Fix = fmt.Sprintf("write %q", meant)
	}
	v.add(path, f)
}

// regexpOnly is what stands in a regular expression and hardly in a name; $ may.
const regexpOnly = `^()[]{}|+\`

// fromRegexp makes a pattern of a regular expression that has no more than it can say.
func fromRegexp(text string) string {
	return strings.NewReplacer("^", "", "$", "", `\.`, ".", ".*", "*", ".+", "?*", ".?", "*").Replace(text)
}

// slotLike is a slot's name like one that Postgres does not allow.
func slotLike(name string) string {
	clean := regexp.MustCompile(`[^a-z0-9_]`).ReplaceAllString(strings.ToLower(name), "_")
	return clean[:min(len(clean), 63)]
}
