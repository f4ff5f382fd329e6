// Package proxy is a TCP proxy for fault injection that lies between a daemon under test, which is another process, and a
// real server on loopback. It harms connections (latency, bandwidth, slices, stalls, losses, resets, half-closes). Of
// Kafka's protocol it knows enough to pick requests by API key and to lose, hold or delay them or exactly their answers, of
// Postgres' enough to move the clock of the source and to watch what is confirmed.
//
// Everything done is counted at the moment it has happened, not when it was asked for (see [Stats]): a fault that was not
// witnessed does not count.
//
// # A Kafka broker behind it
//
// Clients connect to what the broker advertises, so a daemon stays behind the proxy only if the broker has a listener of its
// own for it that advertises the proxy's address. The broker's first listener stays as it is: brokers speak to themselves
// over it (transaction markers must not meet the faults), and so do the oracles of a test. With stack.StartKafka, which puts
// listeners from its settings beside its own and has a port left for one:
//
//	p, err := proxy.Listen(ctx, proxy.Options{Protocol: proxy.Kafka})
//	broker, err := stack.StartKafka(ctx, stack.Options{}, map[string]string{
//		"listeners":                      "CHAOS://" + stack.SpareAddress,
//		"advertised.listeners":           "CHAOS://" + p.Addr(),
//		"listener.security.protocol.map": "CHAOS:PLAINTEXT",
//	})
//	p.SetTarget(broker.Spare())
//
// which amounts to this server.properties:
//
//	listeners=PLAINTEXT://127.0.0.1:A,CONTROLLER://127.0.0.1:B,CHAOS://127.0.0.1:C
//	advertised.listeners=PLAINTEXT://127.0.0.1:A,CHAOS://127.0.0.1:PROXY
//	listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CHAOS:PLAINTEXT
//	inter.broker.listener.name=PLAINTEXT
//
// The daemon's kafka.brokers is then p.Addr(). The other servers need nothing: the client is given the proxy's address.
//
// # Reading order
//
// proxy.go (listen, accept, close), link.go (a connection and how it ends), pipe.go (one direction of it), toxic.go (what
// harms bytes); then filter.go (how a protocol looks at a stream) with rule.go and kafka.go, and postgres.go; stats.go.
package proxy
