package engagement_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
	"penstock/sink/engagement"
	"penstock/sink/plan"
)

// The slots are numbered as the plan numbers them.
func TestRowsAreThePlans(t *testing.T) {
	p := plan.Engagement(schema.TableName{}, schema.TableName{}, "")
	row := engagement.Row{
		Event: engagement.Event{
			ID: 1, ContentID: engagement.Some(engagement.UUID{1}), UserID: engagement.Some(engagement.UUID{2}), Type: engagement.Some("type"), Time: 3,
			DurationMS: engagement.Some(int64(4)), Device: engagement.Some("device"), Payload: engagement.Some("payload"),
		},
		Seconds: engagement.Some(5.0), Pct: engagement.Some(6.0),
		ContentType: engagement.Some("content type"), Slug: engagement.Some("slug"), Title: engagement.Some("title"), LengthSeconds: engagement.Some(int64(7)),
	}
	want := map[string]string{
		"stream.id": "1", "stream.content_id": "01000000-0000-0000-0000-000000000000", "stream.user_id": "02000000-0000-0000-0000-000000000000",
		"stream.event_type": "type", "stream.event_ts": "1970-01-01 00:00:00.000003", "stream.duration_ms": "4", "stream.device": "device",
		"stream.raw_payload": "payload", "engagement_seconds": "5.0", "engagement_pct": "6.0",
		"lookup.content_type": "content type", "lookup.slug": "slug", "lookup.title": "title", "lookup.length_seconds": "7",
	}
	got, slots := map[string]string{}, row.Slots()
	for i, slot := range p.Slots {
		if !slots[i].IsNull() {
			got[slot.Name] = slots[i].String()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(slots) != len(p.Slots) {
		t.Errorf("%d slots of %d (-want +got):\n%s", len(slots), len(p.Slots), diff)
	}
	if diff := cmp.Diff(row, engagement.FromSlots(slots)); diff != "" {
		t.Errorf("back again (-want +got):\n%s", diff)
	}
	if key := engagement.Key(1); !slices.Equal(p.AppendRowKey(nil, key), p.AppendRowKey(nil, slots)) {
		t.Error("the key of an event is not its row's")
	}
	content := engagement.Content{
		ID: engagement.UUID{1}, Slug: engagement.Some("slug"), Title: engagement.Some("title"), Type: engagement.Some("type"),
		LengthSeconds: engagement.Some(int64(7)), PublishTime: engagement.Some(int64(8)), Exists: true,
	}
	var values []string
	lookup := content.Slots()
	first, end := p.LookupSlots()
	for i := range lookup.Values {
		values = append(values, p.Slots[first+i].Name+"="+lookup.Values[i].String())
	}
	wantValues := []string{
		"lookup.id=01000000-0000-0000-0000-000000000000", "lookup.slug=slug", "lookup.title=title", "lookup.content_type=type", "lookup.length_seconds=7",
		"lookup.publish_ts=1970-01-01 00:00:00.000008",
	}
	if diff := cmp.Diff(wantValues, values); diff != "" || len(values) != end-first {
		t.Errorf("content (-want +got):\n%s", diff)
	}
}
