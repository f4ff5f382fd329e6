package sink

// The keys of log fields, one word for one thing.
const (
	keyPipeline   = "pipeline"
	keyTopic      = "topic"
	keyPartitions = "partitions"
	keyGroup      = "group"
	keyLimit      = "limit"
	keyWaited     = "waited"

	KeyWhat     = "what"     // a server, as the stores name it too
	KeyKeyspace = "keyspace" // of Cassandra
)
