# The static binary on an image with CA certificates and time zones, and no shell.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# With .git, from which the binary takes its version.
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /penstock ./cmd/penstock

FROM gcr.io/distroless/static:nonroot
COPY --from=build /penstock /penstock
USER 65532:65532
ENTRYPOINT ["/penstock"]
CMD ["run", "-c", "/etc/penstock/penstock.yaml"]
