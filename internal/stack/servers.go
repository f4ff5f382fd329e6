package stack

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Origin says where a server comes from.
type Origin string

// The origins.
const (
	FromEnvironment Origin = "environment"
	FromContainer   Origin = "container"
	FromNative      Origin = "native"
)

// About is what is known of a server beside its address. Version is what the server itself says where it can be asked.
type About struct {
	Version string `json:"version"`
	Origin  Origin `json:"origin"`
}

// Servers tells how the four servers are reached; its JSON form is part of `penstock dev status -o json`.
type Servers struct {
	Postgres  Postgres  `json:"postgres"`
	Kafka     Kafka     `json:"kafka"`
	Cassandra Cassandra `json:"cassandra"`
	Redis     Redis     `json:"redis"`
}

// Postgres is reached by a DSN of a superuser (a server of ours) or of whoever PENSTOCK_POSTGRES names.
type Postgres struct {
	DSN string `json:"dsn"`
	About
}

// Kafka is reached through any of Brokers, each host:port, in plain text.
type Kafka struct {
	Brokers []string `json:"brokers"`
	About
}

// Cassandra is reached through any of Hosts, each host:port, with a password login.
type Cassandra struct {
	Hosts    []string `json:"hosts"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	About
}

// Redis is reached at Address, host:port.
type Redis struct {
	Address string `json:"address"`
	About
}

// access is how one server is reached, before it is told apart by kind.
type access struct {
	dsn                string   // Postgres only
	addresses          []string // the others: host:port
	username, password string   // Cassandra only
}

// parseAddresses reads "host:port,host:port" as PENSTOCK_KAFKA and PENSTOCK_REDIS hold it.
func parseAddresses(text string) (access, error) {
	at := access{addresses: strings.Split(text, ",")}
	for _, address := range at.addresses {
		host, port, ok := cutLast(address, ":")
		if !ok || host == "" || port == "" {
			return access{}, fmt.Errorf("address %q has not the form host:port", address)
		}
	}
	return at, nil
}

// parseLogin reads "user:password@host:port,host:port", user and password percent-encoded where they hold @ or : and
// cassandra/cassandra when left out. PENSTOCK_CASSANDRA has this form.
func parseLogin(text string) (access, error) {
	username, password := "cassandra", "cassandra"
	if login, hosts, ok := cutLast(text, "@"); ok {
		user, pass, _ := strings.Cut(login, ":")
		var err error
		if username, err = url.PathUnescape(user); err != nil {
			return access{}, fmt.Errorf("read user name: %w", err)
		}
		if password, err = url.PathUnescape(pass); err != nil {
			return access{}, fmt.Errorf("read password: %w", err)
		}
		text = hosts
	}
	at, err := parseAddresses(text)
	at.username, at.password = username, password
	return at, err
}

func parseDSN(text string) (access, error) {
	if _, err := pgconn.ParseConfig(text); err != nil {
		return access{}, err // pgconn leaves the password out of its errors
	}
	return access{dsn: text}, nil
}

// hostOfDSN is safe to print: it leaves the password out.
func hostOfDSN(dsn string) string {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%s:%d", config.Host, config.Port)
}

func (at access) String() string {
	if at.dsn != "" {
		return hostOfDSN(at.dsn)
	}
	return strings.Join(at.addresses, ",")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
