package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock/internal/config"
)

// pemFile writes one block to a file of the test.
func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// identity makes a certificate that signs itself, and its key.
func identity(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "EC PRIVATE KEY", secret)
}

// TestTLS asks a server with an authority of its own, that wants to know its clients.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pemFile(t, "CERTIFICATE", server.Certificate().Raw)
	cert, key := identity(t)
	for name, test := range map[string]struct {
		settings config.TLS
		problem  string // of the handshake; empty for none
	}{
		"all that it takes":      {config.TLS{CA: ca, Cert: cert, Key: key}, ""},
		"the name that it has":   {config.TLS{CA: ca, Cert: cert, Key: key, ServerName: "example.com"}, ""},
		"a name that it has not": {config.TLS{CA: ca, Cert: cert, Key: key, ServerName: "other.test"}, "other.test"},
		"another authority":      {config.TLS{CA: cert, Cert: cert, Key: key}, "unknown authority"},
		"the system's":           {config.TLS{Cert: cert, Key: key}, "unknown authority"},
		"no certificate":         {config.TLS{CA: ca}, "certificate required"},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := test.settings.Load()
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: loaded}}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(request)
			if err == nil {
				answer.Body.Close()
			}
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestTLSThatCannotBeLoaded(t *testing.T) {
	cert, key := identity(t)
	_, other := identity(t)
	if c, err := (config.TLS{}).Load(); c != nil || err != nil {
		t.Errorf("nothing said: got %v, %v", c, err)
	}
	for name, test := range map[string]struct {
		settings config.TLS
		problem  string
	}{
		"an authority that is none": {config.TLS{CA: key}, "no certificate in PEM"},
		"no such file":              {config.TLS{CA: "/no/such/file"}, "no such file"},
		"half a pair":               {config.TLS{Cert: cert}, "key: is missing"},
		"the other half":            {config.TLS{Key: key}, "cert: is missing"},
		"somebody else's key":       {config.TLS{Cert: cert, Key: other}, "private key does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := test.settings.Load(); err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}
