package stack

import (
	"context"
	"fmt"
	"os"

	"penstock/internal/fault"
)

// kind is what Start needs to know of one of the four servers; each server's own file has its value.
type kind struct {
	name string // as in messages and folder names
	env  string // the variable that names a server of the user's

	parse  func(text string) (access, error)                    // reads that variable
	locate func(port int) access                                // a server of ours on the loopback
	ask    func(ctx context.Context, at access) (string, error) // logs in and returns the server's version
	set    func(s *Servers, at access, about About)

	native    func(ctx context.Context, h *home, settings map[string]string) (recipe, error)
	cached    func(h *home) bool    // nothing to download for a native start
	needsJava bool                  // the native server runs on Java
	image     func(o Options) image // the container
}

func kinds() []kind {
	return []kind{cassandraKind(), kafkaKind(), postgresKind(), redisKind()} // the slowest first
}

// source is a kind with the decision where it comes from.
type source struct {
	kind kind
	// open returns the server's access and, when we started it, how to end it.
	open func(ctx context.Context) (access, About, closer, error)
}

// sources decides for every kind. All missing prerequisites of native servers come back as one error, before anything starts.
func (h *home) sources(ctx context.Context, of []kind) ([]source, error) {
	var engine *engine
	var sources []source
	var native []kind
	for _, k := range of {
		if text := os.Getenv(k.env); text != "" {
			sources = append(sources, source{k, h.fromEnvironment(k, text)})
			continue
		}
		if h.opts.Mode != Native && engine == nil {
			engine = findEngine(ctx)
			if engine.answers() {
				if err := engine.prepare(ctx); err != nil {
					return nil, fmt.Errorf("prepare the Docker engine at %s: %w", engine, err)
				}
			}
		}
		switch {
		case engine.answers():
			sources = append(sources, source{k, h.fromContainer(k, engine)})
		case h.opts.Mode == Docker:
			return nil, &fault.Error{
				Kind: fault.Unreachable, Where: engine.String(), What: "no Docker engine answers",
				Fix: "start it, set DOCKER_HOST, or PENSTOCK_STACK=native",
			}
		default:
			sources = append(sources, source{k, h.fromNative(k)})
			native = append(native, k)
		}
	}
	return sources, h.checkPrerequisites(ctx, native)
}

func (h *home) fromEnvironment(k kind, text string) func(context.Context) (access, About, closer, error) {
	return func(ctx context.Context) (access, About, closer, error) {
		at, err := k.parse(text)
		if err != nil {
			return access{}, About{}, nil, &fault.Error{Kind: fault.Usage, Where: k.env, What: "is no address", Fix: "correct or unset it", Err: err}
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		version, err := k.ask(ctx, at)
		if err != nil {
			return access{}, About{}, nil, &fault.Error{
				Kind: fault.Unreachable, Where: k.env, What: fmt.Sprintf("%s does not answer", at), Fix: "start it, or correct or unset " + k.env, Err: err,
			}
		}
		h.report.say(k.name, "%s at %s, named by %s", version, at, k.env)
		return at, About{version, FromEnvironment}, nil, nil
	}
}

func (h *home) fromNative(k kind) func(context.Context) (access, About, closer, error) {
	return func(ctx context.Context) (access, About, closer, error) {
		in, err := h.startInstance(ctx, k, nil)
		if err != nil {
			return access{}, About{}, nil, err
		}
		return in.access(), in.about(), in, nil
	}
}

// fromContainer falls back to a child process in Auto mode: the engine may have no way to the image.
func (h *home) fromContainer(k kind, e *engine) func(context.Context) (access, About, closer, error) {
	return func(ctx context.Context) (access, About, closer, error) {
		c, err := h.startContainer(ctx, k, e)
		if err == nil {
			return c.at, c.about, c, nil
		}
		if h.opts.Mode == Docker || ctx.Err() != nil {
			return access{}, About{}, nil, err
		}
		h.report.say(k.name, "no container (%v): starting natively", err)
		if err := h.checkPrerequisites(ctx, []kind{k}); err != nil {
			return access{}, About{}, nil, err
		}
		return h.fromNative(k)(ctx)
	}
}
