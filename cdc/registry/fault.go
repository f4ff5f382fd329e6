package registry

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"penstock/internal/fault"
)

// explain turns what went wrong at a node into a fault.
func explain(address, subject string, err error) error {
	where := fmt.Sprintf("subject %s at %s", subject, address)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		f.Where = where
		return f
	}
	answer, ok := errors.AsType[*sr.ResponseError](err)
	if !ok {
		return noAnswer(where, err)
	}
	f := &fault.Error{Kind: fault.Runtime, Where: where, What: fmt.Sprintf("the schema registry answers %d", answer.StatusCode), Err: told(answer)}
	switch code := answer.StatusCode; {
	case code == http.StatusConflict:
		f.Kind, f.What = fault.Refused, "the schema is not compatible with an earlier one of its subject"
		f.Why = "what reads the topic with that one could not read what is written now"
		f.Fix = fmt.Sprintf(`undo the change of the table, or allow it: curl -X PUT -H 'Content-Type: application/json' `+
			`-d '{"compatibility":"NONE"}' '%s/config/%s'`, address, url.PathEscape(subject))
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		f.Kind, f.What = fault.Usage, "the schema registry does not let this user in"
		f.Fix = "correct user and password, or the token, and what they may do with the subject"
	case answer.ErrorCode == sr.ErrSubjectNotFound.Code, answer.ErrorCode == sr.ErrSchemaNotFound.Code:
		f.Kind, f.What = fault.Refused, "the schema is not registered"
		f.Why = "schemas are only looked up, not registered, unless auto-register is on"
		f.Fix = "register the schema, or turn auto-register on"
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		f.Kind, f.What = fault.Usage, "this is no address of a schema registry"
		f.Fix = "correct it: some registries speak Confluent's protocol under a path, such as /apis/ccompat/v7"
	case code == http.StatusUnprocessableEntity:
		f.Kind, f.What = fault.Refused, "the schema registry does not take the schema"
		f.Fix = "see its answer"
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		f.Kind = fault.Unreachable
		f.Fix = "wait for the registry, or see its log"
	}
	return f
}

// noAnswer is for what no registry has said.
func noAnswer(where string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: where, What: "the schema registry does not answer", Err: err,
		Fix: "check that it runs and can be reached"}
	_, badJSON := errors.AsType[*json.SyntaxError](err)
	_, otherJSON := errors.AsType[*json.UnmarshalTypeError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case badJSON, otherJSON:
		f.Kind, f.What, f.Fix = fault.Usage, "the answer is not a schema registry's", "correct the address"
	case untrusted:
		f.Kind, f.What = fault.Usage, "the schema registry's certificate is not trusted"
		f.Fix = "name the file with the certificate of its authority in registry.tls.ca"
	}
	return f
}

// told is what the registry says, cut to what a person reads.
func told(answer *sr.ResponseError) error {
	const most = 2000
	text := answer.Message
	if text == "" {
		text = string(answer.Raw)
	}
	if len(text) > most {
		text = text[:most] + "..."
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if answer.ErrorCode != 0 && answer.ErrorCode != answer.StatusCode {
		text = fmt.Sprintf("%s (%d)", text, answer.ErrorCode)
	}
	return errors.New(text)
}
