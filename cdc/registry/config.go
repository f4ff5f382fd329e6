package registry

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"penstock/internal/fault"
)

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 16 << 20 // bytes of one answer of the registry's
)

// Config says where the registry is and how it is used.
type Config struct {
	URLs []string // of one registry: the next is asked when one does not answer

	Username, Password string // for HTTP's basic authentication
	Token              string // a bearer token, instead of user and password
	TLS                *tls.Config

	SubjectNaming Naming // Topic when empty
	AutoRegister  bool   // register what is not known, instead of refusing to write it
	Normalize     bool   // have the registry compare schemas in a normal form

	Timeout time.Duration // of one request; 10 s when zero
}

// checked returns the configuration with its defaults, or all that is wrong with it.
func (c Config) checked() (Config, error) {
	var wrong []error
	complain := func(where, what string) {
		wrong = append(wrong, &fault.Error{Kind: fault.Usage, Where: where, What: what})
	}
	if len(c.URLs) == 0 {
		complain("schema registry", "has no address")
	}
	c.URLs = slices.Clone(c.URLs)
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil: // its text may hold a password
			complain("schema registry", "has an address that is no URL")
		case u.User != nil:
			complain(u.Redacted(), "has user and password in the address: give them by their own settings")
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			complain(text, "is no http:// or https:// address")
		case u.RawQuery != "" || u.Fragment != "":
			complain(text, "has more than a path after the host")
		}
		c.URLs[i] = strings.TrimRight(text, "/")
	}
	if c.Token != "" && c.Username+c.Password != "" {
		complain("schema registry", "has both a token and a user: one of them logs in")
	}
	switch c.SubjectNaming {
	case "":
		c.SubjectNaming = Topic
	case Topic, Record, TopicRecord:
	default:
		complain("subject naming "+string(c.SubjectNaming), "is none of topic, record and topic_record")
	}
	if c.Timeout < 0 {
		complain("timeout of the schema registry", "is negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c, errors.Join(wrong...)
}

func (c Config) login() []sr.ClientOpt {
	options := []sr.ClientOpt{sr.UserAgent("penstock")}
	switch {
	case c.Token != "":
		options = append(options, sr.BearerToken(c.Token))
	case c.Username != "" || c.Password != "":
		options = append(options, sr.BasicAuth(c.Username, c.Password))
	}
	return options
}

func (c Config) client() *http.Client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     c.TLS,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: c.Timeout,
		IdleConnTimeout:     time.Minute,
	}
	return &http.Client{Timeout: c.Timeout, Transport: bounded{transport}}
}

// bounded cuts answers that are longer than any of a registry's.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
