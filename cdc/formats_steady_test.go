package cdc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"

	"penstock/cdc/registry"
)

// steadying hides what is another in each run.
var steadying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`"(ts_ms|ts_us|ts_ns|lsn|txId)":\d+`), `"$1":…`},
	{regexp.MustCompile(`"(iodebezium(?:tsms|tsus|tsns|lsn|txId))":"\d+"`), `"$1":"…"`},
	{regexp.MustCompile(`\[\\*"\d+\\*",\\*"\d+\\*"\]`), `[…]`},
	{regexp.MustCompile(`"id":"\d+:\d+"`), `"id":"…:…"`},
	{regexp.MustCompile(`lsn:\d+;txId:\d+`), `lsn:…;txId:…`},
	{regexp.MustCompile(`;version:\d+`), `;version:…`},
	{regexp.MustCompile(`"time":"[^"]*"`), `"time":"…"`},
	{regexp.MustCompile(`(header (?:penstock\.(?:lsn|xid|version|dlq\.(?:lsn|version|time))|ce_time|ce_iodebezium(?:tsms|tsus|tsns|txId|lsn)): ).*`), `${1}…`},
	{regexp.MustCompile(`[0-9A-F]+/[0-9A-F]{4,8}`), `…`},
	{regexp.MustCompile(`(its record would have) \d+ bytes`), `$1 … bytes`}, // its headers have an LSN in digits
	{regexp.MustCompile(`payments\d+`), `payments`},
	{regexp.MustCompile(`x{40,}`), `xxx…`},
}

func (r *recorder) steady(text string) string {
	text = r.hide.Replace(text)
	for _, s := range steadying {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	return text
}

// startRegistry is a registry that takes every schema.
func (r *recorder) startRegistry() (address string, known *registry.Registry) {
	r.t.Helper()
	var mu sync.Mutex
	ids := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body struct{ Schema string }
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if ids[body.Schema] == 0 {
			ids[body.Schema] = len(ids) + 1
			r.schema[ids[body.Schema]] = body.Schema
		}
		fmt.Fprintf(w, `{"id":%d}`, ids[body.Schema])
	}))
	r.t.Cleanup(server.Close)
	known, err := registry.Open(registry.Config{URLs: []string{server.URL}, AutoRegister: true})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(known.Close)
	return server.URL, known
}
