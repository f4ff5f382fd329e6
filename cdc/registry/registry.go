package registry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/sr"

	"penstock/internal/fault"
)

// Kind is the language of a schema.
type Kind uint8

// The kinds that every registry knows.
const (
	Avro Kind = iota
	Protobuf
	JSON
)

// String names the kind as the registry's protocol does.
func (k Kind) String() string { return k.protocol().String() }

func (k Kind) protocol() sr.SchemaType {
	switch k {
	case Avro:
		return sr.TypeAvro
	case Protobuf:
		return sr.TypeProtobuf
	case JSON:
		return sr.TypeJSON
	}
	panic(fmt.Sprintf("a schema has kind %d: there are only %d", k, JSON+1))
}

// Schema is what the registry is to know.
type Schema struct {
	Kind       Kind
	Record     string // its full name, for subjects that are named after records
	Text       string
	References []Reference // what Text imports and the registry does not have built in
}

// Reference is another schema of the same kind that a schema imports.
type Reference struct {
	Name    string // as the import spells it
	Subject string // where it is kept; Name when empty
	Text    string
}

// Registry knows the ids of schemas. Safe for concurrent use.
type Registry struct {
	config Config
	nodes  []node
	client *http.Client
	start  atomic.Int64 // the node that answered last

	mu  sync.Mutex
	ids map[key]int // guarded by mu
}

// node is one address of the registry.
type node struct {
	url    string
	client *sr.Client
}

// key stands for a schema under a subject.
type key [sha256.Size]byte

// maxKnown bounds the ids that are kept, far beyond any number of tables: what is
// forgotten is asked for again.
const maxKnown = 100_000

// Open returns the registry at the addresses of the configuration. It does no I/O.
func Open(config Config) (*Registry, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	r := &Registry{config: config, client: config.client(), ids: map[key]int{}}
	for _, url := range config.URLs {
		client, err := sr.NewClient(append(config.login(), sr.URLs(url), sr.HTTPClient(r.client))...)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Usage, Where: url, What: "is no address of a schema registry", Err: err}
		}
		r.nodes = append(r.nodes, node{url, client})
	}
	return r, nil
}

// Address is the registry's first, as the configuration has it.
func (r *Registry) Address() string { return r.config.URLs[0] }

// Close closes the connections that are idle.
func (r *Registry) Close() { r.client.CloseIdleConnections() }

// ID returns the id of the schema of a topic's keys or values. The first time it
// registers the schema, or looks it up unless the configuration says AutoRegister.
//
// All its errors but the end of ctx are of type *fault.Error: Unreachable when
// asking again may help, Refused when the registry does not take the schema or does
// not know it, Usage when the configuration is wrong.
func (r *Registry) ID(ctx context.Context, topic string, isKey bool, s Schema) (int, error) {
	subject, err := r.config.SubjectNaming.subject(topic, isKey, s.Record)
	if err != nil {
		return 0, err
	}
	k := keyOf(subject, s)
	r.mu.Lock()
	id, known := r.ids[k]
	r.mu.Unlock()
	if known {
		return id, nil
	}
	if id, err = r.ask(ctx, subject, s); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) >= maxKnown {
		clear(r.ids)
	}
	r.ids[k] = id
	return id, nil
}

func keyOf(subject string, s Schema) key {
	h := sha256.New()
	parts := []string{subject, s.Kind.String(), s.Text}
	for _, ref := range s.References {
		parts = append(parts, ref.Name, ref.Subject, ref.Text)
	}
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return key(h.Sum(nil))
}

// ask gets the id from the registry.
func (r *Registry) ask(ctx context.Context, subject string, s Schema) (int, error) {
	schema := sr.Schema{Schema: s.Text, Type: s.Kind.protocol()}
	for _, ref := range s.References {
		known, err := r.reference(ctx, s.Kind, ref)
		if err != nil {
			return 0, err
		}
		schema.References = append(schema.References, known)
	}
	if r.config.AutoRegister {
		return r.register(ctx, subject, schema)
	}
	known, err := r.lookUp(ctx, subject, schema)
	return known.ID, err
}

// reference returns the reference with the version that its schema has.
func (r *Registry) reference(ctx context.Context, kind Kind, ref Reference) (sr.SchemaReference, error) {
	subject := ref.Subject
	if subject == "" {
		subject = ref.Name
	}
	schema := sr.Schema{Schema: ref.Text, Type: kind.protocol()}
	if r.config.AutoRegister {
		if _, err := r.register(ctx, subject, schema); err != nil {
			return sr.SchemaReference{}, err
		}
	}
	known, err := r.lookUp(ctx, subject, schema)
	return sr.SchemaReference{Name: ref.Name, Subject: subject, Version: known.Version}, err
}

func (r *Registry) register(ctx context.Context, subject string, schema sr.Schema) (id int, err error) {
	return id, r.try(ctx, subject, func(ctx context.Context, n node) error {
		if id, err = n.client.RegisterSchema(ctx, subject, schema, -1, -1); err != nil {
			return err
		}
		return plausible(id)
	})
}

func (r *Registry) lookUp(ctx context.Context, subject string, schema sr.Schema) (known sr.SubjectSchema, err error) {
	return known, r.try(ctx, subject, func(ctx context.Context, n node) error {
		if known, err = n.client.LookupSchema(ctx, subject, schema); err != nil {
			return err
		}
		return plausible(known.ID)
	})
}

// plausible refuses an id that no registry gives: the answer came from something else.
func plausible(id int) error {
	if id <= 0 || id > math.MaxInt32 {
		return &fault.Error{Kind: fault.Usage, What: fmt.Sprintf("the answer has no id of a schema: %d", id),
			Fix: "check that the address is a schema registry's"}
	}
	return nil
}

// try asks one node after the other, beginning with the one that answered last,
// until one answers.
func (r *Registry) try(ctx context.Context, subject string, do func(context.Context, node) error) error {
	if r.config.Normalize {
		ctx = sr.WithParams(ctx, sr.Normalize)
	}
	var failure error
	start := r.start.Load()
	for i := range r.nodes {
		at := (int(start) + i) % len(r.nodes)
		err := do(ctx, r.nodes[at])
		switch {
		case err == nil:
			r.start.Store(int64(at))
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		failure = explain(r.nodes[at].url, subject, err)
		if fault.KindOf(failure) != fault.Unreachable {
			r.start.Store(int64(at))
			return failure
		}
	}
	return failure
}
