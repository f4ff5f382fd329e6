package sink

// The keys of log fields, one word for one thing.
const (
	keyPipeline   = "pipeline"
	keyTopic      = "topic"
	keyPartitions = "partitions"
	keyStore      = "store"
	keyPartition  = "partition"
	keyOffset     = "offset"
	keyOffsets    = "offsets" // by partition
	keyGroup      = "group"
	keyLimit      = "limit"
	keyWaited     = "waited"
	keyLetter     = "letter"  // the id of a dead letter
	keyLetters    = "letters" // how many
	keyWaits      = "waits"   // whether its key goes on waiting

	KeyWhat     = "what"     // a server, as the stores name it too
	KeyKeyspace = "keyspace" // of Cassandra
)
