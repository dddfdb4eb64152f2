package offline

import (
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// coder numbers the cells of a column: equal texts are looked at once, whatever is to be found out about them.
type coder struct {
	raw   *interner
	codes []uint32 // of each raw text
	judge func(text string) (uint32, error)
	pages []uint32 // codes of the values of the dictionary in hand
}

func newCoder(judge func(string) (uint32, error)) *coder {
	return &coder{raw: newInterner(), judge: judge}
}

// code of a raw text.
func (c *coder) code(raw uint32) (uint32, error) {
	for int(raw) >= len(c.codes) {
		code, err := c.judge(c.raw.words[len(c.codes)])
		if err != nil && len(c.codes) > 0 { // the empty text need not occur
			return 0, err
		}
		c.codes = append(c.codes, code)
	}
	return c.codes[raw], nil
}

func (c *coder) at(v *cells, place int) (uint32, error) {
	if v.integers != nil {
		return c.code(c.raw.integer(v.integers[place]))
	}
	return c.code(c.raw.bytes(v.bytes[v.offsets[place]:v.offsets[place+1]]))
}

// fill codes the rows of a segment.
func (c *coder) fill(col *column, s segment, to []uint32) (err error) {
	absent, empty := uint32(0), error(nil)
	if s.levels != nil {
		absent, empty = c.judge("")
	}
	if col.index == nil {
		col.each(s, func(row, place int) {
			code, problem := absent, empty
			if place >= 0 {
				code, problem = c.at(&col.values, place)
			}
			if to[row] = code; problem != nil {
				err = problem
			}
		})
		return err
	}
	if col.fresh {
		col.fresh = false
		c.pages = c.pages[:0]
		for i := range col.values.len() {
			code, err := c.at(&col.values, i)
			if err != nil {
				return err
			}
			c.pages = append(c.pages, code)
		}
	}
	if s.levels == nil {
		for row, place := range col.index[s.from : s.from+s.rows] {
			to[row] = c.pages[place]
		}
		return nil
	}
	col.each(s, func(row, place int) {
		if place >= 0 {
			to[row] = c.pages[place]
		} else if to[row] = absent; empty != nil {
			err = empty
		}
	})
	return err
}

// judges makes the rules for texts of a schema's fields: an event that holds the text there and is beyond doubt
// otherwise must be valid.
type judges struct {
	schema *features.Schema
	words  *words
}

// sound is a valid event.
func (j *judges) sound() features.Event {
	ev := blank(j.schema)
	ev.ID = "x"
	for i := range ev.Entities {
		ev.Entities[i] = "x"
	}
	for i := range ev.Attributes {
		ev.Attributes[i] = "x"
		if j.schema.Attributes[i].Kind == features.Flag {
			ev.Attributes[i] = "true"
		}
	}
	for i := range ev.Numbers {
		ev.Numbers[i] = 0
	}
	return ev
}

func (j *judges) entity(place int) func(string) (uint32, error) {
	return func(text string) (uint32, error) {
		ev := j.sound()
		ev.Entities[place] = text
		if err := j.schema.Validate(&ev); err != nil {
			return 0, fmt.Errorf("%w: %w", errColumns, err)
		}
		return j.words.entities[place].text(text), nil
	}
}

func (j *judges) attribute(place int, b *project.AttributeBinding) func(string) (uint32, error) {
	return func(text string) (uint32, error) {
		if b.Values != nil && text != "" {
			value, known := b.Values[text]
			if !known {
				return 0, fmt.Errorf("%w: %q is not translated", errColumns, text)
			}
			text = value
		}
		ev := j.sound()
		ev.Attributes[place] = text
		if err := j.schema.Validate(&ev); err != nil {
			return 0, fmt.Errorf("%w: %w", errColumns, err)
		}
		return j.words.attributes[place].text(text), nil
	}
}

// verdict is the rule for a label column: the code is a features.Verdict, 0 for none.
func verdict(m *project.LabelSource) func(string) (uint32, error) {
	return func(text string) (uint32, error) {
		switch {
		case text == "":
			return 0, nil
		case slices.Contains(m.Fraud, text):
			return uint32(features.Fraud), nil
		case slices.Contains(m.Legitimate, text):
			return uint32(features.Legitimate), nil
		}
		return 0, fmt.Errorf("%w: %q is no verdict", errColumns, text)
	}
}
