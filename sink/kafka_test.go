package sink_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"penstock/internal/fault"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

func TestLostPositionIsAFault(t *testing.T) {
	cases := []struct {
		name      string
		committed int64 // -1 is none
		want      string
	}{
		{"the committed offset is trimmed", 1, "no longer holds offset 1, which group g committed; its first is offset 3, "},
		{"the topic is trimmed and nothing committed", -1, "no longer holds offset 0, and group g has committed none; its first is offset 3, "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, s, model := newRig(t), played(), storetest.NewModel()
			r.produce(s, kgo.TryCommit)
			if c.committed >= 0 {
				r.commit(1, c.committed)
			}
			r.trim(1, 3)
			err := r.run(t.Context(), r.config(), model)
			wantFault(t, err, fault.PositionLost, "topic t partition 1", c.want, "--group g --topic t --reset-offsets --to-earliest")
			if at := r.committed(1); at != c.committed {
				t.Errorf("committed offset %d, want it as it was, %d", at, c.committed)
			}
			r.commit(1, 3) // what the fix does
			r.runUntilDrained(r.config(), model)
		})
	}
}

// What retention takes after it was committed is missed by nobody.
func TestTrimmedTopicGoesOnFromTheCommittedOffset(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	for p := range int32(partitions) {
		r.trim(p, r.committed(p))
	}
	for n := byte(1); n <= 5; n++ {
		s.put(someEvent(int64(n)+20, n))
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	wantEqual(t, s, model)
}

func TestKafkaThatDoesNotComeIsNamed(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Wait = 100 * time.Millisecond
	r.cluster.Close()
	err := r.run(t.Context(), cfg, storetest.NewModel())
	wantFault(t, err, fault.Unreachable, "kafka at "+cfg.Brokers[0])
}

func TestRefusedUserIsAFaultOfUse(t *testing.T) {
	read := func(kind kmsg.ACLResourceType, name string) kfake.ACL {
		return kfake.ACL{
			Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral,
			Operation: kmsg.ACLOperationRead, Allow: true,
		}
	}
	topic, group := read(kmsg.ACLResourceTypeTopic, "t"), read(kmsg.ACLResourceTypeGroup, "g")
	cases := []struct {
		name   string
		rights []kfake.ACL
		want   string
	}{
		{"no right on the topic", []kfake.ACL{group}, "READ on topic t"},
		{"no right on the group", []kfake.ACL{topic}, "READ on topic t and on group g"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"),
				kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "reader", "right", c.rights...))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			r := &rig{t: t, cluster: cluster}
			cfg := r.config()
			cfg.Wait = 20 * time.Second
			cfg.Client = []kgo.Opt{kgo.SASL(plain.Auth{User: "reader", Pass: "right"}.AsMechanism())}
			wantFault(t, r.run(t.Context(), cfg, storetest.NewModel()), fault.Usage, c.want)
		})
	}
}

func TestRefusedPasswordIsAFaultOfUse(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.User("PLAIN", "reader", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	// kfake hangs up where Kafka answers.
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		response := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		response.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return response, nil, true
	})
	r := &rig{t: t, cluster: cluster}
	cfg := r.config()
	cfg.Wait = 20 * time.Second
	cfg.Client = []kgo.Opt{kgo.SASL(plain.Auth{User: "reader", Pass: "wrong"}.AsMechanism())}
	wantFault(t, r.run(t.Context(), cfg, storetest.NewModel()), fault.Usage, "set the user and password")
}

// The text with which Debezium marks what the log does not hold may be a value.
func TestMarkOfAnUnchangedColumnIsText(t *testing.T) {
	const mark = "__debezium_unavailable_value"
	s, model := newSource(partitions), storetest.NewModel()
	c, e := someContent(1, 1800), someEvent(1, 1)
	c.Title = engagement.Some(mark)
	s.putContent(c)
	s.put(e)
	e.Device = engagement.Some(mark)
	s.put(e)
	s.put(e)
	s.putContent(c)
	applyAll(t, s, model, 1)
	wantEqual(t, s, model)
	s.remove(1)
	applyAll(t, s, model, 1)
	wantEqual(t, s, model)
}
