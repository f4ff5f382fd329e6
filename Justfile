# List what can be done.
default:
    @{{ just_executable() }} --list --unsorted

# The seed's walk-through on real servers, checked, then a gentle load until Ctrl-C.
demo *flags:
    go run ./cmd/penstock demo {{ flags }}

# Every test, on the real servers: those of `just up`, else a stack of its own.
test *flags:
    go test {{ flags }} ./...

# Every test on another major version of Postgres, such as 17.
test-on version *flags:
    PENSTOCK_POSTGRES_VERSION={{ version }} go test -count 1 {{ flags }} ./...

# The tests that need no server.
test-short *flags:
    go test -short {{ flags }} ./...

# The same under the race detector.
race *flags:
    go test -race -short {{ flags }} ./...

# Check format, modules, vet and golangci-lint.
lint:
    .ci/lint

# Format the code.
fmt:
    gofmt -w .

# Fuzz every target for a while each.
fuzz time="30s":
    #!/usr/bin/env bash
    set -euo pipefail
    grep -rHoE --include='*_test.go' '^func Fuzz\w+' . | while IFS=: read -r file target; do
        target=${target#func }
        echo "== $(dirname "$file") $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime {{ time }} "$(dirname "$file")" </dev/null
    done

# Rewrite the goldens: the assembler's scripts, the messages of a real Postgres, the records in docs/formats.md.
golden:
    go test -count 1 ./cdc ./cdc/pgoutput -rewrite
    git diff --stat -- testdata docs/formats.md

# Measure on real servers beside pg_recvlogical; `just bench` alone lists what (docs/performance.md).
bench *flags:
    go run ./cmd/bench {{ flags }}

# The benchmarks of the hot paths, which need no server.
bench-go *flags:
    go test -short -run '^$' -bench . -benchmem {{ flags }} ./...

# The proof: break daemon, Postgres, Kafka and the network, hold Kafka against what Postgres wrote down (40 to 75 minutes).
chaos *flags:
    go run ./cmd/chaos {{ flags }}

# The proof of the sink: kill its members, Cassandra and Redis, replay, hold both stores against SQL (about 30 minutes).
chaos-sink *flags:
    go run ./cmd/chaos sink {{ flags }}

# The proof of backfills: kill the daemon and commands while tables are read under a load (about 20 minutes).
chaos-backfill *flags:
    go run ./cmd/chaos backfill {{ flags }}

# The proof of the proof: capture builds that are broken on purpose, each of which has to be caught.
chaos-mutants *flags:
    go run ./cmd/chaos mutants {{ flags }}

# Hold the Debezium format against the real connector, field by field, and move from it under load; `just parity record` rewrites its goldens.
parity *flags:
    go run ./cmd/parity {{ flags }}

# Start Postgres, Kafka, Cassandra and Redis and leave them running for demo and tests.
up:
    go run ./cmd/penstock dev up

# Stop the servers of `just up`.
down:
    go run ./cmd/penstock dev down

# Print how the servers of `just up` are reached.
status *flags:
    go run ./cmd/penstock dev status {{ flags }}

# All that has to hold before a change lands.
verify: lint tidy-check race test

# Check that go.mod and go.sum are what the code needs.
tidy-check:
    go mod tidy -diff

# Build a static binary into bin; its version is the Git tag or commit.
build:
    CGO_ENABLED=0 go build -trimpath -buildvcs=true -ldflags '-s -w' -o bin/penstock ./cmd/penstock
    bin/penstock version
