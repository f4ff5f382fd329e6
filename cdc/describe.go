package cdc

import (
	"context"

	"penstock/schema"
)

// describeUsed has the catalogue describe the relations of events that are seen for
// the first time. A relation is not asked about when it is announced: the server
// sends again, with their relations, all transactions that it does not know to be
// delivered, and after a crash these are many.
func (s *session) describeUsed(ctx context.Context, events []schema.Event) error {
	if len(s.undescribed) == 0 {
		return nil
	}
	for i := range events {
		rel := events[i].Relation
		if rel == nil || s.undescribed[rel.OID] != rel {
			continue
		}
		if err := s.describe(ctx, rel); err != nil {
			return err
		}
		delete(s.undescribed, rel.OID)
	}
	return nil
}

// describe asks the catalogue what the log does not say of a relation.
func (s *session) describe(ctx context.Context, rel *schema.Relation) error {
	ctx, cancel := s.cfg.bounded(context.WithoutCancel(ctx))
	defer cancel()
	if err := s.catalog.Describe(ctx, rel); err != nil {
		return postgresFault("describe relation "+rel.Table.String(), err)
	}
	return nil
}
