package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// collector reads every metric of the table when it is asked to: between scrapes they cost nothing.
type collector struct {
	daemon *Daemon
	rows   []row
}

// row is a metric as Prometheus has it.
type row struct {
	Metric

	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newCollector(d *Daemon) *collector {
	kinds := map[Type]prometheus.ValueType{Counter: prometheus.CounterValue, Gauge: prometheus.GaugeValue, Untyped: prometheus.UntypedValue}
	c := &collector{daemon: d}
	for _, m := range Table() {
		c.rows = append(c.rows, row{m, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil), kinds[m.Type]})
	}
	return c
}

// Describe sends what Collect may send.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for i := range c.rows {
		to <- c.rows[i].desc
	}
}

// Collect sends the values of one moment.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	v := c.daemon.view()
	for i := range c.rows {
		r := &c.rows[i]
		r.read(v, func(value float64, labels ...string) {
			m, err := prometheus.NewConstMetric(r.desc, r.kind, value, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(r.desc, err) // the scrape says it
			}
			to <- m
		})
	}
}

// registry holds the metrics of the table, and those of the Go runtime and the process.
func (d *Daemon) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(d), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func (d *Daemon) metrics() http.Handler {
	r := d.registry()
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
