package parity

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// aim is how many times as fast as the connector the daemon is meant to be.
const aim = 8

// Copy is how one reader read the table.
type Copy struct {
	Took   time.Duration // from its first row to its last
	Memory int64         // the largest resident set in bytes; 0 if it has no process of its own
}

// Copies is what was measured of one table.
type Copies struct {
	Rows, Bytes                 int64 // bytes as COPY writes them
	Nowhere, Penstock, Debezium Copy
}

// Write prints a table, with what each is of COPY and of Debezium.
func (c *Copies) Write(w io.Writer) error {
	fmt.Fprintf(w, "%d rows, %d MB as COPY writes them\n\n", c.Rows, c.Bytes>>20)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "reader\trows/s\tMB/s\tseconds\tof COPY\tof Debezium\tpeak memory\t")
	for _, line := range []struct {
		who string
		how Copy
	}{{"COPY to nowhere", c.Nowhere}, {"Penstock", c.Penstock}, {"Debezium", c.Debezium}} {
		memory := "-"
		if line.how.Memory > 0 {
			memory = fmt.Sprintf("%d MB", line.how.Memory>>20)
		}
		s := line.how.Took.Seconds()
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.1f\t%.2f\t%.2f\t%s\t\n", line.who, float64(c.Rows)/s, float64(c.Bytes>>20)/s, s,
			c.Nowhere.Took.Seconds()/s, c.Debezium.Took.Seconds()/s, memory)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	ratio := c.Debezium.Took.Seconds() / c.Penstock.Took.Seconds()
	met := "met"
	if ratio < aim {
		met = "not met"
	}
	_, err := fmt.Fprintf(w, "\nPenstock is %.1f times as fast as Debezium; the aim of %d is %s\n", ratio, aim, met)
	return err
}

// peakMemory is the largest resident set that a process has had, in bytes; 0 when it is gone.
func peakMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kB, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kB << 10
}
