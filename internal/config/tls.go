package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"penstock/internal/fault"
)

// TLS says whom an encrypted connection trusts and who it says it is. Files are in
// PEM. Whether a connection is encrypted is said by its address.
type TLS struct {
	CA         string `yaml:"ca"`          // file of the authorities; empty: the system's
	Cert       string `yaml:"cert"`        // file of the client's certificate, if the server asks for one
	Key        string `yaml:"key"`         // file of its private key
	ServerName string `yaml:"server_name"` // that the server's certificate has to have; empty: the address's
}

// Load reads the files. Without any setting it returns nil, which is the default of
// the libraries: the system's authorities, and the host's name is checked.
func (t TLS) Load() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil //nolint:nilnil // no setting, and no error
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	var problems []error
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		c.RootCAs = x509.NewCertPool()
		if err == nil && !c.RootCAs.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s has no certificate in PEM", t.CA)
		}
		problems = append(problems, tlsProblem("ca", err))
	}
	switch {
	case t.Cert != "" && t.Key != "":
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		c.Certificates = []tls.Certificate{pair}
		problems = append(problems, tlsProblem("cert", err))
	case t.Cert != "":
		problems = append(problems, tlsFault("key", "is missing, and there is a certificate", "name the file of its private key"))
	case t.Key != "":
		problems = append(problems, tlsFault("cert", "is missing, and there is a private key", "name the file of its certificate"))
	}
	return c, errors.Join(problems...)
}

func tlsProblem(key string, err error) error {
	if err == nil {
		return nil
	}
	return tlsFault(key, "cannot be used: "+err.Error(), "name a file in PEM that the daemon may read")
}

func tlsFault(key, what, fix string) error {
	return &fault.Error{Kind: fault.Usage, Where: key, What: what, Fix: fix}
}

// tls checks the section at path.
func (v *validator) tls(path string, t TLS) {
	_, err := t.Load()
	if err == nil {
		return
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, problem := range joined.Unwrap() {
		if f, ok := errors.AsType[*fault.Error](problem); ok {
			v.add(join(path, f.Where), fault.Error{What: f.What, Fix: f.Fix})
		}
	}
}
