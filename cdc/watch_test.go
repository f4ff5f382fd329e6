package cdc_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/schema"
)

// TestAPublicationThatLosesATableEndsTheCapture: the server sends nothing of it any
// more, and says nothing of that.
func TestAPublicationThatLosesATableEndsTheCapture(t *testing.T) {
	s := newSource(t)
	s.cfg.Watch = 50 * time.Millisecond
	c := s.startStreaming()
	s.exec("ALTER PUBLICATION " + s.cfg.Publications[0] + " DROP TABLE events")
	err := c.wait()
	expect(t, err, fault.Refused, "does not publish table public.events", "what is written to it until it is added is never sent", "ADD TABLE",
		"changed while the capture ran")
	if strings.Contains(err.Error(), "put back") {
		t.Errorf("it was not put back: %v", err)
	}
}

// TestADroppedTableEndsTheCapture with words of its own: no publication can have it again.
func TestADroppedTableEndsTheCapture(t *testing.T) {
	s := newSource(t)
	s.cfg.Watch = 50 * time.Millisecond
	c := s.startStreaming()
	s.exec("DROP TABLE events")
	err := c.wait()
	expect(t, err, fault.Refused, "table public.events does not exist", "source.matching", "changed while the capture ran")
	if strings.Contains(err.Error(), "PUBLICATION") {
		t.Errorf("a publication has nothing to do with it: %v", err)
	}
}

func TestPartitionsThatComeAndGoAreToldOf(t *testing.T) {
	s := newSource(t)
	s.exec(`CREATE TABLE parted (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a'); CREATE TABLE parted_b (id int, region text, PRIMARY KEY (id, region));
		INSERT INTO parted_b VALUES (1, 'b')`)
	s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: schema.TableName{Schema: "public", Name: "parted"}, Topic: s.cfg.Tables[0].Topic + ".parted"})
	s.cfg.Watch = 50 * time.Millisecond
	core, logs := observer.New(zap.WarnLevel)
	c := s.startWith(zap.New(zapcore.NewTee(zaptest.NewLogger(t).Core(), core)))
	told := func(message, name string) bool {
		return logs.FilterMessageSnippet(message).FilterField(zap.String("partition", name)).Len() > 0
	}
	attached := false // what comes before the first look is nothing new, so it comes and goes until it is told of
	eventually(t, "word of the partition that comes", func() bool {
		if attached = !attached; attached {
			s.exec("ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES IN ('b')")
		} else {
			s.exec("ALTER TABLE parted DETACH PARTITION parted_b")
		}
		return told("attached", "parted_b")
	})
	s.exec("ALTER TABLE parted DETACH PARTITION parted_a")
	eventually(t, "word of the partition that goes", func() bool { return told("detached", "parted_a") })
	c.finish()
}
