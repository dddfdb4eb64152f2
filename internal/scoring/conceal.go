package scoring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
)

func hasPII(s *features.Schema) bool {
	return slices.ContainsFunc(s.Entities, func(e features.EntityKind) bool { return e.PII }) ||
		slices.ContainsFunc(s.Attributes, func(a features.Attribute) bool { return a.PII })
}

// conceal replaces keys and values flagged pii by their keyed hash and looks for card numbers in the others. The event it
// was given stays as it is.
func (s *Scorer) conceal(l *lane, ev *features.Event) (*features.Event, error) {
	schema := &l.typ.Schema
	out := *ev
	if hasPII(schema) {
		out.Entities, out.Attributes = slices.Clone(ev.Entities), slices.Clone(ev.Attributes)
	}
	for i, kind := range schema.Entities {
		if kind.PII {
			out.Entities[i] = s.keyed(ev.Entities[i])
		} else if err := s.cardNumber(l, "entities."+kind.Name, ev.Entities[i]); err != nil {
			return nil, err
		}
	}
	for i := range schema.Attributes {
		a := &schema.Attributes[i]
		if a.PII {
			out.Attributes[i] = s.keyed(ev.Attributes[i])
		} else if err := s.cardNumber(l, "attributes."+a.Name, ev.Attributes[i]); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// keyed is HMAC-SHA-256 cut to 128 bits, in hex; an absent value stays absent.
func (s *Scorer) keyed(value string) string {
	if value == "" {
		return ""
	}
	h := hmac.New(sha256.New, s.opts.PIIKey)
	h.Write([]byte(value))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// cardNumber counts, warns of once per field, and if so declared refuses, what looks like a card number in clear.
func (s *Scorer) cardNumber(l *lane, field, value string) error {
	if !looksLikeCard(value) {
		return nil
	}
	if s.opts.RefuseCardNumbers {
		return &features.FieldError{Field: field, Problem: "looks like a card number in clear; send a token, or flag the field pii in the event type"}
	}
	s.metrics.cardNumbers.WithLabelValues(l.typ.Name, field).Inc()
	if _, warned := l.warned.LoadOrStore(field, true); !warned {
		s.opts.Logger.Warn(fmt.Sprintf("%s looks like a card number in clear; send a token, or flag the field pii in the event type", field), "event_type", l.typ.Name)
	}
	return nil
}

// looksLikeCard: 13 to 19 digits, single spaces or hyphens between, with a right Luhn check digit (ISO/IEC 7812-1).
func looksLikeCard(value string) bool {
	if len(value) < 13 || len(value) > 37 {
		return false
	}
	digits, sum := 0, 0
	for i := len(value) - 1; i >= 0; i-- {
		c := value[i]
		if (c == ' ' || c == '-') && digits > 0 {
			continue
		}
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if digits%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		digits++
	}
	return digits >= 13 && digits <= 19 && sum%10 == 0 && sum > 0
}
